/* Binary convolution of one tap by tables: for every four inputs and four outputs, the sums of the four
   inputs for all 16 values of them. A word is four sums at once, sum 0 + 256 * sum 1 + 65536 * sum 2 and
   so on, which words of several inputs add up to; those of the first four inputs have 128 more, so
   that bytes at last are sums with another sign bit. */
typedef struct {
    const map_t *in, *out;
    window_t window;
    int16_t steps;             /* of 16 inputs */
    const uint32_t *tables;    /* [steps][outputs/4][4][16] */
} bit_point_t;

static void bit_point(uint8_t *memory, const bit_point_t *p, int t, int h)
{
    const map_t *in = p->in, *out = p->out;
    const uint8_t *x = row_of(memory, in, t * p->window.stride[0] - p->window.pad[0], h * p->window.stride[1] - p->window.pad[1]);
    uint8_t *row = row_of(memory, out, t, h);
    int halves = in->unit * in->units / 2; /* of 16 bits, of a position */
    int size = out->channels * 16;         /* words of the tables of a step */
    memset(row, 0, (size_t)out->pitch);
    for (int k = 0; k < p->steps; k++) {
        const uint16_t *v = (const uint16_t *)(const void *)x + k;
        const uint32_t *tables = p->tables + k * size;
        uint32_t *y = (uint32_t *)(void *)row, flip = k + 1 == p->steps ? 0x80808080u : 0;
        int at = -p->window.pad[2];
        for (int w = 0; w < out->width; w++, at += p->window.stride[2]) {
            uint32_t bits = halves == 0 ? x[at] : v[at * halves];
            const uint32_t *a = tables + (bits & 15), *b = tables + 16 + (bits >> 4 & 15);
            const uint32_t *c = tables + 32 + (bits >> 8 & 15), *d = tables + 48 + (bits >> 12);
            for (int i = 0; i < size; i += 64) {
                *y = (*y + a[i] + b[i] + c[i] + d[i]) ^ flip;
                y++;
            }
        }
    }
}
