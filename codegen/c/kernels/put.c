/* Sets bits of a word of position w. */
static void or_bits(uint8_t *row, const map_t *m, int w, int word, uint32_t bits)
{
    if (m->unit == 1) {
        row[w] = (uint8_t)(row[w] | bits);
    } else if (m->unit == 2) {
        uint16_t *y = (uint16_t *)(void *)row + w;
        *y = (uint16_t)(*y | bits);
    } else {
        ((uint32_t *)(void *)row)[w * m->units + word] |= bits;
    }
}

/* Stores results of n channels of position w, from channel c on: as integers, or as the bits
   (z >= t) != flip, which must be 0 before. */
static void put(uint8_t *row, const map_t *m, int w, int c, const int32_t *z, int n, const int32_t *t, const uint32_t *flip)
{
    void *first = row + (w * m->channels + c) * m->unit;
    int i = 0;
    if (m->type == I8) {
        int8_t *y = first;
        for (; i < n; i++) {
            y[i] = (int8_t)z[i];
        }
    } else if (m->type == I16) {
        int16_t *y = first;
        for (; i < n; i++) {
            y[i] = (int16_t)z[i];
        }
    } else if (m->type == I32) {
        memcpy(first, z, (size_t)n * sizeof *z);
        i = n;
    }
    while (i < n) {
        int shift = c % 32, word = c / 32, end = n - i < 32 - shift ? n : i + 32 - shift;
        uint32_t bits = 0, one = 1u << shift;
        for (; i < end; i++, c++, one <<= 1) {
            bits |= z[i] >= t[c] ? one : 0;
            bits ^= flip[word] & one;
        }
        or_bits(row, m, w, word, bits);
    }
}
