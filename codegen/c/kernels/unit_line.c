/* max(0, min(1, alpha*x + beta)), NaN for NaN. */
static double unit_line(double x, double alpha, double beta)
{
    double v = alpha * x;
    v = v + beta;
    return v >= 1 ? 1 : v <= 0 ? 0 : v;
}
