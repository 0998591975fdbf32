/* What rows of a map the rows of another are made of. */
typedef struct {
    const map_t *in, *out;
    const window_t *window;
} reads_t;

/* The rows of the input that must be there for row n of the result. */
static int32_t rows_needed(const reads_t *p, int32_t n)
{
    const window_t *w = p->window;
    int32_t at[2], size[2], last[2];
    at[0] = n / p->out->rows;
    at[1] = n % p->out->rows;
    size[0] = p->in->frames;
    size[1] = p->in->rows;
    for (int i = 0; i < 2; i++) {
        int32_t begin = at[i] * w->stride[i] - w->pad[i], end = begin + (w->kernel[i] - 1) * w->dilation[i];
        int32_t skip = begin < 0 ? (w->dilation[i] - 1 - begin) / w->dilation[i] : 0;
        last[i] = end < size[i] ? end : size[i] - 1;
        if (begin + skip * w->dilation[i] > last[i]) {
            return 0;
        }
    }
    return last[0] * size[1] + last[1] + 1;
}
