/* The hyperbolic tangent, within four ulps: t / (t + 2) with t = e^2x - 1. */
static double tanh_of(double x)
{
    double a = x < 0 ? -x : x, t = exp_less_one(a > 22 ? 44 : 2 * a);
    t = t / (t + 2);
    return x < 0 ? -t : x > 0 ? t : x;
}
