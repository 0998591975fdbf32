/* Carry-save addition: the sum of three bits in every place is 2 * high + low. */
#define CSA(high, low, a, b, c) \
    do { \
        uint32_t csa = (a) ^ (b); \
        (high) = ((a) & (b)) | (csa & (c)); \
        (low) = csa ^ (c); \
    } while (0)

/* The bits in which n words differ: seven words at a time are added up by carry-save adders, so
   that three words are counted in their place. */
static int distance(const uint32_t *x, const uint32_t *w, int n)
{
    int sum = 0;
    for (; n >= 7; n -= 7, x += 7, w += 7) {
        uint32_t a, b, c, ones, twos, fours, c2, s;
        CSA(a, ones, x[0] ^ w[0], x[1] ^ w[1], x[2] ^ w[2]);
        CSA(b, s, x[3] ^ w[3], x[4] ^ w[4], x[5] ^ w[5]);
        CSA(c, ones, ones, s, x[6] ^ w[6]);
        CSA(fours, twos, a, b, c);
        c2 = ones - (ones >> 1 & 0x55555555u);
        c2 = (c2 & 0x33333333u) + (c2 >> 2 & 0x33333333u);
        s = twos - (twos >> 1 & 0x55555555u);
        c2 += 2 * ((s & 0x33333333u) + (s >> 2 & 0x33333333u)); /* at most 12 a nibble */
        c2 = (c2 & 0x0f0f0f0fu) + (c2 >> 4 & 0x0f0f0f0fu);
        s = fours - (fours >> 1 & 0x55555555u);
        s = (s & 0x33333333u) + (s >> 2 & 0x33333333u);
        c2 += 4 * ((s + (s >> 4)) & 0x0f0f0f0fu); /* at most 56 a byte */
        sum += (int)(c2 * 0x01010101u >> 24);
    }
    for (; n > 0; n--) {
        sum += popcount(*x++ ^ *w++);
    }
    return sum;
}
