/* Convolution of integers with weights -1, 0 and +1, without multiplications. Words hold one
   position, or two of 16 bits: of the left and of the right half of a row, added as one number
   left + 65536 * right. The inputs of a window's column are the channels of its rows. For every four
   of them, the 16 sums with all signs are made once for every column of a row, in a table; every tap
   of every output then adds one of them, which its weights name. Weights 0 need two tables: of the
   sums over the inputs that are added and, negated, over those that are subtracted. */
typedef struct {
    const map_t *in, *out;
    window_t window;
    int16_t groups;
    int8_t lanes;              /* positions in a word: 1 or 2 */
    int8_t is_ternary;
    int8_t together;           /* parts of 8 inputs, or 4 for weights 0, whose tables are made at once */
    int16_t block;             /* outputs whose sums are kept at once */
    int32_t low;               /* no sum of two lanes is less */
    const uint8_t *weights;    /* [groups][parts][outputs][positions]: a row of both tables */
    const int32_t *t;          /* the bit is set for sums above it [outputs]; NULL when results are integers */
    const uint32_t *flip;
    uint32_t scratch;          /* tables, sums of a block, results of two positions, zeros */
    int32_t zeros;             /* bytes of a row of zeros, where some input is missing */
} int_conv_t;

/* Makes the table of four inputs a, b, c and d: entry k is their sum, those added whose bit is set in
   k, the others subtracted, or left out for ternary weights. */
static void sum_table(uint32_t *s, uint32_t a, uint32_t b, uint32_t c, uint32_t d, int is_ternary)
{
    uint32_t v = 0, ab;
    if (!is_ternary) {
        v -= a + b + c + d;
        a += a;
        b += b;
        c += c;
        d += d;
    }
    ab = a + b;
#define SUM_FOUR(s, v) \
    do { \
        (s)[0] = (v); \
        (s)[1] = (v) + a; \
        (s)[2] = (v) + b; \
        (s)[3] = (v) + ab; \
    } while (0)
    SUM_FOUR(s, v);
    v += c;
    SUM_FOUR(s + 4, v);
    v += d;
    SUM_FOUR(s + 12, v);
    v -= c;
    SUM_FOUR(s + 8, v);
}

/* Makes the tables of four inputs, each step apart in its row, of n columns from at on: one every 32
   words. right is the distance of the second lane, 0 for one lane. */
#define SUM_TABLES(name, type) \
    static void name(uint32_t *s, const uint8_t *const *rows, int step, int n, int at, int width, int right, int is_ternary) \
    { \
        const type *x = (const void *)rows[0], *y = (const void *)rows[1], *z = (const void *)rows[2], *u = (const void *)rows[3]; \
        while (n > 0) { \
            int some = at >= 0 && right > 0 ? width - at - right : 0; /* columns inside of the row, which are quick */ \
            int i = at * step, k = i + right * step; \
            for (some = some < n ? some : n; some > 0; some--, n--, at++, s += 32, i += step, k += step) { \
                sum_table(s, (uint32_t)x[i] + ((uint32_t)x[k] << 16), (uint32_t)y[i] + ((uint32_t)y[k] << 16), \
                    (uint32_t)z[i] + ((uint32_t)z[k] << 16), (uint32_t)u[i] + ((uint32_t)u[k] << 16), is_ternary); \
            } \
            if (n > 0) { \
                uint32_t a = 0, b = 0, c = 0, d = 0; \
                if (at >= 0 && at < width) { \
                    a = (uint32_t)x[i]; \
                    b = (uint32_t)y[i]; \
                    c = (uint32_t)z[i]; \
                    d = (uint32_t)u[i]; \
                } \
                if (right > 0 && at + right >= 0 && at + right < width) { \
                    a += (uint32_t)x[k] << 16; \
                    b += (uint32_t)y[k] << 16; \
                    c += (uint32_t)z[k] << 16; \
                    d += (uint32_t)u[k] << 16; \
                } \
                sum_table(s, a, b, c, d, is_ternary); \
                n--; \
                at++; \
                s += 32; \
            } \
        } \
    }
SUM_TABLES(sum_tables_u8, uint8_t)
SUM_TABLES(sum_tables_i8, int8_t)
SUM_TABLES(sum_tables_i16, int16_t)
SUM_TABLES(sum_tables_i32, int32_t)

/* Makes both tables of a part of the inputs of a group; returns whether any of them is in the map. */
static int part_tables(uint8_t *memory, const int_conv_t *p, int t, int h, int group, int part, uint32_t *table, int n, int right, const uint8_t *zeros)
{
    const map_t *in = p->in;
    int channels = in->channels / p->groups, taps = p->window.kernel[0] * p->window.kernel[1], any = 0;
    int four = p->is_ternary ? 4 : 8, tap = part * four / channels, c = part * four % channels;
    int step = 0;
    const uint8_t *at = zeros, *x[8];
    for (int i = 0; i < four; i++, c++) {
        if (i == 0 || c == channels) {
            if (i > 0) {
                c = 0;
                tap++;
            }
            int it = tap < taps ? tap_at(&p->window, 0, t, tap / p->window.kernel[1], in->frames) : -1;
            int ih = tap < taps ? tap_at(&p->window, 1, h, tap % p->window.kernel[1], in->rows) : -1;
            step = it < 0 || ih < 0 ? 0 : in->unit;
            at = step == 0 ? zeros : row_of(memory, in, it, ih) + (group * channels + c) * step;
            any |= step;
        }
        x[i] = at;
        at += step;
    }
    if (!any) {
        return 0;
    }
    for (int i = 0; i < four; i += 4) {
        uint32_t *s = table + i * 4;
        int from = -p->window.pad[2];
        switch (in->type) {
        case U8:
            sum_tables_u8(s, x + i, in->channels, n, from, in->width, right, p->is_ternary);
            break;
        case I8:
            sum_tables_i8(s, x + i, in->channels, n, from, in->width, right, p->is_ternary);
            break;
        case I16:
            sum_tables_i16(s, x + i, in->channels, n, from, in->width, right, p->is_ternary);
            break;
        default:
            sum_tables_i32(s, x + i, in->channels, n, from, in->width, right, p->is_ternary);
        }
    }
    for (int i = 0; p->is_ternary && i < 32 * n; i += 32) {
        for (int k = i; k < i + 16; k++) {
            table[k + 16] = 0 - table[k];
        }
    }
    return 1;
}

/* Adds six entries of a column to the sums of half columns, step words apart. */
static void add_six(uint32_t *sum, int half, int step, const uint32_t *a, const uint32_t *b, const uint32_t *c, const uint32_t *d, const uint32_t *e, const uint32_t *f)
{
    int i = 0;
    if (step == 32) {
        for (; half > 0; half--, i += 32) {
            *sum++ += a[i] + b[i] + c[i] + d[i] + e[i] + f[i];
        }
        return;
    }
    for (; half > 0; half--, i += step) {
        *sum++ += a[i] + b[i] + c[i] + d[i] + e[i] + f[i];
    }
}

/* Adds to the sums of n outputs what the taps of a part name, three taps at a time. */
static void add_taps(uint32_t *sums, int n, int half, const uint32_t *tables, const int_conv_t *p, const uint8_t *weights)
{
    int kernel = p->window.kernel[2], step = 32 * p->window.stride[2], next = 32 * p->window.dilation[2];
    for (; n > 0; n--, sums += half) {
        const uint32_t *table = tables;
        int taps = kernel;
        for (; taps >= 3; taps -= 3, weights += 3, table += 3 * next) {
            add_six(sums, half, step, table + (weights[0] & 15), table + 16 + (weights[0] >> 4), table + next + (weights[1] & 15),
                table + next + 16 + (weights[1] >> 4), table + 2 * next + (weights[2] & 15), table + 2 * next + 16 + (weights[2] >> 4));
        }
        for (; taps > 0; taps--, weights++, table += next) {
            const uint32_t *a = table + (weights[0] & 15), *b = table + 16 + (weights[0] >> 4);
            for (int j = 0, i = 0; j < half; j++, i += step) {
                sums[j] += a[i] + b[i];
            }
        }
    }
}

/* add_taps of two parts with one tap each, whose tables are next words apart and whose weights other. */
static void add_two(uint32_t *sums, int n, int half, const uint32_t *table, int next, int step, const uint8_t *weights, int other)
{
    for (; n > 0; n--, sums += half, weights++) {
        const uint32_t *a = table + (weights[0] & 15), *b = table + 16 + (weights[0] >> 4);
        const uint32_t *c = table + next + (weights[other] & 15), *d = table + next + 16 + (weights[other] >> 4);
        for (int j = 0, i = 0; j < half; j++, i += 32 * step) {
            sums[j] += a[i] + b[i] + c[i] + d[i];
        }
    }
}

/* Stores the sums of n outputs of columns of two lanes, which all lie in 16 bits, as bits; see put. */
static void put_bits(uint8_t *row, const int_conv_t *p, const uint32_t *sums, int first, int n, int half)
{
    const int32_t *t = p->t + first;
    for (int j = 0; j < half; j++) {
        for (int o = 0; o < n;) {
            int shift = (first + o) % 32, word = (first + o) / 32, some = n - o < 32 - shift ? n - o : 32 - shift;
            uint32_t left = 0, right = 0, flip = p->flip[word] & (0xffffffffu >> (32 - some)) << shift;
            for (int end = o + some; o < end; o++) {
                uint32_t v = sums[o * half + j];
                int32_t z = (int16_t)(uint16_t)v;
                left = left >> 1 | ((uint32_t)(t[o] - z) & 0x80000000u);
                z = (int16_t)(uint16_t)((v - (uint32_t)z) >> 16);
                right = right >> 1 | ((uint32_t)(t[o] - z) & 0x80000000u);
            }
            or_bits(row, p->out, j, word, (left >> (32 - some) << shift) ^ flip);
            if (j + half < p->out->width) {
                or_bits(row, p->out, j + half, word, (right >> (32 - some) << shift) ^ flip);
            }
        }
    }
}

/* Stores the sums of n outputs. */
static void put_sums(uint8_t *row, const int_conv_t *p, const uint32_t *sums, int32_t *z, int first, int n, int half)
{
    uint32_t low = (uint32_t)p->low;
    if (p->lanes == 2 && p->low == -32768 && p->out->type == BITS) {
        put_bits(row, p, sums, first, n, half);
        return;
    }
    for (int j = 0; j < half; j++) {
        for (int o = 0; o < n; o++) {
            uint32_t v = sums[o * half + j];
            if (p->lanes == 1) {
                z[o] = (int32_t)v;
            } else { /* v is left + 65536 * right */
                uint32_t left = low + ((v - low) & 0xffffu);
                z[o] = (int32_t)left;
                z[n + o] = (int32_t)(low + ((((v - left) >> 16) - low) & 0xffffu));
            }
        }
        put(row, p->out, j, first, z, n, p->t, p->flip);
        if (p->lanes == 2 && j + half < p->out->width) {
            put(row, p->out, j + half, first, z + n, n, p->t, p->flip);
        }
    }
}

static void int_conv(uint8_t *memory, const int_conv_t *p, int t, int h)
{
    const map_t *in = p->in, *out = p->out;
    const int8_t *kernel = p->window.kernel;
    int half = (out->width + p->lanes - 1) / p->lanes, right = p->lanes == 2 ? half * p->window.stride[2] : 0;
    int columns = (half - 1) * p->window.stride[2] + (kernel[2] - 1) * p->window.dilation[2] + 1;
    int outputs = out->channels / p->groups, four = p->is_ternary ? 4 : 8;
    int parts = (in->channels / p->groups * kernel[0] * kernel[1] + four - 1) / four;
    uint32_t *table = (uint32_t *)(void *)(memory + p->scratch), *sums = table + p->together * 32 * columns;
    int32_t *z = (int32_t *)(void *)(sums + p->block * half);
    uint8_t *zeros = (uint8_t *)(z + 2 * p->block), *row = row_of(memory, out, t, h);
    memset(row, 0, (size_t)out->pitch);
    memset(zeros, 0, (size_t)p->zeros);
    for (int g = 0; g < p->groups; g++) {
        for (int first = 0; first < outputs; first += p->block) {
            int n = outputs - first < p->block ? outputs - first : p->block;
            memset(sums, 0, (size_t)(n * half) * sizeof *sums);
            for (int part = 0; part < parts; part++) {
                const uint8_t *weights = p->weights + ((g * parts + part) * outputs + first) * kernel[2];
                int any = part_tables(memory, p, t, h, g, part, table, columns, right, zeros);
                if (p->together == 2 && part + 1 < parts) { /* one tap, no rows in the padding */
                    part++;
                    part_tables(memory, p, t, h, g, part, table + 32 * columns, columns, right, zeros);
                    add_two(sums, n, half, table, 32 * columns, p->window.stride[2], weights, outputs);
                } else if (any) {
                    add_taps(sums, n, half, table, p, weights);
                }
            }
            put_sums(row, p, sums, z, g * outputs + first, n, half);
        }
    }
}
