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
	"sync/atomic"
	"testing"

	"github.com/billnet/billnet/codegen/c"
	"github.com/billnet/billnet/frontend/bill"
	"github.com/billnet/billnet/frontend/onnx"
	"github.com/billnet/billnet/ir"
	"github.com/billnet/billnet/passes"
	"github.com/billnet/billnet/passes/pipeline"
	"github.com/billnet/billnet/tests/randgraph"
)

var (
	seeds = flag.Int("seeds", 42, "number of random networks")
	first = flag.Uint64("seed", 0, "first seed; with -seeds 1, the only one")
	keep  = flag.String("keep", "", "folder to keep the C of random networks in, as seed-N")
)

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

// TestRandom: random networks in C give what the interpreter gives, layer by layer. Every third is run under sanitizers.
// What is refused has a float LSTM.
func TestRandom(t *testing.T) {
	cc := compiler(t)
	var ran, refused atomic.Int32
	t.Cleanup(func() { t.Logf("%d networks ran, %d with a float LSTM are refused", ran.Load(), refused.Load()) })
	for i := range *seeds {
		seed := *first + uint64(i)
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			name := fmt.Sprintf("net_%d", seed)
			files, _, err := c.Generate(lower(t, randgraph.Seed(seed, randgraph.Config{})), c.Options{Name: name})
			var none *c.UnsupportedError
			if errors.As(err, &none) && !slices.ContainsFunc(none.Layers, func(l string) bool { return !strings.HasSuffix(l, "(lstm)") }) {
				refused.Add(1)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			dir := t.TempDir()
			if *keep != "" {
				dir = filepath.Join(*keep, fmt.Sprintf("seed-%d", seed))
			}
			writeFiles(t, dir, files)
			flags := strict
			if seed%3 == 0 {
				flags = sanitized
			}
			runSelfTest(t, cc, dir, name, flags)
			ran.Add(1)
		})
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
	files, _, err := c.Generate(lower(t, m), c.Options{Name: "narrow"})
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	writeFiles(t, dir, files)
	runSelfTest(t, cc, dir, "narrow", strict)
}

// TestGestures: the example network.
func TestGestures(t *testing.T) {
	cc := compiler(t)
	files, sizes := gestures(t)
	t.Logf("%+v", sizes)
	dir := t.TempDir()
	if *keep != "" {
		dir = *keep
	}
	writeFiles(t, dir, files)
	runSelfTest(t, cc, dir, "gesture", sanitized)
}

// TestAnalysis: cppcheck and gcc's analyzer find nothing in the gestures network.
func TestAnalysis(t *testing.T) {
	files, _ := gestures(t)
	dir := t.TempDir()
	writeFiles(t, dir, files)
	code, weights := filepath.Join(dir, "gesture.c"), filepath.Join(dir, "gesture_weights.c")
	for _, tool := range [][]string{
		{"cppcheck", "--error-exitcode=1", "--std=c99", "--enable=warning,performance,portability", "--quiet", code, weights},
		{"gcc", "-std=c99", "-O2", "-fanalyzer", "-Werror", "-c", code, "-o", filepath.Join(dir, "gesture.o")},
		{"clang", "-std=c99", "-O2", "-pedantic", "-Wall", "-Wextra", "-Wconversion", "-Wshadow", "-Werror", "-c", code, "-o", filepath.Join(dir, "gesture.o")},
	} {
		t.Run(tool[0], func(t *testing.T) {
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
