/* n bits, at most 32, from channel c of position w on. */
static uint32_t bits_at(const uint8_t *row, const map_t *m, int w, int c, int n)
{
    uint32_t v;
    if (m->unit == 1) {
        v = (uint32_t)row[w] >> c;
    } else if (m->unit == 2) {
        v = (uint32_t)((const uint16_t *)(const void *)row)[w] >> c;
    } else {
        const uint32_t *p = (const uint32_t *)(const void *)row + w * m->units + c / 32;
        v = p[0] >> (c % 32);
        if (c % 32 + n > 32) {
            v |= p[1] << (32 - c % 32);
        }
    }
    return n < 32 ? v & ((1u << n) - 1u) : v;
}
