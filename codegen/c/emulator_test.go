package c_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/billnet/billnet/codegen/c"
	"github.com/billnet/billnet/frontend/bill"
	"github.com/billnet/billnet/frontend/onnx"
)

// board is an emulated machine and the processor that code is compiled for.
type board struct {
	cpu, machine string
	flash, ram   string // where they begin, and their bytes, as the linker reads them
	counter      string // of instructions, and nanoseconds a tick; "" for none
}

// boards run the gestures network. A Cortex-M3 runs what is compiled for an M0, of which
// the emulator has no machine with memory enough.
var boards = []board{
	{"cortex-m0", "mps2-an385", "0,4M", "0x20000000,4M", "0x40028018,40"},
	{"cortex-m3", "mps2-an385", "0,4M", "0x20000000,4M", "0x40028018,40"},
	{"cortex-m4", "mps2-an386", "0,4M", "0x20000000,4M", "0x40028018,40"},
	{"cortex-m7", "mps2-an500", "0,4M", "0x20000000,4M", "0x40028018,40"},
	{"cortex-m33", "mps2-an505", "0x10000000,4M", "0x38000000,2M", "0x50302018,50"},
	{"cortex-m55", "mps3-an547", "0x10000000,512K", "0x30000000,512K", "0x59302018,50"},
	{"rv32imac", "virt", "0x80000000,4M", "0x80400000,4M", ""},
}

// microbit is a Cortex-M0 with 16 KB of memory.
var microbit = board{"cortex-m0", "microbit", "0,256K", "0x20000000,16K", ""}

// tools are the programs that a board needs, or the test is skipped.
func (b *board) tools(t *testing.T) {
	t.Helper()
	names, install := []string{"arm-none-eabi-gcc", "qemu-system-arm"}, "gcc-arm-none-eabi libnewlib-arm-none-eabi qemu-system-arm"
	if b.riscv() {
		names, install = []string{"riscv64-unknown-elf-gcc", "qemu-system-riscv32"}, "gcc-riscv64-unknown-elf picolibc-riscv64-unknown-elf qemu-system-misc"
		if out, err := exec.Command("riscv64-unknown-elf-gcc", "-print-file-name=picolibc.specs").Output(); err == nil && !filepath.IsAbs(strings.TrimSpace(string(out))) {
			t.Skipf("no picolibc: apt-get install %s", install)
		}
	}
	for _, name := range names {
		if _, err := exec.LookPath(name); err != nil {
			t.Skipf("no %s: apt-get install %s", name, install)
		}
	}
}

func (b *board) riscv() bool { return b.machine == "virt" }

// Bounds for the gestures network: bytes on a Cortex-M4 at -Os, and instructions
// a clip at -O2.
const (
	mostMemory       = 64 << 10 // with the stack
	mostFlash        = 56 << 10
	mostInstructions = 250e6
)

// TestBoards runs the self-test of the gestures network on emulated boards, which checks every
// layer of three clips.
func TestBoards(t *testing.T) {
	files, sizes := gestures(t)
	dir := t.TempDir()
	writeFiles(t, dir, files)
	if sizes.Memory+sizes.Stack > mostMemory {
		t.Errorf("memory %d and stack %d, at most %d together", sizes.Memory, sizes.Stack, mostMemory)
	}
	t.Run("footprint", func(t *testing.T) {
		(&boards[0]).tools(t)
		flash, stack := footprint(t, dir)
		t.Logf("memory %d, stack %d (said: %d), flash at -Os %d (said: %d)", sizes.Memory, stack, sizes.Stack, flash, sizes.Flash)
		if flash > mostFlash {
			t.Errorf("flash %d, at most %d", flash, mostFlash)
		}
		if stack > sizes.Stack {
			t.Errorf("stack %d, the header says %d", stack, sizes.Stack)
		}
		if off := float64(sizes.Flash) / float64(flash); off < 0.9 || off > 1.25 {
			t.Errorf("flash %d, the header says %d", flash, sizes.Flash)
		}
	})
	for _, b := range boards {
		t.Run(b.cpu, func(t *testing.T) {
			b.tools(t)
			count := b.selfTest(t, dir, "gesture", "-O2")
			t.Logf("%.0f million instructions a clip, with checksums", count/3e6)
			if b.cpu == "cortex-m4" && count/3 > mostInstructions {
				t.Errorf("%.0f instructions a clip, at most %.0f", count/3, mostInstructions)
			}
		})
	}
	t.Run("microbit", func(t *testing.T) {
		microbit.tools(t)
		m, _, err := onnx.ImportFile(context.Background(), "../../tests/golden/models/tiny.onnx", onnx.Options{})
		if err != nil {
			t.Fatal(err)
		}
		files, _, err := c.Generate(lower(t, m), c.Options{Name: "tiny"})
		if err != nil {
			t.Fatal(err)
		}
		dir := t.TempDir()
		writeFiles(t, dir, files)
		microbit.selfTest(t, dir, "tiny", "-Os")
	})
}

// gestures is the C of the example network.
func gestures(t *testing.T) (map[string][]byte, c.Sizes) {
	t.Helper()
	m, err := bill.ParseFile("../../examples/gestures/gestures.trained.bill")
	if err != nil {
		t.Fatal(err)
	}
	files, sizes, err := c.Generate(lower(t, m), c.Options{Name: "gesture", Command: "billc compile gestures.onnx --emit=c -o gesture --name gesture"})
	if err != nil {
		t.Fatal(err)
	}
	return files, sizes
}

// footprint is the flash that code and constants take on a Cortex-M4 at -Os, and the stack of the
// deepest calls at -Os or -O2, by the compiler's own account.
func footprint(t *testing.T, dir string) (flash, stack int) {
	t.Helper()
	run := func(name string, args ...string) string {
		cmd := exec.Command(name, args...)
		cmd.Dir = dir
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, head(out))
		}
		return string(out)
	}
	for _, optimize := range []string{"-O2", "-Os"} {
		run("arm-none-eabi-gcc", "-std=c99", optimize, "-mcpu=cortex-m4", "-mthumb", "-fstack-usage", "-c", "gesture.c", "gesture_weights.c")
		usage, err := os.ReadFile(filepath.Join(dir, "gesture.su"))
		if err != nil {
			t.Fatal(err)
		}
		stack = max(stack, stackOf(string(usage)))
	}
	for _, line := range strings.Split(run("arm-none-eabi-size", "gesture.o", "gesture_weights.o"), "\n")[1:] {
		var text, data int
		fmt.Sscan(line, &text, &data)
		flash += text + data
	}
	return flash, stack
}

// stackOf is the stack of the deepest calls, from the compiler's list of frames: those that it has
// made part of their callers are not in it.
func stackOf(usage string) int {
	frames := map[string]int{}
	for _, m := range regexp.MustCompile(`:(\w+)\t(\d+)\t`).FindAllStringSubmatch(usage, -1) {
		frames[m[1]], _ = strconv.Atoi(m[2])
	}
	most := func(prefix string) (n int) {
		for name, size := range frames {
			if strings.HasPrefix(name, prefix) {
				n = max(n, size)
			}
		}
		return n
	}
	ints := frames["int_conv"] + max(frames["part_tables"]+most("sum_tables_")+frames["sum_table"], frames["put_sums"]+frames["put"]+frames["or_bits"])
	bits := frames["bit_conv"] + max(frames["gather_bits"]+frames["bits_at"], frames["distance"], frames["put"]+frames["or_bits"])
	return frames["gesture_run"] + frames["gesture_push"] + frames["run"] + most("phase_") + most("layer_") + max(ints, bits, frames["bit_pool"]+frames["bits_at"], frames["bit_point"])
}

// selfTest compiles the self-test of a network for the board and runs it; it returns the number of
// instructions, 0 where the board has no counter of them.
func (b *board) selfTest(t *testing.T, dir, name, optimize string) (count float64) {
	t.Helper()
	out := b.run(t, dir, filepath.Join(dir, name+"_selftest.c"), filepath.Join(dir, name+".c"), filepath.Join(dir, name+"_weights.c"), optimize, "-D"+strings.ToUpper(name)+"_SELFTEST")
	if n := regexp.MustCompile(`instructions (\d+)`).FindStringSubmatch(out); n != nil {
		count, _ = strconv.ParseFloat(n[1], 64)
	}
	return count
}

// run compiles a program for the board and runs it; it returns what it prints, of which "ok" must be
// a line. args are sources, and flags of the compiler.
func (b *board) run(t *testing.T, dir string, args ...string) string {
	t.Helper()
	elf := filepath.Join(dir, b.cpu+".elf")
	args = append(append(b.flags(), "-std=c99", "-I", dir, "-o", elf), args...)
	cc, qemu := "arm-none-eabi-gcc", []string{"qemu-system-arm"}
	if b.riscv() {
		cc, qemu = "riscv64-unknown-elf-gcc", []string{"qemu-system-riscv32", "-bios", "none"}
	}
	if out, err := exec.Command(cc, args...).CombinedOutput(); err != nil {
		t.Fatalf("%s %s: %v\n%s", cc, strings.Join(args, " "), err, head(out))
	}
	qemu = append(qemu, "-M", b.machine, "-icount", "shift=0", "-nographic", "-semihosting-config", "enable=on,target=native", "-kernel", elf)
	out, err := exec.Command(qemu[0], qemu[1:]...).CombinedOutput()
	if err != nil || !strings.Contains(string(out), "ok\n") {
		t.Fatalf("%s: %v\n%s", strings.Join(qemu, " "), err, head(out))
	}
	return string(out)
}

// TestCost: what the cost model says of the gestures network is what an emulator counts: within a
// twentieth altogether, and within a fifth for every layer that takes a hundredth or more.
func TestCost(t *testing.T) {
	m, err := bill.ParseFile("../../examples/gestures/gestures.trained.bill")
	if err != nil {
		t.Fatal(err)
	}
	lower(t, m)
	files, _, err := c.Generate(m, c.Options{Name: "gesture", NoSelfTest: true})
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range boards {
		target := strings.TrimSuffix(b.cpu, "imac")
		if !slices.Contains(c.Targets(), target) {
			continue
		}
		t.Run(target, func(t *testing.T) {
			b.tools(t)
			cost, err := c.Estimate(m, c.Options{Name: "gesture"}, target)
			if err != nil {
				t.Fatal(err)
			}
			dir := t.TempDir()
			writeFiles(t, dir, files)
			out := b.run(t, dir, "testdata/boards/profile.c", filepath.Join(dir, "gesture.c"), filepath.Join(dir, "gesture_weights.c"), "-O2", "-DGESTURE_PROFILE")
			counted, total := map[int]int{}, 0
			for _, m := range regexp.MustCompile(`layer (\d+): (\d+)`).FindAllStringSubmatch(out, -1) {
				layer, _ := strconv.Atoi(m[1])
				counted[layer], _ = strconv.Atoi(m[2])
				total += counted[layer]
			}
			near := func(what string, said, counted, part int) {
				if off := said - counted; off > counted/part || -off > counted/part {
					t.Errorf("%s: %d instructions, counted %d", what, said, counted)
				}
			}
			near("all layers", cost.Instructions(), total, 20)
			for _, l := range cost.Layers {
				if n := counted[l.Index]; n > total/100 {
					near(l.Layer, l.Instructions, n, 5)
				}
			}
		})
	}
}

// flags are those of the compiler and the linker.
func (b *board) flags() []string {
	flash, flashBytes, _ := strings.Cut(b.flash, ",")
	ram, ramBytes, _ := strings.Cut(b.ram, ",")
	if b.riscv() {
		return []string{"-march=" + b.cpu, "-mabi=ilp32", "--specs=picolibc.specs", "--oslib=semihost", "--crt0=hosted", "-Dmain=selftest", "testdata/boards/start_riscv.c",
			fmt.Sprintf("-Wl,--defsym=__flash=%s,--defsym=__flash_size=%s,--defsym=__ram=%s,--defsym=__ram_size=%s", flash, flashBytes, ram, ramBytes)}
	}
	list := []string{"-mcpu=" + b.cpu, "-mthumb", "--specs=rdimon.specs", "-nostartfiles", "-T", "testdata/boards/link.ld", "testdata/boards/start.c",
		fmt.Sprintf("-Wl,--defsym=FLASH=%s,--defsym=FLASH_BYTES=%s,--defsym=RAM=%s,--defsym=RAM_BYTES=%s", flash, flashBytes, ram, ramBytes)}
	if counter, tick, ok := strings.Cut(b.counter, ","); ok {
		list = append(list, "-DCOUNTER="+counter, "-DTICK="+tick)
	}
	return list
}
