/* OR, or AND, of the bits under a window; padding is ignored. */
typedef struct {
    const map_t *in, *out;
    window_t window;
    int8_t is_and;
} bit_pool_t;

static void bit_pool(uint8_t *memory, const bit_pool_t *p, int t, int h)
{
    const map_t *in = p->in, *out = p->out;
    const int8_t *kernel = p->window.kernel;
    uint8_t *y = row_of(memory, out, t, h);
    uint32_t flip = p->is_and ? ~0u : 0; /* AND is OR of what is inverted */
    for (int w = 0; w < out->width; w++) {
        for (int c = 0; c < out->channels; c += 32) {
            int n = out->channels - c < 32 ? out->channels - c : 32;
            uint32_t v = 0;
            for (int k = 0; k < kernel[0] * kernel[1]; k++) {
                int it = tap_at(&p->window, 0, t, k / kernel[1], in->frames), ih = tap_at(&p->window, 1, h, k % kernel[1], in->rows);
                if (it < 0 || ih < 0) {
                    continue;
                }
                const uint8_t *x = row_of(memory, in, it, ih);
                for (int kw = 0; kw < kernel[2]; kw++) {
                    int at = tap_at(&p->window, 2, w, kw, in->width);
                    v |= at < 0 ? 0 : bits_at(x, in, at, c, n) ^ flip;
                }
            }
            v ^= flip;
            v &= n < 32 ? (1u << n) - 1u : ~0u;
            if (out->unit == 1) {
                y[w] = (uint8_t)v;
            } else if (out->unit == 2) {
                ((uint16_t *)(void *)y)[w] = (uint16_t)v;
            } else {
                ((uint32_t *)(void *)y)[w * out->units + c / 32] = v;
            }
        }
    }
}
