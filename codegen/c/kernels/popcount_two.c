/* The bits of two words that are set. */
static inline int popcount_two(uint32_t v, uint32_t u)
{
    v -= v >> 1 & 0x55555555u;
    u -= u >> 1 & 0x55555555u;
    v = (v & 0x33333333u) + (v >> 2 & 0x33333333u) + (u & 0x33333333u) + (u >> 2 & 0x33333333u); /* at most 8 a nibble */
    v = (v & 0x0f0f0f0fu) + (v >> 4 & 0x0f0f0f0fu);
    return (int)(v * 0x01010101u >> 24);
}
