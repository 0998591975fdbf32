/* What the example sketch needs of Arduino, on a host: bytes from standard input. */
#include <stdio.h>
#include <stdlib.h>

static struct {
    void begin(long) {}
    size_t readBytes(char *to, size_t n)
    {
        n = fread(to, 1, n, stdin);
        if (n == 0) {
            exit(0);
        }
        return n;
    }
    void print(int v) { printf("%d", v); }
    void print(char v) { printf("%c", v); }
    void println(const char *v) { printf("%s\n", v); }
} Serial;

void setup();
void loop();

int main()
{
    for (setup();;) {
        loop();
    }
}
