/* The smaller of two floats: NaN wins, and -0 is smaller than +0. */
static double smaller(double a, double b)
{
    return a != a || a < b ? a : a == 0 && b == 0 ? -(-a - b) : b;
}
