package c_test

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/billnet/billnet/codegen/bytecode"
	"github.com/billnet/billnet/codegen/c"
	"github.com/billnet/billnet/frontend/bill"
	"github.com/billnet/billnet/frontend/onnx"
	"github.com/billnet/billnet/ir"
	"github.com/billnet/billnet/passes"
	"github.com/billnet/billnet/passes/pipeline"
	"github.com/billnet/billnet/tests/randgraph"
)

var (
	seeds = flag.Int("seeds", 6, "number of random networks")
	first = flag.Uint64("seed", 0, "first seed; with -seeds 1, the only one")
	quick = flag.String("quick", "", "a quick C compiler for random networks, such as tcc, in place of gcc or clang with warnings and sanitizers")
	keep  = flag.String("keep", "", "folder to keep the C of random networks in, as net_N and causal_N")
)

// whole asks for every board, clip and count; by default tests take some, in a minute.
var whole = os.Getenv("BILLNET_CI") != "" || os.Getenv("BILLNET_LONG") != ""

// strict are the warnings that generated code must not give, sanitized what it is checked by as it runs.
var (
	strict    = strings.Fields("-std=c99 -pedantic -Wall -Wextra -Wconversion -Wshadow -Werror -O1 -ffp-contract=off")
	sanitized = append(slices.Clone(strict), "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")
)

// compiler is the host's C compiler, or the test is skipped.
func compiler(t *testing.T) string {
	t.Helper()
	for _, name := range []string{"gcc", "clang", "cc"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	t.Skip("no C compiler: install gcc or clang")
	return ""
}

// lower runs the default pipeline.
func lower(t *testing.T, m *ir.Module) *ir.Module {
	t.Helper()
	if _, err := passes.Run(context.Background(), m, pipeline.WithLittleMemory(pipeline.Default()), passes.RunOptions{}); err != nil {
		t.Fatal(err)
	}
	return m
}

// writeFiles writes generated files to a folder.
func writeFiles(t *testing.T, dir string, files map[string][]byte) {
	t.Helper()
	for name, data := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, data, 0o666); err != nil {
			t.Fatal(err)
		}
	}
}

// runSelfTest compiles generated files and runs their self-test, which compares
// the results and the checksums of all layers with the interpreter's.
func runSelfTest(t *testing.T, cc, dir, name string, flags []string) {
	t.Helper()
	exe := filepath.Join(dir, "selftest")
	args := append(slices.Clone(flags), "-D"+strings.ToUpper(name)+"_SELFTEST", "-o", exe)
	for _, f := range []string{"_selftest.c", ".c", "_weights.c"} {
		args = append(args, filepath.Join(dir, name+f))
	}
	if out, err := exec.Command(cc, args...).CombinedOutput(); err != nil {
		t.Fatalf("%s %s: %v\n%s", cc, strings.Join(args, " "), err, head(out))
	}
	out, err := exec.Command(exe).CombinedOutput()
	if err != nil || !strings.HasSuffix(string(out), "ok\n") {
		t.Fatalf("%s: %v\n%s", exe, err, head(out))
	}
}

func head(out []byte) string { return string(out[:min(len(out), 4000)]) }

// TestRandom: random networks in C give what the interpreter gives, layer by layer. Every third is run under sanitizers, and
// every other one keeps as few sums at a time as it can.
func TestRandom(t *testing.T) {
	cc := compiler(t)
	for i := range *seeds {
		seed := *first + uint64(i)
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			checkRandom(t, cc, lower(t, randgraph.Seed(seed, randgraph.Config{})), fmt.Sprintf("net_%d", seed), seed)
		})
	}
}

// checkRandom runs the self-test of a random network: every third under sanitizers, every other one in its least memory.
func checkRandom(t *testing.T, cc string, m *ir.Module, name string, seed uint64) {
	t.Helper()
	opt := c.Options{Name: name}
	if seed%2 == 1 {
		opt.MaxMemory = least(t, m, opt)
	}
	files, _, err := c.Generate(m, opt)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if *keep != "" {
		dir = filepath.Join(*keep, name)
	}
	writeFiles(t, dir, files)
	flags := strict
	switch {
	case *quick != "":
		cc, flags = *quick, []string{"-std=c99"}
	case seed%3 == 0:
		flags = sanitized
	}
	runSelfTest(t, cc, dir, name, flags)
}

// checkSelfTest writes a network as C and runs its self-test.
func checkSelfTest(t *testing.T, cc string, m *ir.Module, name string, flags []string) {
	t.Helper()
	files, _, err := c.Generate(m, c.Options{Name: name})
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	writeFiles(t, dir, files)
	runSelfTest(t, cc, dir, name, flags)
}

// least is the bytes of memory that a network needs at least.
func least(t *testing.T, m *ir.Module, opt c.Options) int {
	t.Helper()
	opt.MaxMemory, opt.NoSelfTest = 1, true
	_, _, err := c.Generate(m, opt)
	var large *c.TooLargeError
	if !errors.As(err, &large) {
		t.Fatalf("in a byte of memory: %v", err)
	}
	return large.Needs
}

// refused are the operations that have no form in C, at least as their examples use them.
var refused = []*ir.Op{
	ir.Acos, ir.Acosh, ir.Asin, ir.Asinh, ir.Atan, ir.Atanh, ir.Cos, ir.Cosh, ir.Sin, ir.Sinh, ir.Tan, ir.Erf, ir.Pow, // which need a mathematical library
	ir.Div, ir.Mod, // of integers, where 0 is an error
	ir.GatherElements, ir.Scatter, ir.TopK, // whose places come from data
	ir.TruncQuant,
	ir.Scan,      // whose states only bytecode keeps
	ir.ReduceMin, // whose example has no elements
}

// TestOperations: the examples of all operations in C give what the interpreter gives, or are refused.
func TestOperations(t *testing.T) {
	cc := compiler(t)
	var written []*ir.Op
	for _, op := range ir.Ops() {
		m, _ := randgraph.Examples(t, func(o *ir.Op) bool { return o == op })
		if len(m.Main().Results) == 0 {
			continue
		}
		_, _, err := c.Generate(m, c.Options{Name: "example"})
		none := errors.As(err, new(*c.UnsupportedError)) || errors.As(err, new(*bytecode.UnsupportedError))
		switch is := slices.Contains(refused, op); {
		case none && !is:
			t.Errorf("%s is refused: %v", op.Name, err)
		case err == nil && is:
			t.Errorf("%s is not refused: remove it from the list", op.Name)
		case err != nil && !none:
			t.Errorf("%s: %v", op.Name, err)
		case err == nil:
			written = append(written, op)
		}
	}
	const together = 16
	for i := 0; i < len(written); i += together {
		ops := written[i:min(i+together, len(written))]
		t.Run(ops[0].Name, func(t *testing.T) {
			t.Parallel()
			m, _ := randgraph.Examples(t, func(op *ir.Op) bool { return slices.Contains(ops, op) })
			checkSelfTest(t, cc, m, "examples", sanitized)
		})
	}
}

// TestSideBySide: two networks, and two instances of one, take their frames in turn and give what each gives alone.
func TestSideBySide(t *testing.T) {
	cc := compiler(t)
	dir := t.TempDir()
	for name, file := range map[string]string{"one": "tiny.onnx", "other": "tiny_dyn.onnx"} {
		m, _, err := onnx.ImportFile(context.Background(), filepath.Join("../../tests/golden/models", file), onnx.Options{})
		if err != nil {
			t.Fatal(err)
		}
		files, _, err := c.Generate(lower(t, m), c.Options{Name: name, NoSelfTest: true})
		if err != nil {
			t.Fatal(err)
		}
		writeFiles(t, dir, files)
	}
	exe := filepath.Join(dir, "side_by_side")
	args := append(slices.Clone(sanitized), "-I", dir, "-o", exe, "testdata/side_by_side.c")
	for _, f := range []string{"one.c", "one_weights.c", "other.c", "other_weights.c"} {
		args = append(args, filepath.Join(dir, f))
	}
	if out, err := exec.Command(cc, args...).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", strings.Join(args, " "), err, head(out))
	}
	if out, err := exec.Command(exe).CombinedOutput(); err != nil || string(out) != "ok\n" {
		t.Fatalf("%v\n%s", err, head(out))
	}
}

// TestNarrowConstants: constants that bytecode keeps in fewer bytes are read as the
// floats that they are.
func TestNarrowConstants(t *testing.T) {
	cc := compiler(t)
	m, err := bill.Parse("narrow", []byte(fmt.Sprintf(`bill 1
module "narrow" level=source
func @main(%%x "x": f32[1,8,8,16]) {
  %%signs = const [%s0.5] : f32[1,8,8,16]
  %%halves = const [%s2] : f32[16,40]
  %%a = add %%x, %%signs
  %%y = matmul %%a, %%halves
  return %%y "y"
}`, strings.Repeat("0.5, -0.5, -0.5, ", 341), strings.Repeat("0.25, -3, 1.5, ", 213))), nil)
	if err != nil {
		t.Fatal(err)
	}
	checkSelfTest(t, cc, lower(t, m), "narrow", strict)
}

// TestGestures: the example network.
func TestGestures(t *testing.T) {
	cc := compiler(t)
	files, _, err := c.Generate(lower(t, gestures(t)), c.Options{Name: "gesture"})
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if *keep != "" {
		dir = *keep
	}
	writeFiles(t, dir, files)
	runSelfTest(t, cc, dir, "gesture", sanitized)
}

// TestAnalysis: cppcheck and gcc's analyzer find nothing in the gestures network.
func TestAnalysis(t *testing.T) {
	files, _, err := c.Generate(lower(t, gestures(t)), c.Options{Name: "gesture", NoSelfTest: true})
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	writeFiles(t, dir, files)
	code, weights := filepath.Join(dir, "gesture.c"), filepath.Join(dir, "gesture_weights.c")
	for _, tool := range [][]string{
		{"cppcheck", "--error-exitcode=1", "--std=c99", "--enable=warning,performance,portability", "--quiet", code, weights},
		{"gcc", "-std=c99", "-O2", "-fanalyzer", "-Werror", "-c", code, "-o", filepath.Join(dir, "gesture.o")},
		{"clang", "-std=c99", "-O2", "-pedantic", "-Wall", "-Wextra", "-Wconversion", "-Wshadow", "-Werror", "-c", code, "-o", filepath.Join(dir, "gesture.o")},
	} {
		t.Run(tool[0], func(t *testing.T) {
			t.Parallel()
			if _, err := exec.LookPath(tool[0]); err != nil {
				t.Skipf("no %s: install it", tool[0])
			}
			if out, err := exec.Command(tool[0], tool[1:]...).CombinedOutput(); err != nil {
				t.Errorf("%s: %v\n%s", strings.Join(tool, " "), err, head(out))
			}
		})
	}
}

var update = flag.Bool("update", false, "rewrite testdata/tiny")

// TestText: the files of a small network, word for word.
func TestText(t *testing.T) {
	m, _, err := onnx.ImportFile(context.Background(), "../../tests/golden/models/tiny.onnx", onnx.Options{})
	if err != nil {
		t.Fatal(err)
	}
	files, _, err := c.Generate(lower(t, m), c.Options{Name: "tiny", Command: "billc compile tiny.onnx --emit=c -o tiny", Certificate: []byte("certificate")})
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		writeFiles(t, "testdata/tiny", files)
	}
	for name, data := range files {
		want, err := os.ReadFile(filepath.Join("testdata/tiny", name))
		if err != nil || !bytes.Equal(want, data) {
			t.Errorf("%s is not what testdata/tiny has (%v); -update rewrites it", name, err)
		}
	}
}
