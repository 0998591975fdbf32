/* Binary convolution. A window is gathered into words, tap after tap, and compared with the weights
   of every output: d bits differ. For activations 0 and 1, z = base - d with base the weights +1;
   for -1 and +1, z = n - 2d with n the taps that count. */
typedef struct {
    const map_t *in, *out;
    window_t window;
    int16_t groups;
    int16_t slot;              /* bits of a tap in the window, which do not cross words */
    int16_t words;             /* of the window */
    int8_t is_signed;          /* activations are -1 and +1 */
    int8_t is_masked;          /* some taps count for nothing: of signed padding, of weights 0 */
    int8_t is_point;           /* one tap, never in the padding */
    const uint32_t *weights;   /* [outputs][words], set for +1 */
    const uint32_t *nonzero;   /* likewise; NULL when no weight is 0 */
    const int16_t *base;       /* [outputs] */
    const int32_t *t;          /* the bit is set for sums above it [outputs]; NULL when results are integers */
    const uint32_t *flip;
    uint32_t scratch;          /* words of the window, of its mask, and a sum for every output */
} bit_conv_t;

static void gather_bits(const uint8_t *const *rows, const bit_conv_t *p, int w, int group, uint32_t *x, uint32_t *mask)
{
    const map_t *in = p->in;
    int n = in->channels / p->groups, bit = 0;
    if (p->is_point) {
        int at = w * p->window.stride[2] - p->window.pad[2];
        for (int c = 0; c < n; c += 32) {
            x[c / 32] = bits_at(rows[0], in, at, group * n + c, n - c < 32 ? n - c : 32);
            mask[c / 32] = ~0u;
        }
        return;
    }
    memset(x, 0, (size_t)p->words * sizeof *x);
    memset(mask, 0, (size_t)p->words * sizeof *x);
    for (int k = 0; k < p->window.kernel[0] * p->window.kernel[1]; k++) {
        for (int kw = 0; kw < p->window.kernel[2]; kw++, bit += p->slot) {
            int at = tap_at(&p->window, 2, w, kw, in->width);
            if (rows[k] == NULL || at < 0) {
                continue;
            }
            for (int c = 0; c < n; c += 32) {
                int some = n - c < 32 ? n - c : 32, word = (bit + c) / 32, shift = bit % 32;
                x[word] |= bits_at(rows[k], in, at, group * n + c, some) << shift;
                mask[word] |= (some < 32 ? (1u << some) - 1u : ~0u) << shift;
            }
        }
    }
}

static void bit_conv(uint8_t *memory, const bit_conv_t *p, const uint8_t **rows, int t, int h)
{
    const map_t *in = p->in, *out = p->out;
    uint32_t *x = (uint32_t *)(void *)(memory + p->scratch), *mask = x + p->words;
    int32_t *z = (int32_t *)(void *)(mask + p->words);
    uint8_t *row = row_of(memory, out, t, h);
    int outputs = out->channels / p->groups;
    for (int kt = 0; kt < p->window.kernel[0]; kt++) {
        for (int kh = 0; kh < p->window.kernel[1]; kh++) {
            int it = tap_at(&p->window, 0, t, kt, in->frames), ih = tap_at(&p->window, 1, h, kh, in->rows);
            rows[kt * p->window.kernel[1] + kh] = it < 0 || ih < 0 ? NULL : row_of(memory, in, it, ih);
        }
    }
    memset(row, 0, (size_t)out->pitch);
    for (int w = 0; w < out->width; w++) {
        for (int g = 0, o = 0; g < p->groups; g++) {
            gather_bits(rows, p, w, g, x, mask);
            if (p->words <= 2 && !p->is_masked) {
                const uint32_t *weights = p->weights + o * p->words;
                const int16_t *base = p->base + o;
                uint32_t first = x[0], second = p->words == 2 ? x[1] : 0;
                int32_t *sum = z + o;
                o += outputs;
                for (int k = 0; k < outputs; k++) {
                    uint32_t v = first ^ *weights++;
                    int d = p->words == 1 ? popcount(v) : popcount_two(v, second ^ *weights++);
                    *sum++ = *base++ - (d << p->is_signed);
                }
                continue;
            }
            for (int k = 0; k < outputs; k++, o++) {
                const uint32_t *weights = p->weights + o * p->words;
                int d = 0, count = 0;
                if (!p->is_masked) {
                    d = distance(x, weights, p->words);
                    z[o] = p->is_signed ? p->base[o] - 2 * d : p->base[o] - d;
                    continue;
                }
                for (int i = 0; i < p->words; i++) {
                    uint32_t m = p->is_signed ? mask[i] : ~0u;
                    if (p->nonzero != NULL) {
                        m &= p->nonzero[o * p->words + i];
                    }
                    d += popcount((x[i] ^ weights[i]) & m);
                    count += popcount(m);
                }
                z[o] = p->is_signed ? count - 2 * d : p->base[o] - d;
            }
        }
        put(row, out, w, 0, z, out->channels, p->t, p->flip);
    }
}
