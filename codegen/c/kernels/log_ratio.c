/* The logarithm of (1 + s) / (1 - s) for |s| up to 1/3: 2 (s + s^3/3 + s^5/5 + ...). */
static double log_ratio(double s)
{
    double z = s * s, sum = 0;
    for (int k = 37; k > 1; k -= 2) {
        sum = (sum + 1.0 / k) * z;
    }
    return 2 * (s + s * sum);
}
