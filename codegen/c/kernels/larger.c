/* The larger of two floats: NaN wins, and +0 is larger than -0. */
static double larger(double a, double b)
{
    return a != a || a > b ? a : a == 0 && b == 0 ? a + b : b;
}
