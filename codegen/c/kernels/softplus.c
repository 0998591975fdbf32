/* ln(1 + e^x), as max(x, 0) + ln(1 + e^-|x|). */
static double softplus(double x)
{
    double e = exp_of(x < 0 ? x : -x);
    return larger(x, 0) + log_ratio(e / (2 + e));
}
