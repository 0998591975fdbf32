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
   (z > t) != flip, which must be 0 before. The sign of t - z is the bit: no branch depends on data. */
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
        int shift = c % 32, word = c / 32, some = n - i < 32 - shift ? n - i : 32 - shift;
        uint32_t bits = 0, all = (0xffffffffu >> (32 - some)) << shift;
        for (int end = i + some; i < end; i++, c++) {
            bits = bits >> 1 | ((uint32_t)(t[c] - z[i]) & 0x80000000u);
        }
        bits = bits >> (32 - some) << shift;
        or_bits(row, m, w, word, bits ^ (flip[word] & all));
    }
}
