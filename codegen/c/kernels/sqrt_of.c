/* The square root of a float, correctly rounded: Heron's steps in doubles. */
static float sqrt_of(float x)
{
    double v = x, y;
    uint64_t bits;
    if (x != x || x <= 0 || v * 0.5 >= v) {
        bits = 0x7ff8000000000001u; /* not a number */
        memcpy(&y, &bits, sizeof y);
        return x < 0 ? (float)y : x;
    }
    memcpy(&bits, &v, sizeof bits);
    bits = (bits >> 1) + 0x1ff8000000000000u; /* half the exponent */
    memcpy(&y, &bits, sizeof y);
    for (int i = 0; i < 5; i++) {
        y = 0.5 * (y + v / y);
    }
    return (float)y;
}
