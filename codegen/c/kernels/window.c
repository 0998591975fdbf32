/* How a kernel moves over frames, rows and positions, in this order. */
typedef struct {
    int8_t kernel[3], stride[3], dilation[3];
    int16_t pad[3];
} window_t;

/* The coordinate that a tap reads, negative where it lies in the padding. */
static int tap_at(const window_t *p, int axis, int at, int tap, int size)
{
    int i = at * p->stride[axis] + tap * p->dilation[axis] - p->pad[axis];
    return i < size ? i : -1;
}
