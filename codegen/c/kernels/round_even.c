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
