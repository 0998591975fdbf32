/* A float as an integer of 32 bits: truncated, limited, 0 for NaN. */
static int32_t to_int(double x)
{
    if (!(x == x)) {
        return 0;
    }
    return x <= -2147483648.0 ? -2147483647 - 1 : x >= 2147483647.0 ? 2147483647 : (int32_t)x;
}
