/* Convolution of integers with weights -1, 0 and +1, without multiplications. Words hold one
   position, or two of 16 bits: of the left and of the right half of a row, added as one number
   left + 65536 * right. For every four channels of a row, the 16 sums with all signs are made once for
   every column, in a table; every tap of every output then adds one of them, which its weights name.
   Weights 0 need two tables, of the sums over the channels that are added and, negated, over those
   that are subtracted. */
typedef struct {
    const map_t *in, *out;
    window_t window;
    int16_t groups;
    int8_t lanes;              /* positions in a word: 1 or 2 */
    int8_t tables;             /* 1 for up to four channels, 2 for eight or for weights 0 */
    int8_t is_ternary;
    int16_t block;             /* outputs whose sums are kept at once */
    int32_t low;               /* no sum of two lanes is less */
    const uint8_t *weights;    /* [groups][frames][rows][channels/4 or 8][outputs][positions]: a row of each table */
    const int32_t *t;          /* thresholds [outputs], NULL when results are integers */
    const uint32_t *flip;
    uint32_t scratch;          /* tables, sums of a block, results of two positions */
} int_conv_t;

#define PACK(name, type) \
    static void name(uint32_t *y, const type *x, int step, int n, int at, int width, int right) \
    { \
        for (int i = 0; i < n; i++, at++) { \
            uint32_t v = at >= 0 && at < width ? (uint32_t)x[at * step] : 0; \
            if (right > 0 && at + right >= 0 && at + right < width) { \
                v += (uint32_t)x[(at + right) * step] << 16; \
            } \
            y[i] = v; \
        } \
    }
PACK(pack_u8, uint8_t)
PACK(pack_i8, int8_t)
PACK(pack_i16, int16_t)
PACK(pack_i32, int32_t)

/* Packs channel c of a row into n columns; right is the distance of the second lane, 0 for one lane. */
static void pack(uint32_t *y, const uint8_t *row, const map_t *m, int c, int n, int at, int right)
{
    const void *x = row + c * m->unit;
    switch (m->type) {
    case U8:
        pack_u8(y, x, m->channels, n, at, m->width, right);
        break;
    case I8:
        pack_i8(y, x, m->channels, n, at, m->width, right);
        break;
    case I16:
        pack_i16(y, x, m->channels, n, at, m->width, right);
        break;
    default:
        pack_i32(y, x, m->channels, n, at, m->width, right);
    }
}

/* Makes the table of channels c to c + count, at most four: row k has their sum, those added whose
   bit is set in k, the others subtracted, or left out for ternary weights. */
static void sum_table(uint32_t *table, const int_conv_t *p, const uint8_t *row, int c, int count, int columns, int right)
{
    for (int i = 0; i < 4; i++) {
        if (i < count) {
            pack(table + (columns << i), row, p->in, c + i, columns, -p->window.pad[2], right);
        } else {
            memset(table + (columns << i), 0, (size_t)columns * sizeof *table);
        }
    }
    for (int j = 0; j < columns; j++) {
        uint32_t *s = table + j;
        uint32_t a = s[columns], b = s[2 * columns], d = s[4 * columns], e = s[8 * columns];
        uint32_t base = p->is_ternary ? 0 : 0 - a - b - d - e;
        if (!p->is_ternary) {
            a *= 2;
            b *= 2;
            d *= 2;
            e *= 2;
        }
        for (int k = 0; k < 16; k += 4) {
            uint32_t v = base + (k & 4 ? d : 0) + (k & 8 ? e : 0);
            s[0] = v;
            s[columns] = v + a;
            s[2 * columns] = v + b;
            s[3 * columns] = v + a + b;
            s += 4 * columns;
        }
    }
}

/* Adds to the sums of a row of outputs what the taps of one row of the kernel name. */
static void add_taps(uint32_t *sum, int n, const uint32_t *table, const int_conv_t *p, const uint8_t *weights, int columns)
{
    int taps = p->window.kernel[2], step = p->window.stride[2], dilation = p->window.dilation[2];
    for (int k = 0; k < taps; k++) {
        const uint32_t *a = table + (weights[k] & 15) * columns + k * dilation;
        if (p->tables == 1) {
            for (int j = 0; j < n; j++, a += step) {
                sum[j] += *a;
            }
            continue;
        }
        const uint32_t *b = table + (16 + (weights[k] >> 4)) * columns + k * dilation;
        if (taps - k < 3) {
            for (int j = 0; j < n; j++, a += step, b += step) {
                sum[j] += *a + *b;
            }
            continue;
        }
        const uint32_t *c = table + (weights[k + 1] & 15) * columns + (k + 1) * dilation;
        const uint32_t *d = table + (16 + (weights[k + 1] >> 4)) * columns + (k + 1) * dilation;
        const uint32_t *e = table + (weights[k + 2] & 15) * columns + (k + 2) * dilation;
        const uint32_t *f = table + (16 + (weights[k + 2] >> 4)) * columns + (k + 2) * dilation;
        for (int j = 0, i = 0; j < n; j++, i += step) {
            sum[j] += a[i] + b[i] + c[i] + d[i] + e[i] + f[i];
        }
        k += 2;
    }
}

static void int_conv(uint8_t *memory, const int_conv_t *p, int t, int h)
{
    const map_t *in = p->in, *out = p->out;
    const int8_t *kernel = p->window.kernel;
    int half = (out->width + p->lanes - 1) / p->lanes, right = p->lanes == 2 ? half * p->window.stride[2] : 0;
    int columns = (half - 1) * p->window.stride[2] + (kernel[2] - 1) * p->window.dilation[2] + 1;
    int channels = in->channels / p->groups, outputs = out->channels / p->groups;
    int four = p->tables == 2 && !p->is_ternary ? 8 : 4, parts = (channels + four - 1) / four;
    uint32_t *table = (uint32_t *)(void *)(memory + p->scratch), *sums = table + p->tables * 16 * columns;
    int32_t *z = (int32_t *)(void *)(sums + p->block * half);
    uint8_t *row = row_of(memory, out, t, h);
    memset(row, 0, (size_t)out->pitch);
    for (int g = 0; g < p->groups; g++) {
        for (int first = 0; first < outputs; first += p->block) {
            int n = outputs - first < p->block ? outputs - first : p->block;
            memset(sums, 0, (size_t)(n * half) * sizeof *sums);
            for (int k = 0; k < kernel[0] * kernel[1]; k++) {
                int it = tap_at(&p->window, 0, t, k / kernel[1], in->frames), ih = tap_at(&p->window, 1, h, k % kernel[1], in->rows);
                if (it < 0 || ih < 0) {
                    continue;
                }
                const uint8_t *x = row_of(memory, in, it, ih);
                for (int part = 0; part < parts; part++) {
                    int c = part * four, rest = channels - c;
                    const uint8_t *weights = p->weights + (((g * kernel[0] * kernel[1] + k) * parts + part) * outputs + first) * kernel[2];
                    sum_table(table, p, x, g * channels + c, rest < 4 ? rest : 4, columns, right);
                    if (p->is_ternary) {
                        for (int i = 0; i < 16 * columns; i++) {
                            table[16 * columns + i] = 0 - table[i];
                        }
                    } else if (p->tables == 2) {
                        sum_table(table + 16 * columns, p, x, g * channels + c + 4, rest < 8 ? rest - 4 : 4, columns, right);
                    }
                    for (int o = 0; o < n; o++, weights += kernel[2]) {
                        add_taps(sums + o * half, half, table, p, weights, columns);
                    }
                }
            }
            for (int j = 0; j < half; j++) {
                for (int o = 0; o < n; o++) {
                    uint32_t v = sums[o * half + j];
                    if (p->lanes == 1) {
                        z[o] = (int32_t)v;
                    } else { /* v is left + 65536 * right */
                        uint32_t low = (uint32_t)p->low, left = low + ((v - low) & 0xffffu);
                        z[o] = (int32_t)left;
                        z[n + o] = (int32_t)(low + ((((v - left) >> 16) - low) & 0xffffu));
                    }
                }
                put(row, out, j, g * outputs + first, z, n, p->t, p->flip);
                if (p->lanes == 2 && j + half < out->width) {
                    put(row, out, j + half, g * outputs + first, z + n, n, p->t, p->flip);
                }
            }
        }
    }
}
