/* Binary convolution of one tap by tables: for every four inputs and four outputs, the sums of the four
   inputs, a byte an output, for all 16 values of the inputs. Bytes are sums plus the outputs' least
   sums, so that none is negative; they stay below 128. */
typedef struct {
    const map_t *in, *out;
    window_t window;
    int16_t steps;             /* of 16 inputs */
    const uint32_t *tables;    /* [outputs/4][steps][4][16] */
    const uint32_t *least;     /* [outputs/4]: least sums, negated */
} bit_point_t;

static void bit_point(uint8_t *memory, const bit_point_t *p, int t, int h)
{
    const map_t *in = p->in, *out = p->out;
    const uint8_t *x = row_of(memory, in, t * p->window.stride[0] - p->window.pad[0], h * p->window.stride[1] - p->window.pad[1]);
    uint32_t *y = (uint32_t *)(void *)row_of(memory, out, t, h);
    int halves = in->unit * in->units / 2; /* of 16 bits, of a position */
    for (int w = 0; w < out->width; w++) {
        int at = w * p->window.stride[2] - p->window.pad[2];
        const uint16_t byte = x[at], *v = halves == 0 ? &byte : (const uint16_t *)(const void *)x + at * halves;
        const uint32_t *table = p->tables;
        for (int o = 0; o < out->channels / 4; o++) {
            uint32_t sum = 0;
            for (int k = 0; k < p->steps; k++, table += 64) {
                uint32_t bits = v[k];
                sum += table[bits & 15] + table[16 + (bits >> 4 & 15)] + table[32 + (bits >> 8 & 15)] + table[48 + (bits >> 12)];
            }
            *y++ = ((sum | 0x80808080u) - p->least[o]) ^ 0x80808080u;
        }
    }
}
