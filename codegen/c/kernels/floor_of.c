/* The largest integer that is not above x. */
static float floor_of(float x)
{
    float y;
    if (!(x > -8388608.0f && x < 8388608.0f)) {
        return x;
    }
    y = (float)(int32_t)x;
    return y > x ? y - 1 : y < x ? y : x;
}
