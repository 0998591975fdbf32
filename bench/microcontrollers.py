#!/usr/bin/env python3
"""Compares the C that billc writes for networks with what another generator makes of the same networks in float.

  python bench/microcontrollers.py MODEL... [--billc PATH]

The other generator is emx-onnx-cgen, which reads the ONNX that `billc compile --emit=onnx` writes, since it does not take
all exports of PyTorch. For both: memory (what the caller gives and what is allocated, at the peak, without the stack), flash
(code and constants at -Os for a Cortex-M4), and the instructions of a clip at -O2, counted by an emulator of a RISC-V with a
floating point unit (RV32IMAFC), which has memory enough for the other's. Prints a Markdown table. onnx2c, the other open
generator, is not measured: neither PyPI nor Debian nor npm has a package of it.

needs emx-onnx-cgen from PyPI on the PATH; arm-none-eabi-gcc; riscv64-unknown-elf-gcc with picolibc and qemu-system-riscv32
(Debian: gcc-arm-none-eabi gcc-riscv64-unknown-elf picolibc-riscv64-unknown-elf qemu-system-misc); and Go, or --billc.
"""
import argparse
import os
import re
import subprocess
import tempfile

# What every program ends with: the instructions between two readings, and the bytes that were allocated at the peak.
MEASURE = r"""
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
static size_t held, peak;
void *counted_malloc(size_t n)
{
    size_t *p = malloc(n + 16);
    if (p == NULL) {
        printf("no memory\n");
        exit(1);
    }
    *p = n;
    held += n;
    peak = held > peak ? held : peak;
    return (char *)p + 16;
}
void counted_free(void *p)
{
    if (p != NULL) {
        held -= *(size_t *)((char *)p - 16);
        free((char *)p - 16);
    }
}
static uint64_t instructions(void)
{
    uint32_t low, high, again;
    do {
        __asm__ volatile(".option arch, +zicsr\n\tcsrr %0, minstreth\n\tcsrr %1, minstret\n\tcsrr %2, minstreth" : "=r"(high), "=r"(low), "=r"(again));
    } while (high != again);
    return (uint64_t)high << 32 | low;
}
static void run(void);
int main(void)
{
    uint64_t begin = instructions();
    run();
    printf("million %lu allocated %lu\n", (unsigned long)((instructions() - begin) / 1000000), (unsigned long)peak);
    return 0;
}
"""


def call(*args, cwd=None):
    done = subprocess.run(args, cwd=cwd, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(args)}: {done.stdout[-2000:]}")
    return done.stdout


def flash(sources, folder):
    """Bytes of code and constants at -Os for a Cortex-M4."""
    objects = []
    for s in sources:
        objects.append(os.path.basename(s) + ".o")
        call("arm-none-eabi-gcc", "-std=c99", "-Os", "-mcpu=cortex-m4", "-mthumb", "-mfpu=fpv4-sp-d16", "-mfloat-abi=hard", "-c", s, "-o", objects[-1], cwd=folder)
    lines = call("arm-none-eabi-size", *objects, cwd=folder).splitlines()[1:]
    return sum(int(line.split()[0]) + int(line.split()[1]) for line in lines)


def emulate(sources, program, folder):
    """Millions of instructions of a clip, and the bytes that it allocates."""
    with open(os.path.join(folder, "program.c"), "w") as f:
        f.write(program + MEASURE)
    flags = ["-std=gnu99", "-O2", "-march=rv32imafc", "-mabi=ilp32f", "-I."]
    objects = []
    for s in sources:
        objects.append(os.path.basename(s) + ".rv.o")
        call("riscv64-unknown-elf-gcc", *flags, "--specs=picolibc.specs", "-Dmalloc=counted_malloc", "-Dfree=counted_free", "-c", s, "-o", objects[-1], cwd=folder)
    call("riscv64-unknown-elf-gcc", *flags, "--specs=picolibc.specs", "--oslib=semihost", "--crt0=hosted",
         "-Wl,--defsym=__flash=0x80000000,--defsym=__flash_size=16M,--defsym=__ram=0x81000000,--defsym=__ram_size=64M", "program.c", *objects, "-lm", "-o", "program", cwd=folder)
    out = call("qemu-system-riscv32", "-M", "virt", "-m", "96M", "-bios", "none", "-icount", "shift=0", "-nographic", "-semihosting-config", "enable=on,target=native", "-kernel", "program", cwd=folder)
    found = re.search(r"million (\d+) allocated (\d+)", out)
    if not found:
        raise SystemExit(f"the emulator printed {out!r}")
    return int(found[1]), int(found[2])


def ours(model, billc, folder):
    """Memory, flash and millions of instructions of what billc writes."""
    call(billc, "compile", model, "--emit=c", "-o", os.path.join(folder, "net"), "--name", "bench", "--ledger=none")
    folder = os.path.join(folder, "net")
    sources = ["bench.c", "bench_weights.c"]
    program = """
#include "bench.h"
static uint8_t memory[BENCH_MEMORY_BYTES];
static bench_frame_t frame[BENCH_FRAME_ELEMENTS];
static void run(void)
{
    bench_t net;
    bench_init(&net, memory);
    for (int t = 0; t < BENCH_FRAMES; t++) {
        bench_push(&net, frame);
    }
}
"""
    with open(os.path.join(folder, "bench.h")) as f:
        memory = int(re.search(r"BENCH_MEMORY_BYTES (\d+)", f.read())[1])
    million, allocated = emulate(sources, program, folder)
    return memory + allocated, flash(sources, folder), million


def emx(model, billc, folder):
    """The same of what emx-onnx-cgen writes; its caller keeps the whole clip and the results."""
    source = os.path.join(folder, "model.onnx")
    call(billc, "compile", model, "--emit=onnx", "-o", source, "--ledger=none")
    call("emx-onnx-cgen", "compile", "--large-weight-threshold", "1000000000", source, os.path.join(folder, "model.c"))
    with open(os.path.join(folder, "model.c")) as f:
        entry = re.search(r"^void model\((.*)\) \{", f.read(), re.M)[1]
    arrays, size = [], {"uint8_t": 1, "int8_t": 1, "float": 4}
    memory = 0
    for parameter in entry.split(", "):
        kind, name, shape = re.match(r"(?:const )?(\w+) (\w+)((?:\[[^]]*\])+)", parameter).groups()
        shape = shape.replace("restrict ", "")
        arrays.append((kind, name, shape))
        n = size[kind]
        for axis in re.findall(r"\d+", shape):
            n *= int(axis)
        memory += n
    program = "#include <stdint.h>\n" + f"void model({entry.replace('restrict ', '')});\n"
    program += "".join(f"static {kind} {name}{shape};\n" for kind, name, shape in arrays)
    program += f"static void run(void)\n{{\n    model({', '.join(name for _, name, _ in arrays)});\n}}\n"
    million, allocated = emulate(["model.c"], program, folder)
    return memory + allocated, flash(["model.c"], folder), million


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("models", nargs="+", metavar="model")
    p.add_argument("--billc", help="built from this repository when left out")
    args = p.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        billc = os.path.abspath(args.billc) if args.billc else os.path.join(folder, "billc")
        if not args.billc:
            call("go", "build", "-o", billc, "./cmd/billc", cwd=os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
        print("| network | C by | memory, bytes | flash, bytes | million instructions a clip |")
        print("|---|---|---|---|---|")
        for i, model in enumerate(args.models):
            for name, measure in (("billc --emit=c", ours), ("emx-onnx-cgen, float", emx)):
                own = os.path.join(folder, f"{i}-{measure.__name__}")
                os.mkdir(own)
                memory, size, million = measure(model, billc, own)
                print(f"| {os.path.basename(model)} | {name} | {memory:,} | {size:,} | {million:,} |", flush=True)
        print("\nonnx2c is not measured: neither PyPI nor Debian nor npm has a package of it.")


if __name__ == "__main__":
    main()
