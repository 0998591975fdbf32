/* The nearest integer, halves to the even one, as a float: what 2^23 and more are already. */
static float round_even(float x)
{
    volatile float big = x < 0 ? -8388608.0f : 8388608.0f;
    float sum;
    if (!(x > -8388608.0f && x < 8388608.0f)) {
        return x;
    }
    sum = x + big;
    return sum - big;
}

/* round(x) + zero, limited to a range; NaN gives zero. */
static int32_t quantized(float x, int32_t zero, int32_t least, int32_t most)
{
    float v = x == x ? round_even(x) : 0;
    double sum = (double)v + zero;
    return sum <= least ? least : sum >= most ? most : (int32_t)sum;
}
