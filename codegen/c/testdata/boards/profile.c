/* Runs the gestures network for a clip and prints the instructions of every layer. */
#include "gesture.h"

#include <stdio.h>

static uint32_t now(void)
{
#ifdef COUNTER
    return *(volatile uint32_t *)COUNTER * TICK;
#else
    uint32_t n;
    __asm__ volatile(".option arch, +zicsr\n\tcsrr %0, minstret" : "=r"(n));
    return n;
#endif
}

enum { LAYERS = 100 };

static uint8_t memory[GESTURE_MEMORY_BYTES];
static gesture_frame_t frame[GESTURE_FRAME_ELEMENTS];
static uint32_t spent[LAYERS], last;

void gesture_ran(int layer)
{
    spent[layer] += now() - last;
    last = now();
}

int main(void)
{
    gesture_t net;
    gesture_init(&net, memory);
    last = now();
    for (int t = 0; t < GESTURE_FRAMES; t++) {
        gesture_push(&net, frame);
    }
    for (int i = 0; i < LAYERS; i++) {
        if (spent[i] > 0) {
            printf("layer %d: %lu\n", i, (unsigned long)spent[i]);
        }
    }
    printf("ok\n");
    return 0;
}
