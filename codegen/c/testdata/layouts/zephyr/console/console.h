/* What the sample needs of Zephyr, on a host: bytes from standard input. */
#include <stdio.h>
#include <stdlib.h>

static int console_init(void)
{
    return 0;
}

static int console_getchar(void)
{
    int c = getchar();
    if (c == EOF) {
        exit(0);
    }
    return c;
}
