/* e^x - 1 for x up to 44, within two ulps. */
static double exp_less_one(double x)
{
    int n;
    double p, power;
    if (x != x || x < -44) {
        return x != x ? x : -1;
    }
    p = exp_near(x, &n);
    if (n == 0) {
        return p;
    }
    power = power_of_two(n);
    return power * p + (power - 1);
}
