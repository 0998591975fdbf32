/* Runs a network that is called nn on the clips of the file clips.bin. It prints a line a clip: the elements of the result,
   then the checksums of all layers with -DNET_SELFTEST, or the instructions of all layers with -DNET_PROFILE. */
#include "nn.h"

#include <stdio.h>
#include <string.h>

enum { LAYERS = 200 };

static uint8_t memory[NN_MEMORY_BYTES];
static nn_frame_t clip[NN_FRAMES][NN_FRAME_ELEMENTS];
static uint32_t spent[LAYERS];

#ifdef NN_PROFILE
static uint32_t last;

/* Instructions since the start. */
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

void nn_ran(int layer)
{
    uint32_t t = now();
    spent[layer] += t - last;
    last = t;
}
#endif

int main(void)
{
    nn_t net;
    FILE *f = fopen("clips.bin", "rb");
    if (f == NULL) {
        printf("no clips\n");
        return 1;
    }
    nn_init(&net, memory);
    for (int n = 0; fread(clip, sizeof clip, 1, f) == 1; n++) {
        memset(spent, 0, sizeof spent);
#ifdef NN_PROFILE
        last = now();
#endif
        for (int t = 0; t < NN_FRAMES; t++) {
            nn_push(&net, clip[t]);
        }
        const nn_output_t *y = nn_output(&net, 0);
        printf("clip %d:", n);
        for (int i = 0; i < NN_OUTPUT_ELEMENTS; i++) {
            uint32_t word = 0;
            memcpy(&word, y + i, sizeof *y);
            printf(" %lx", (unsigned long)word);
        }
#ifdef NN_SELFTEST
        for (int i = 0; i < NN_CHECKS; i++) {
            printf(" %lx", (unsigned long)nn_checksums[i]);
        }
#endif
        for (int i = 0; i < LAYERS; i++) {
            if (spent[i] > 0) {
                printf(" %d:%lu", i, (unsigned long)spent[i]);
            }
        }
        printf("\n");
    }
    fclose(f);
    printf("ok\n");
    return 0;
}
