/* What rows of a map the rows of another are made of. */
typedef struct {
    const map_t *in, *out;
    const window_t *window;
} reads_t;

/* The last coordinate that a window reads on an axis, -1 when it lies in the padding. */
static int32_t last_tap(const window_t *p, int axis, int32_t at, int32_t size)
{
    int32_t begin = at * p->stride[axis] - p->pad[axis], end = begin + (p->kernel[axis] - 1) * p->dilation[axis];
    int32_t skip = begin < 0 ? (p->dilation[axis] - 1 - begin) / p->dilation[axis] : 0;
    int32_t last = end < size ? end : size - 1;
    return begin + skip * p->dilation[axis] > last ? -1 : last;
}

/* The rows of the input that must be there for row n of the result. */
static int32_t rows_needed(const reads_t *p, int32_t n)
{
    int32_t frame = last_tap(p->window, 0, n / p->out->rows, p->in->frames);
    int32_t row = last_tap(p->window, 1, n % p->out->rows, p->in->rows);
    return frame < 0 || row < 0 ? 0 : frame * p->in->rows + row + 1;
}
