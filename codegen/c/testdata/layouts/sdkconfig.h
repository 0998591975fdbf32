/* What the example needs of ESP-IDF, on a host: its start, and an end with standard input. */
#include <stdio.h>
#include <stdlib.h>

void app_main(void);

static size_t fread_or_exit(void *to, size_t size, size_t n)
{
    n = fread(to, size, n, stdin);
    if (n == 0) {
        exit(0);
    }
    return n;
}

#define fread(to, size, n, from) fread_or_exit(to, size, n)

int main(void)
{
    app_main();
    return 0;
}
