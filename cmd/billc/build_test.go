package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	goruntime "runtime"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/imports/wasi_snapshot_preview1"
	"github.com/tetratelabs/wazero/sys"

	"github.com/billnet/billnet/examples/gestures"
	"github.com/billnet/billnet/frontend/onnx"
	"github.com/billnet/billnet/runtime"
	"github.com/billnet/billnet/tests/golden/script"
	"github.com/billnet/billnet/tests/shared"
	"github.com/billnet/billnet/train"
)

// TestBuildScripts runs the scripts of testdata/build, which have the go command
// and its cache.
func TestBuildScripts(t *testing.T) {
	p := script.Params(filepath.Join("testdata", "build"), "")
	setup := p.Setup
	cache, err := exec.Command("go", "env", "GOCACHE").Output()
	if err != nil {
		t.Fatal(err)
	}
	p.Setup = func(e *testscript.Env) error {
		e.Setenv("GOCACHE", strings.TrimSpace(string(cache)))
		e.Setenv("GOPROXY", "off")
		e.Setenv("GOFLAGS", "")
		e.Setenv("DEMO", demoFolder())
		e.Setenv("BILLC", filepath.Join(filepath.SplitList(e.Getenv("PATH"))[0], "billc")) // for an empty PATH
		return setup(e)
	}
	testscript.Run(t, p)
}

func demoFolder() string {
	return filepath.Join(shared.Root(), "examples", "gestures")
}

// billc runs the compiler in this process.
func billc(t *testing.T, args ...string) {
	t.Helper()
	var said bytes.Buffer
	if code := run(context.Background(), args, strings.NewReader(""), io.Discard, &said); code != 0 {
		t.Fatalf("billc %s: exit code %d: %s", strings.Join(args, " "), code, said.String())
	}
}

// wantLogits is the scores of the demo's clips as --logits prints them, from the
// bytecode.
func wantLogits(t *testing.T, model, clips string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "model.billb")
	billc(t, "compile", model, "-o", file, "--ledger=none")
	out, err := exec.Command("go", "run", "../billrun", file, clips, "--logits").CombinedOutput()
	if err != nil {
		t.Fatalf("billrun: %v\n%s", err, out)
	}
	return string(out)
}

// TestExecutables builds the demo network for several systems and runs it where
// that can be done: the self-test passes and the scores are those of bytecode.
func TestExecutables(t *testing.T) {
	demo := demoFolder()
	model, clips := filepath.Join(demo, "gestures.onnx"), filepath.Join(demo, "clips.npy")
	want := wantLogits(t, model, clips)
	out := filepath.Join(t.TempDir(), "gesture")
	check := func(t *testing.T, run func(args ...string) (string, error)) {
		t.Helper()
		if got, err := run("--selftest"); err != nil || !strings.HasPrefix(got, "ok: ") {
			t.Errorf("--selftest: %v\n%s", err, got)
		}
		if got, err := run(clips, "--logits"); err != nil || got != want {
			t.Errorf("--logits: %v\ngot  %s\nwant %s", err, got, want)
		}
	}
	program := func(path ...string) func(args ...string) (string, error) {
		return func(args ...string) (string, error) {
			out, err := exec.Command(path[0], append(path[1:], args...)...).CombinedOutput()
			return string(out), err
		}
	}
	t.Run("host", func(t *testing.T) {
		billc(t, "build", model, "-o", out)
		check(t, program(out))
	})
	for _, c := range []struct {
		target, file string
		run          func(t *testing.T, file string) func(args ...string) (string, error)
	}{
		{"linux/386", "gesture-linux-386", func(t *testing.T, file string) func(args ...string) (string, error) {
			if goruntime.GOOS != "linux" || goruntime.GOARCH != "amd64" {
				t.Skip("this machine does not run linux/386")
			}
			return program(file)
		}},
		{"linux/arm64", "gesture-linux-arm64", func(t *testing.T, file string) func(args ...string) (string, error) {
			qemu, err := exec.LookPath("qemu-aarch64")
			if err != nil {
				t.Skip("qemu-aarch64 is not here to run linux/arm64")
			}
			return program(qemu, file)
		}},
		{"wasip1/wasm", "gesture.wasm", func(t *testing.T, file string) func(args ...string) (string, error) { return wasm(t, file, demo) }},
		{"windows/amd64", "gesture-windows-amd64.exe", nil},
		{"darwin/arm64", "gesture-darwin-arm64", nil},
	} {
		t.Run(strings.ReplaceAll(c.target, "/", "-"), func(t *testing.T) {
			if c.run == nil && os.Getenv("BILLNET_LONG") == "" {
				t.Skip("BILLNET_LONG=1 builds for systems that can not be run here")
			}
			billc(t, "build", model, "-o", out, "--target="+c.target)
			file := filepath.Join(filepath.Dir(out), c.file)
			if _, err := os.Stat(file); err != nil {
				t.Fatal(err)
			}
			if c.run != nil {
				check(t, c.run(t, file))
			}
		})
	}
}

// wasm runs a program for WASI. dir is the only folder that it sees.
func wasm(t *testing.T, file, dir string) func(args ...string) (string, error) {
	ctx := context.Background()
	r := wazero.NewRuntime(ctx)
	t.Cleanup(func() { r.Close(ctx) })
	wasi_snapshot_preview1.MustInstantiate(ctx, r)
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	code, err := r.CompileModule(ctx, data)
	if err != nil {
		t.Fatal(err)
	}
	return func(args ...string) (string, error) {
		var out bytes.Buffer
		_, err := r.InstantiateModule(ctx, code, wazero.NewModuleConfig().WithName("").WithArgs(append([]string{"gesture"}, args...)...).
			WithStdout(&out).WithStderr(&out).WithRandSource(rand.Reader).WithSysWalltime().WithSysNanotime().
			WithFSConfig(wazero.NewFSConfig().WithReadOnlyDirMount(dir, dir)))
		if exit, ok := err.(*sys.ExitError); ok && exit.ExitCode() == 0 {
			err = nil
		}
		return out.String(), err
	}
}

// TestBuildTwice checks that the same model gives the same bytes, whatever the
// folders are called.
func TestBuildTwice(t *testing.T) {
	var first []byte
	for i := range 2 {
		dir := t.TempDir()
		t.Setenv("TMPDIR", dir)
		data, err := os.ReadFile(filepath.Join(script.Models(), "tiny.onnx"))
		if err != nil {
			t.Fatal(err)
		}
		model, out := filepath.Join(dir, "tiny.onnx"), filepath.Join(dir, fmt.Sprint("out", i))
		if err := os.WriteFile(model, data, 0o666); err != nil {
			t.Fatal(err)
		}
		billc(t, "build", model, "-o", out)
		got, err := os.ReadFile(out)
		if err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			first = got
		} else if !bytes.Equal(first, got) {
			t.Error("two builds differ")
		}
		if bytes.Contains(got, []byte(dir)) {
			t.Errorf("the executable names the folder it was built in")
		}
		if left, _ := filepath.Glob(filepath.Join(dir, "billc-build-*")); left != nil {
			t.Errorf("the build left %v", left)
		}
	}
}

// TestExecutableSizes builds all networks of the shared data: small ones, whose
// scores are those of bytecode.
func TestExecutableSizes(t *testing.T) {
	if os.Getenv("BILLNET_LONG") == "" {
		t.Skip("BILLNET_LONG=1 builds the large networks")
	}
	for _, name := range shared.Billnets() {
		t.Run(filepath.Base(name), func(t *testing.T) {
			model, clips := shared.Dir(t, name+".onnx"), shared.Dir(t, name+".clips.u8.npy")
			want := wantLogits(t, model, clips)
			for _, flag := range []string{"--fast=false", "--fast"} {
				out := filepath.Join(t.TempDir(), "model")
				billc(t, "build", model, "-o", out, flag)
				if info, err := os.Stat(out); err != nil || flag == "--fast=false" && info.Size() > 3_500_000 {
					t.Errorf("%s: %v %d bytes, at most 3.5 MB are wanted", flag, err, info.Size())
				}
				if got, err := exec.Command(out, clips, "--logits").CombinedOutput(); err != nil || string(got) != want {
					t.Errorf("%s: %v: other scores than bytecode's", flag, err)
				}
			}
		})
	}
}

// TestExample generates the package of examples/embed and runs the example on
// the demo's clips: it names their classes.
func TestExample(t *testing.T) {
	example := filepath.Join(demoFolder(), "..", "embed")
	dir := t.TempDir()
	for _, name := range []string{"go.mod", "main.go"} {
		data, err := os.ReadFile(filepath.Join(example, name))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o666); err != nil {
			t.Fatal(err)
		}
		if _, line, ok := strings.Cut(string(data), "//go:generate go -C ../.. run ./cmd/billc "); ok {
			line, _, _ = strings.Cut(line, "\n")
			line = strings.NewReplacer("examples/gestures", demoFolder(), "examples/embed", dir).Replace(line)
			billc(t, strings.Fields(line)...)
		}
	}
	build := exec.Command("go", "build", "-o", "embed", ".")
	build.Dir = dir
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	clips, err := decodeTensor(bytes.NewReader(gestures.Clips()), "")
	if err != nil {
		t.Fatal(err)
	}
	m, _, err := onnx.ImportBytes(context.Background(), "gestures.onnx", gestures.Model(), onnx.Options{})
	if err != nil {
		t.Fatal(err)
	}
	code, err := compileToBytecode(context.Background(), m)
	if err != nil {
		t.Fatal(err)
	}
	prog, err := runtime.LoadBytes(code)
	if err != nil {
		t.Fatal(err)
	}
	session, err := prog.NewSession(runtime.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer session.Close()
	logits := make([]float32, len(m.Labels))
	n := clips.Len() / 12
	for i := range 12 {
		clip := clips.Data()[i*n : (i+1)*n]
		if err := session.Run([][]byte{clip}, [][]byte{runtime.Bytes(logits)}); err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command(filepath.Join(dir, "embed"))
		cmd.Stdin = bytes.NewReader(clip)
		if out, err := cmd.CombinedOutput(); err != nil || strings.TrimSpace(string(out)) != m.Labels[train.Argmax(logits)] {
			t.Errorf("clip %d: %v, %q, expected %q", i, err, out, m.Labels[train.Argmax(logits)])
		}
	}
}

// TestSelftestFinds changes a recorded output and a certified threshold in an
// executable: the self-test says so.
func TestSelftestFinds(t *testing.T) {
	dir := t.TempDir()
	model := filepath.Join(script.Models(), "tiny.onnx")
	c := &compileCmd{Model: model, Emit: "bytecode", MaxFloat: -1, pipelineFlags: pipelineFlags{Optimize: "2"}}
	built, img, err := c.image(context.Background(), newStreams(nil, io.Discard, io.Discard))
	if err != nil {
		t.Fatal(err)
	}
	samples, err := sampleOutputs(img)
	if err != nil {
		t.Fatal(err)
	}
	certified := built.certified()
	if len(certified) == 0 {
		t.Fatal("the model has no certified layer")
	}
	var thresholds []byte
	for _, v := range certified[0].Thresholds {
		thresholds = binary.AppendVarint(thresholds, v)
	}
	out := filepath.Join(dir, "tiny")
	billc(t, "build", model, "-o", out)
	program, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		what  string
		bytes []byte
		want  string
	}{
		{"output", samples[2][0], `output "logits": element [0,0]: want `},
		{"threshold", thresholds, "its certificate says"},
	} {
		at := bytes.Index(program, c.bytes)
		if at < 0 {
			t.Fatalf("the %s is not in the executable", c.what)
		}
		damaged := bytes.Clone(program)
		damaged[at] ^= 1
		file := filepath.Join(dir, c.what)
		if err := os.WriteFile(file, damaged, 0o777); err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command(file, "--selftest")
		said, _ := cmd.CombinedOutput()
		if code := cmd.ProcessState.ExitCode(); code != exitDiffer || !strings.Contains(string(said), c.want) {
			t.Errorf("%s: exit code %d, %s, expected %d, %q", c.what, code, said, exitDiffer, c.want)
		}
	}
}
