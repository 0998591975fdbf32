/* Runs two instances of a network and one of another, frame by frame in turn and alone. */
#include "one.h"
#include "other.h"

#include <stdio.h>
#include <string.h>

enum { FRAMES = ONE_FRAMES > OTHER_FRAMES ? ONE_FRAMES : OTHER_FRAMES };

static uint8_t memory[3][ONE_MEMORY_BYTES > OTHER_MEMORY_BYTES ? ONE_MEMORY_BYTES : OTHER_MEMORY_BYTES];
static one_frame_t clips[2][ONE_FRAMES][ONE_FRAME_ELEMENTS];
static other_frame_t clip[OTHER_FRAMES][OTHER_FRAME_ELEMENTS];
static one_output_t results[2][ONE_OUTPUT_ELEMENTS];
static other_output_t result[OTHER_OUTPUT_ELEMENTS];

static void fill(void *x, size_t n, uint32_t seed)
{
    for (uint8_t *p = x; n > 0; n--) {
        seed = seed * 1664525u + 1013904223u;
        *p++ = (uint8_t)(seed >> 24);
    }
}

int main(void)
{
    one_t a[2];
    other_t b;
    int differ = 0;
    fill(clips, sizeof clips, 1);
    fill(clip, sizeof clip, 2);
    for (int i = 0; i < 2; i++) {
        one_init(&a[i], memory[i]);
        one_run(&a[i], clips[i][0]);
        memcpy(results[i], one_output(&a[i], 0), sizeof results[i]);
    }
    other_init(&b, memory[2]);
    other_run(&b, clip[0]);
    memcpy(result, other_output(&b, 0), sizeof result);
    for (int t = 0; t < FRAMES; t++) {
        for (int i = 0; i < 2 && t < ONE_FRAMES; i++) {
            one_push(&a[i], clips[i][t]);
        }
        if (t < OTHER_FRAMES) {
            other_push(&b, clip[t]);
        }
    }
    for (int i = 0; i < 2; i++) {
        differ |= memcmp(results[i], one_output(&a[i], 0), sizeof results[i]);
    }
    differ |= memcmp(result, other_output(&b, 0), sizeof result);
    printf(differ == 0 && memcmp(results[0], results[1], sizeof results[0]) != 0 ? "ok\n" : "FAILED\n");
    return 0;
}
