/* Start-up code for emulated ARM boards: the vectors, the beginning, and the end by semihosting. */
#include <stdint.h>

extern uint32_t stack_top, data_from, data_start, data_end, bss_start, bss_end;
extern void initialise_monitor_handles(void);
int main(void);
void reset(void);

static void leave(int code)
{
    register uint32_t r0 __asm__("r0") = 0x20; /* SYS_EXIT_EXTENDED */
    uint32_t block[2] = {0x20026, (uint32_t)code}; /* ADP_Stopped_ApplicationExit */
    register uint32_t *r1 __asm__("r1") = block;
    __asm__ volatile("bkpt 0xab" : : "r"(r0), "r"(r1) : "memory");
    for (;;) {
    }
}

static void fault(void)
{
    leave(99);
}

void reset(void)
{
    uint32_t *from = &data_from;
    for (uint32_t *p = &data_start; p < &data_end;) {
        *p++ = *from++;
    }
    for (uint32_t *p = &bss_start; p < &bss_end;) {
        *p++ = 0;
    }
#ifdef COUNTER
    *(volatile uint32_t *)0xe000ed88u |= 0xfu << 20; /* floating point, where there is any */
#endif
    initialise_monitor_handles();
    leave(main());
}

__attribute__((section(".vectors"), used)) static const void *const vectors[16] = {
    &stack_top, (const void *)reset, (const void *)fault, (const void *)fault, (const void *)fault, (const void *)fault, (const void *)fault,
};
