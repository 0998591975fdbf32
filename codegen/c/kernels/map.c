/* A map: frames of rows of positions. The channels of a position lie together: bits in one unit of
   1 or 2 bytes or in words of 4, integers one after the other. Bits behind the last channel are 0.
{{- if .Causal}}
   Maps of the same frames at different times share a ring, which turns by a frame a push. */
{{- else}} */
{{- end}}
enum { BITS, U8, I8, I16, I32 };

typedef struct {
    uint32_t at;               /* where it lies in the memory */
    int32_t pitch;             /* bytes of a row */
    int32_t ring;              /* rows that are kept: row n lies where row n - ring lay */
    int16_t frames, rows, width, channels;
    int8_t type;
    int8_t unit;               /* bytes of a unit of bits, or of an integer */
    int16_t units;             /* units of a position */
{{- if .Causal}}
    int16_t turn;              /* its ring among those that turn; 0 for one that does not */
    int32_t skip;              /* rows from the newest frame on to the map, forwards in the ring */
{{- end}}
} map_t;

static uint8_t *row_of(uint8_t *memory, const map_t *m, int t, int h)
{
{{- if .Causal}}
    const int32_t *turn = (const int32_t *)(const void *)(memory + TURNS);
    return memory + m->at + (uint32_t)((turn[m->turn] + m->skip + t * m->rows + h) % m->ring * m->pitch);
{{- else}}
    return memory + m->at + (uint32_t)((t * m->rows + h) % m->ring * m->pitch);
{{- end}}
}
