/* Start-up code for the emulated board virt: counts the instructions of the self-test, which is
   compiled with -Dmain=selftest, when the emulator counts them (-icount shift=0). */
#include <stdint.h>
#include <stdio.h>

#undef main
int selftest(void);

static uint32_t instructions(void)
{
    uint32_t n;
    __asm__ volatile(".option arch, +zicsr\n\tcsrr %0, minstret" : "=r"(n));
    return n;
}

int main(void)
{
    uint32_t begin = instructions();
    int code = selftest();
    printf("instructions %lu\n", (unsigned long)(instructions() - begin));
    return code;
}
