/* Packs n elements -1, 0 and +1, or bits 0 and 1, into words: their signs, set for +1, and which
   are not 0. Returns how many are not 0. */
static int ternary_words(uint32_t *sign, uint32_t *nonzero, const void *x, int n)
{
    const int8_t *v = x;
    int count = 0;
    for (int i = 0; i < n; i += 32) {
        uint32_t s = 0, m = 0;
        for (int k = i; k < n && k < i + 32; k++) {
            m |= (uint32_t)(v[k] & 1) << (k - i);
            s |= (uint32_t)(v[k] & ~(v[k] >> 1) & 1) << (k - i); /* no branch depends on data */
            count += v[k] & 1;
        }
        sign[i / 32] = s;
        nonzero[i / 32] = m;
    }
    return count;
}

/* The sum of w[i]*x[i] over n words: of x as ternary_words makes it, of w likewise; wn is NULL when
   no weight is 0. count is the elements of x that are not 0. */
static int32_t ternary_dot(const uint32_t *sign, const uint32_t *nonzero, int count, const uint32_t *w, const uint32_t *wn, int n)
{
    int d = 0;
    for (int i = 0; i < n; i++) {
        uint32_t m = wn == NULL ? nonzero[i] : nonzero[i] & wn[i];
        d += popcount((sign[i] ^ w[i]) & m);
        if (wn != NULL) {
            count -= popcount(nonzero[i] & ~wn[i]);
        }
    }
    return count - 2 * d;
}
