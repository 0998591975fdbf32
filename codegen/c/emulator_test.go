package c_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/billnet/billnet/codegen/c"
	"github.com/billnet/billnet/frontend/bill"
)

// boards are emulated machines, by the processor that code is compiled for. A
// Cortex-M3 runs what is compiled for an M0, of which the emulator has no machine
// with memory enough.
var boards = []struct{ cpu, machine string }{
	{"cortex-m0", "mps2-an385"},
	{"cortex-m3", "mps2-an385"},
	{"cortex-m4", "mps2-an386"},
	{"cortex-m7", "mps2-an500"},
}

// Bounds for the gestures network: bytes on a Cortex-M4 at -Os, and instructions
// a clip at -O2.
const (
	mostMemory       = 64 << 10 // with the stack
	mostFlash        = 56 << 10
	mostInstructions = 250e6
)

// TestBoards runs the self-test of the gestures network on emulated boards. The
// number of instructions is the same for all clips: no time depends on data.
func TestBoards(t *testing.T) {
	for _, tool := range []string{"arm-none-eabi-gcc", "arm-none-eabi-size", "qemu-system-arm"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("no %s: apt-get install gcc-arm-none-eabi libnewlib-arm-none-eabi qemu-system-arm", tool)
		}
	}
	m, err := bill.ParseFile("../../examples/gestures/gestures.trained.bill")
	if err != nil {
		t.Fatal(err)
	}
	files, sizes, err := c.Generate(lower(t, m), c.Options{Name: "gesture"})
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	writeFiles(t, dir, files)
	if sizes.Memory+sizes.Stack > mostMemory {
		t.Errorf("memory %d and stack %d, at most %d together", sizes.Memory, sizes.Stack, mostMemory)
	}
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
	for _, b := range boards {
		t.Run(b.cpu, func(t *testing.T) {
			out := onBoard(t, dir, b.cpu, b.machine)
			n := regexp.MustCompile(`instructions (\d+)`).FindStringSubmatch(out)
			if n == nil || !strings.Contains(out, "ok\n") {
				t.Fatal(out)
			}
			count, _ := strconv.ParseFloat(n[1], 64)
			t.Logf("%.0f million instructions a clip, with checksums", count/3e6)
			if b.cpu == "cortex-m4" && count/3 > mostInstructions {
				t.Errorf("%.0f instructions a clip, at most %.0f", count/3, mostInstructions)
			}
		})
	}
}

// footprint is the flash that code and constants take on a Cortex-M4 at -Os, and
// the stack of the deepest calls, by the compiler's own account.
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
	run("arm-none-eabi-gcc", "-std=c99", "-Os", "-mcpu=cortex-m4", "-mthumb", "-fstack-usage", "-c", "gesture.c", "gesture_weights.c")
	for _, line := range strings.Split(run("arm-none-eabi-size", "gesture.o", "gesture_weights.o"), "\n")[1:] {
		var text, data int
		fmt.Sscan(line, &text, &data)
		flash += text + data
	}
	usage, err := os.ReadFile(filepath.Join(dir, "gesture.su"))
	if err != nil {
		t.Fatal(err)
	}
	frames := map[string]int{}
	for _, m := range regexp.MustCompile(`:(\w+)\t(\d+)\t`).FindAllStringSubmatch(string(usage), -1) {
		frames[m[1]], _ = strconv.Atoi(m[2])
	}
	// The deepest calls: push, phase and layer, then what the layer calls.
	layers := 0
	for name, n := range frames {
		if strings.HasPrefix(name, "layer_") || strings.HasPrefix(name, "phase_") {
			layers = max(layers, n)
		}
	}
	bits := frames["bit_conv"] + frames["gather_bits"] + frames["bits_at"]
	ints := frames["int_conv"] + frames["part_tables"] + frames["sum_tables_i8"] + frames["sum_table"]
	return flash, frames["gesture_run"] + frames["gesture_push"] + 2*layers + max(bits, ints, frames["bit_pool"]) + frames["put"]
}

// onBoard compiles the self-test for a processor and runs it; it returns what it prints.
func onBoard(t *testing.T, dir, cpu, machine string) string {
	t.Helper()
	start, err := filepath.Abs("testdata/mps2/start.c")
	if err != nil {
		t.Fatal(err)
	}
	elf := filepath.Join(dir, cpu+".elf")
	args := []string{"-std=c99", "-O2", "-mcpu=" + cpu, "-mthumb", "-DGESTURE_SELFTEST", "--specs=rdimon.specs", "-nostartfiles", "-T", filepath.Join(filepath.Dir(start), "link.ld"), start}
	for _, f := range []string{"_selftest.c", ".c", "_weights.c"} {
		args = append(args, filepath.Join(dir, "gesture"+f))
	}
	if out, err := exec.Command("arm-none-eabi-gcc", append(args, "-o", elf)...).CombinedOutput(); err != nil {
		t.Fatalf("arm-none-eabi-gcc %s: %v\n%s", strings.Join(args, " "), err, head(out))
	}
	out, err := exec.Command("qemu-system-arm", "-M", machine, "-icount", "shift=0", "-nographic", "-semihosting-config", "enable=on,target=native", "-kernel", elf).CombinedOutput()
	if err != nil {
		t.Fatalf("qemu-system-arm: %v\n%s", err, head(out))
	}
	return string(out)
}
