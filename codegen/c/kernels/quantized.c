/* round(x) + zero, limited to a range; NaN gives zero. */
static int32_t quantized(float x, int32_t zero, int32_t least, int32_t most)
{
    float v = x == x ? round_even(x) : 0;
    double sum = (double)v + zero;
    return sum <= least ? least : sum >= most ? most : (int32_t)sum;
}
