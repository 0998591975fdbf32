/* The natural logarithm, within two ulps. */
static double log_of(double x)
{
    uint64_t bits, m;
    int n = 0;
    if (x != x || x < 0) {
        m = 0x7ff8000000000001u; /* not a number */
        memcpy(&x, &m, sizeof x);
        return x;
    }
    if (x <= 0 || x * 0.5 >= x) {
        return x <= 0 ? -1 / (x * x) : x; /* -infinity, infinity */
    }
    if (x < 2.2250738585072014e-308) {
        x *= 18014398509481984.0; /* 2^54 */
        n = -54;
    }
    memcpy(&bits, &x, sizeof bits);
    n += (int)(bits >> 52) - 1023;
    m = (bits & 0xfffffffffffffu) | 0x3ff0000000000000u;
    memcpy(&x, &m, sizeof x);
    if (x > 1.4142135623730951) { /* the square root of 2 */
        x *= 0.5;
        n++;
    }
    return n * 0.693147180369123816 + (log_ratio((x - 1) / (x + 1)) + n * 1.90821492927058770e-10);
}
