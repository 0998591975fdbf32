package c_test

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
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
	"github.com/billnet/billnet/ir"
	"github.com/billnet/billnet/runtime/clip"
	"github.com/billnet/billnet/tests/shared"
)

// board is an emulated machine and the processor that code is compiled for; without a machine, the host and its compiler.
type board struct {
	cpu, machine string
	flash, ram   string // where they begin, and their bytes, as the linker reads them
	counter      string // of instructions, and nanoseconds a tick; "" for none
}

// boards run the networks. A Cortex-M3 runs what is compiled for an M0, of which
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
	if b.machine == "" {
		names, install = []string{b.cpu}, b.cpu
	} else if b.riscv() {
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

// target is the processor's name in the cost model.
func (b *board) target() string { return strings.TrimSuffix(b.cpu, "imac") }

// floats reports whether the processor computes floats of 32 bits.
func (b *board) floats() bool {
	return !b.riscv() && b.cpu != "cortex-m0" && b.cpu != "cortex-m3"
}

// tick is to how many instructions counts are exact.
func (b *board) tick() int {
	_, tick, _ := strings.Cut(b.counter, ",")
	n, _ := strconv.Atoi(tick)
	return n
}

// Bounds for the networks: bytes on a Cortex-M4 at -Os, and instructions a multiply-accumulate at -O2.
const (
	mostMemory = 64 << 10 // with the stack
	mostFlash  = 56 << 10
	mostOfBits = 0.40
	mostOfInts = 1.1
)

// network is a network on boards, as C under the name nn.
type network struct {
	name  string
	load  func(t *testing.T) *ir.Module
	clips func(t *testing.T) *clip.NPY // planes of bytes
}

var networks = []network{
	{
		"gestures",
		func(t *testing.T) *ir.Module { return lower(t, gestures(t)) },
		func(t *testing.T) *clip.NPY { return shared.NPY(t, "../../examples/gestures/clips.npy") },
	},
	{
		"billnet_small",
		func(t *testing.T) *ir.Module {
			m, _, err := onnx.ImportFile(context.Background(), shared.Dir(t, "models/billnet/billnet_small.onnx"), onnx.Options{})
			if err != nil {
				t.Fatal(err)
			}
			return lower(t, m)
		},
		func(t *testing.T) *clip.NPY {
			return shared.NPY(t, shared.Dir(t, "models/billnet/billnet_small.clips.u8.npy"))
		},
	},
}

// TestBoards runs networks on emulated boards and on the host: every clip that comes with the network, of which all layers must
// be the interpreter's. Instructions are counted: the same for all inputs, and as the cost model says. By default it is a clip
// of one network on two boards.
func TestBoards(t *testing.T) {
	for i, n := range networks {
		t.Run(n.name, func(t *testing.T) {
			if i > 0 && !whole {
				t.Skip("every network, board and clip: with BILLNET_LONG=1")
			}
			m := n.load(t)
			opt := c.Options{Name: "nn"}
			files, sizes, err := c.Generate(m, opt)
			if err != nil {
				t.Fatal(err)
			}
			dir := t.TempDir()
			writeFiles(t, dir, files)
			clips, want := n.expected(t, m, opt)
			run := func(name string, b *board, check func(t *testing.T, dir string)) {
				t.Run(name, func(t *testing.T) {
					t.Parallel()
					b.tools(t)
					check(t, t.TempDir())
				})
			}
			run("footprint", &boards[0], func(t *testing.T, _ string) { checkFootprint(t, dir, sizes) })
			for i := range boards {
				b := &boards[i]
				if !whole && b.cpu != "cortex-m4" && !b.riscv() {
					continue
				}
				run(b.cpu, b, func(t *testing.T, at string) {
					b.checkClips(t, dir, at, clips, want)
					if whole && slices.Contains(c.Targets(), b.target()) || b.cpu == "cortex-m4" {
						b.checkCounts(t, dir, at, m, clips[0])
					}
				})
			}
			for _, cc := range []string{"gcc", "clang"} {
				host := &board{cpu: cc}
				run(cc, host, func(t *testing.T, at string) { host.checkClips(t, dir, at, clips, want) })
			}
		})
	}
}

// sources are the files of a program with the network in dir.
func sources(dir, program string) []string {
	list := []string{filepath.Join(dir, "nn.c"), filepath.Join(dir, "nn_weights.c")}
	if program == "nn_selftest.c" {
		return append(list, filepath.Join(dir, program))
	}
	return append(list, program)
}

// expected is the network's clips, as frames one after the other, and what testdata/boards/clips.c prints of them.
func (n *network) expected(t *testing.T, m *ir.Module, opt c.Options) (clips [][]byte, want []string) {
	all := n.clips(t)
	shape := all.Shape // N C T H W
	size := shape[1] * shape[2] * shape[3] * shape[4]
	for at := 0; at < len(all.Data) && (whole || at == 0); at += size {
		x := ir.NewTensor(m.Main().Params[0].Value.Type)
		frames := make([]byte, 0, size)
		for i, v := range all.Data[at : at+size] {
			x.SetFloat(i, float64(v))
		}
		for frame := range shape[2] {
			for plane := range shape[1] {
				inner := shape[3] * shape[4]
				first := at + (plane*shape[2]+frame)*inner
				frames = append(frames, all.Data[first:first+inner]...)
			}
		}
		text, err := c.Expected(m, opt, x)
		if err != nil {
			t.Fatal(err)
		}
		clips, want = append(clips, frames), append(want, text)
	}
	return clips, want
}

// runClips runs testdata/boards/clips.c and returns what it prints of every clip.
func (b *board) runClips(t *testing.T, dir, at string, clips [][]byte, flags ...string) (lines []string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(at, "clips.bin"), slices.Concat(clips...), 0o666); err != nil {
		t.Fatal(err)
	}
	out := b.run(t, at, append(append(sources(dir, "testdata/boards/clips.c"), "-I", dir, "-O2"), flags...)...)
	for _, m := range regexp.MustCompile(`(?m)^clip \d+: (.*)$`).FindAllStringSubmatch(out, -1) {
		lines = append(lines, m[1])
	}
	if len(lines) != len(clips) {
		t.Fatalf("%d clips of %d ran: %s", len(lines), len(clips), head([]byte(out)))
	}
	return lines
}

// checkClips compares results and checksums of layers with the interpreter's.
func (b *board) checkClips(t *testing.T, dir, at string, clips [][]byte, want []string) {
	t.Helper()
	for i, got := range b.runClips(t, dir, at, clips, "-DNN_SELFTEST") {
		if got != want[i] {
			t.Errorf("clip %d: result and checksums %s, expected %s", i, got, want[i])
		}
	}
}

// checkCounts counts instructions of inputs of all kinds, which must be the same but for floats that the processor has not, and
// compares them with the bounds and with the cost model: within a twentieth altogether, and within a fifth for every layer that
// takes a hundredth or more.
func (b *board) checkCounts(t *testing.T, dir, at string, m *ir.Module, clip []byte) {
	t.Helper()
	zeros, random := make([]byte, len(clip)), make([]byte, len(clip))
	rand.NewChaCha8([32]byte{17}).Read(random)
	inputs := [][]byte{clip, zeros, random}
	if whole {
		inputs = append(inputs, bytes.Repeat([]byte{255}, len(clip)), clip)
	}
	cost, err := c.Estimate(m, c.Options{Name: "nn"}, b.target())
	if err != nil {
		t.Fatal(err)
	}
	counted, total, constant := map[int]int{}, 0, 0
	for i, line := range b.runClips(t, dir, at, inputs, "-DNN_PROFILE")[1:] { // a later clip begins by leaving the one before
		clear(counted)
		for _, m := range regexp.MustCompile(`(\d+):(\d+)`).FindAllStringSubmatch(line, -1) {
			layer, _ := strconv.Atoi(m[1])
			counted[layer], _ = strconv.Atoi(m[2])
		}
		n, floats := 0, 0
		for _, l := range cost.Layers {
			if l.Float && !b.floats() {
				floats++
			} else {
				n += counted[l.Index]
			}
		}
		if total = n; i == 0 {
			constant = n
		}
		if off := n - constant; off > (2+floats)*b.tick() || off < -(2+floats)*b.tick() {
			t.Errorf("input %d takes %d instructions, zeros take %d", i, n, constant)
		}
	}
	near := func(what string, said, counted, part int) {
		if off := said - counted; off > counted/part || -off > counted/part {
			t.Errorf("%s: %d instructions, counted %d", what, said, counted)
		}
	}
	near("all layers", cost.Instructions(), total, 20)
	var work, spent [2]int // of bits, of integers
	for _, l := range cost.Layers {
		if n := counted[l.Index]; n > total/100 {
			near(l.Layer, l.Instructions, n, 5)
		}
		if kind := slices.Index([]string{"bconv", "iconv"}, l.Op); kind >= 0 {
			work[kind] += l.MACs
			spent[kind] += counted[l.Index]
		}
	}
	bits, ints := float64(spent[0])/float64(work[0]), float64(spent[1])/float64(work[1])
	t.Logf("%.1f million instructions a clip; %.3f a multiply-accumulate of bits, %.3f of integers", float64(total)/1e6, bits, ints)
	if b.cpu == "cortex-m4" && (bits > mostOfBits || ints > mostOfInts) {
		t.Errorf("at most %v and %v", mostOfBits, mostOfInts)
	}
}

// checkFootprint compares what the compiler says of memory with the header and the bounds.
func checkFootprint(t *testing.T, dir string, sizes c.Sizes) {
	t.Helper()
	flash, stack := footprint(t, dir)
	t.Logf("memory %d, stack %d (said: %d), flash at -Os %d (said: %d)", sizes.Memory, stack, sizes.Stack, flash, sizes.Flash)
	if sizes.Memory+sizes.Stack > mostMemory {
		t.Errorf("memory %d and stack %d, at most %d together", sizes.Memory, sizes.Stack, mostMemory)
	}
	if flash > mostFlash {
		t.Errorf("flash %d, at most %d", flash, mostFlash)
	}
	if stack > sizes.Stack {
		t.Errorf("stack %d, the header says %d", stack, sizes.Stack)
	}
	if off := float64(sizes.Flash) / float64(flash); off < 0.9 || off > 1.25 {
		t.Errorf("flash %d, the header says %d", flash, sizes.Flash)
	}
}

// TestMicrobit: a network fits a Cortex-M0 with 16 KB of memory.
func TestMicrobit(t *testing.T) {
	t.Parallel()
	microbit.tools(t)
	m, _, err := onnx.ImportFile(context.Background(), "../../tests/golden/models/tiny.onnx", onnx.Options{})
	if err != nil {
		t.Fatal(err)
	}
	files, _, err := c.Generate(lower(t, m), c.Options{Name: "nn"})
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	writeFiles(t, dir, files)
	microbit.run(t, dir, append(sources(dir, "nn_selftest.c"), "-Os", "-DNN_SELFTEST")...)
}

// gestures is the example network.
func gestures(t *testing.T) *ir.Module {
	t.Helper()
	m, err := bill.ParseFile("../../examples/gestures/gestures.trained.bill")
	if err != nil {
		t.Fatal(err)
	}
	return m
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
		run("arm-none-eabi-gcc", "-std=c99", optimize, "-mcpu=cortex-m4", "-mthumb", "-fcallgraph-info=su", "-c", "nn.c", "nn_weights.c")
		calls, err := os.ReadFile(filepath.Join(dir, "nn.ci"))
		if err != nil {
			t.Fatal(err)
		}
		stack = max(stack, stackOf(string(calls)))
	}
	for _, line := range strings.Split(run("arm-none-eabi-size", "nn.o", "nn_weights.o"), "\n")[1:] {
		var text, data int
		fmt.Sscan(line, &text, &data)
		flash += text + data
	}
	return flash, stack
}

// stackOf is the stack of the deepest calls, from the compiler's graph of calls with the stack of each function. Functions of
// libraries count for nothing.
func stackOf(graph string) (most int) {
	frames, callees := map[string]int{}, map[string][]string{}
	for _, m := range regexp.MustCompile(`node: { title: "([^"]+)" label: "[^"]*\\n(\d+) bytes \((?:static|dynamic,bounded)\)" }`).FindAllStringSubmatch(graph, -1) {
		frames[m[1]], _ = strconv.Atoi(m[2])
	}
	for _, m := range regexp.MustCompile(`edge: { sourcename: "([^"]+)" targetname: "([^"]+)"`).FindAllStringSubmatch(graph, -1) {
		callees[m[1]] = append(callees[m[1]], m[2])
	}
	var deepest func(name string) int
	deepest = func(name string) (n int) {
		for _, callee := range callees[name] {
			n = max(n, deepest(callee))
		}
		return frames[name] + n
	}
	for name := range frames {
		most = max(most, deepest(name))
	}
	return most
}

// run compiles a program for the board and runs it; it returns what it prints, of which "ok" must be
// a line. args are sources, and flags of the compiler. The program reads and writes files in dir.
func (b *board) run(t *testing.T, dir string, args ...string) string {
	t.Helper()
	exe := filepath.Join(dir, "program")
	cc, run := b.cpu, []string{exe}
	switch {
	case b.riscv():
		cc, run = "riscv64-unknown-elf-gcc", []string{"qemu-system-riscv32", "-bios", "none"}
	case b.machine != "":
		cc, run = "arm-none-eabi-gcc", []string{"qemu-system-arm"}
	}
	if b.machine != "" {
		run = append(run, "-M", b.machine, "-icount", "shift=0", "-nographic", "-semihosting-config", "enable=on,target=native", "-kernel", exe)
	}
	args = append(append(b.flags(), "-std=c99", "-o", exe), args...)
	if out, err := exec.Command(cc, args...).CombinedOutput(); err != nil {
		t.Fatalf("%s %s: %v\n%s", cc, strings.Join(args, " "), err, head(out))
	}
	cmd := exec.Command(run[0], run[1:]...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "ok\n") {
		t.Fatalf("%s: %v\n%s", strings.Join(run, " "), err, head(out))
	}
	return string(out)
}

// flags are those of the compiler and the linker.
func (b *board) flags() []string {
	if b.machine == "" {
		return nil
	}
	flash, flashBytes, _ := strings.Cut(b.flash, ",")
	ram, ramBytes, _ := strings.Cut(b.ram, ",")
	if b.riscv() {
		return []string{"-march=" + b.cpu, "-mabi=ilp32", "--specs=picolibc.specs", "--oslib=semihost", "--crt0=hosted",
			fmt.Sprintf("-Wl,--defsym=__flash=%s,--defsym=__flash_size=%s,--defsym=__ram=%s,--defsym=__ram_size=%s", flash, flashBytes, ram, ramBytes)}
	}
	list := []string{"-mcpu=" + b.cpu, "-mthumb", "--specs=rdimon.specs", "-nostartfiles", "-T", "testdata/boards/link.ld", "testdata/boards/start.c",
		fmt.Sprintf("-Wl,--defsym=FLASH=%s,--defsym=FLASH_BYTES=%s,--defsym=RAM=%s,--defsym=RAM_BYTES=%s", flash, flashBytes, ram, ramBytes)}
	if b.floats() {
		list = append(list, "-mfloat-abi=hard")
	}
	if counter, tick, ok := strings.Cut(b.counter, ","); ok {
		list = append(list, "-DCOUNTER="+counter, "-DTICK="+tick)
	}
	return list
}
