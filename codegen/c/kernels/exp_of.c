/* e^x, within an ulp. */
static double exp_of(double x)
{
    int n;
    double y;
    if (x != x || x < -746) {
        return x != x ? x : 0;
    }
    if (x > 709.782712893384) {
        return x * 1e308; /* infinity */
    }
    y = 1 + exp_near(x, &n);
    return y * power_of_two(n / 2) * power_of_two(n - n / 2);
}
