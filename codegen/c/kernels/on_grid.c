/* How numbers are rounded: to the nearest integer, halves to the even one, away from 0 or towards it;
   up, down, away from 0, towards it; to +1, or -1 when negative. */
enum { HALF_EVEN, HALF_AWAY, HALF_TOWARDS, UPWARDS, DOWNWARDS, AWAY, TOWARDS, TO_SIGN };

static float rounded(float v, int mode)
{
    double a = v < 0 ? -(double)v : (double)v, n;
    if (mode == TO_SIGN) {
        return v >= 0 ? 1.0f : -1.0f;
    }
    if (!(a < 8388608.0)) { /* an integer, or not a number */
        return v;
    }
    if (mode == HALF_EVEN || mode == UPWARDS || mode == DOWNWARDS) {
        return mode == HALF_EVEN ? round_even(v) : mode == UPWARDS ? -floor_of(-v) : floor_of(v);
    }
    a = mode == HALF_AWAY ? a + 0.5 : mode == HALF_TOWARDS ? a - 0.5 : a;
    n = (double)(int32_t)a;
    if ((mode == AWAY || mode == HALF_TOWARDS) && n < a) {
        n = n + 1;
    }
    return (float)(v < 0 ? -n : v > 0 ? n : (double)v);
}

/* The nearest of the numbers (n - zero) * scale, n an integer from least to most. */
static float on_grid(float x, float scale, float zero, float least, float most, int mode)
{
    float v = x / scale;
    v = v + zero;
    if (mode != TO_SIGN) {
        v = v > most ? most : v;
        v = v < least ? least : v;
    }
    v = rounded(v, mode) - zero;
    return v * scale;
}
