package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	goruntime "runtime"
	"slices"
	"strings"

	"github.com/billnet/billnet/codegen/gosrc"
)

type buildCmd struct {
	Model  string   `arg:"" help:"Model to build: .onnx or .bill."`
	Out    string   `short:"o" help:"Output file; by default the model's name without its extension. With --target, the target is appended." placeholder:"FILE"`
	Target []string `help:"Build for these systems, as linux/arm64, windows/amd64, darwin/arm64 or wasip1/wasm; by default for this one." placeholder:"OS/ARCH,..."`
	Golden []string `sep:"none" help:"Clips whose outputs the executable checks in --selftest, in place of made-up inputs; read as --clips are." placeholder:"PATH"`
	Fast   bool     `help:"Add unrolled code for this very network: faster on CPUs with AVX-512, and a larger executable."`
	modelFlags
	clipFlags
	pipelineFlags
}

// Help says what build's help adds.
func (buildCmd) Help() string {
	return `The executable needs nothing but itself: it holds the network, its weights and a clip reader. It prints what billrun prints; --bench measures it, --selftest checks it on the machine it runs on, --help says more.

The Go toolchain compiles it, without a network. The same model, billc and Go give the same bytes.

  billc build gesture.onnx -o gesture && ./gesture wave.gif
  billc build gesture.onnx -o gesture --target=linux/arm64,windows/amd64,wasip1/wasm`
}

func (c *buildCmd) Run(ctx context.Context, s *streams) error {
	targets, err := parseTargets(c.Target)
	if err != nil {
		return err
	}
	out := c.Out
	if out == "" {
		out = strings.TrimSuffix(c.Model, filepath.Ext(c.Model))
	}
	for i := range targets {
		targets[i].file = out + targets[i].suffix(len(c.Target) > 0)
		if err := replaceable(targets[i].file, c.Model); err != nil {
			return err
		}
	}
	tool, err := goTool()
	if err != nil {
		return err
	}
	compile := &compileCmd{Model: c.Model, Emit: "bytecode", modelFlags: c.modelFlags, clipFlags: c.clipFlags, pipelineFlags: c.pipelineFlags, MaxFloat: -1}
	built, img, err := compile.image(ctx, s)
	if err != nil {
		return err
	}
	golden, err := c.clipFlags.golden(ctx, s, c.Golden, built, img)
	if err != nil {
		return err
	}
	opt := gosrc.ExeOptions{Certified: built.certified(), Golden: golden, Small: !c.Fast}
	if golden == nil {
		if opt.Samples, err = sampleOutputs(img); err != nil {
			return fmt.Errorf("%s: %w", c.Model, err)
		}
	}
	files, err := gosrc.Executable(img, opt)
	if err != nil {
		return fmt.Errorf("%s: %w", c.Model, err)
	}
	dir, err := os.MkdirTemp("", "billc-build-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if err := writeTree(filepath.Join(dir, "src"), files); err != nil {
		return err
	}
	for _, t := range targets {
		if err := t.build(ctx, tool, dir); err != nil {
			return fmt.Errorf("%s: %w", c.Model, err)
		}
		info, err := os.Stat(t.file)
		if err != nil {
			return err
		}
		fmt.Fprintf(s.err, "wrote %s: %d bytes for %s/%s\n", t.file, info.Size(), t.os, t.arch)
	}
	return nil
}

// target is a system to build for.
type target struct {
	os, arch string
	file     string
}

// littleEndian are the architectures on which numbers lie in memory as the
// runtime expects them.
var littleEndian = []string{"386", "amd64", "arm", "arm64", "loong64", "mips64le", "mipsle", "ppc64le", "riscv64", "wasm"}

func parseTargets(list []string) ([]target, error) {
	if len(list) == 0 {
		return []target{{os: goruntime.GOOS, arch: goruntime.GOARCH}}, nil
	}
	var targets []target
	for _, s := range list {
		system, arch, ok := strings.Cut(strings.TrimSpace(s), "/")
		switch {
		case !ok || system == "" || strings.Contains(arch, "/"):
			return nil, withCode(exitUsage, "--target %q: expected OS/ARCH, such as linux/arm64", s)
		case !slices.Contains(littleEndian, arch):
			return nil, withCode(exitUsage, "--target %q: expected one of the architectures %s", s, strings.Join(littleEndian, ", "))
		case slices.Contains(targets, target{os: system, arch: arch}):
			return nil, withCode(exitUsage, "--target %q is given twice", s)
		}
		targets = append(targets, target{os: system, arch: arch})
	}
	return targets, nil
}

// suffix is the end of the file's name: named says that the target is in it.
func (t *target) suffix(named bool) string {
	switch {
	case t.os == "wasip1":
		return ".wasm"
	case !named && t.os == "windows":
		return ".exe"
	case !named:
		return ""
	}
	end := map[string]string{"windows": ".exe", "js": ".wasm"}[t.os]
	return "-" + t.os + "-" + t.arch + end
}

// replaceable reports a file that must not be overwritten: the model, a folder,
// and what is no executable.
func replaceable(out, model string) error {
	info, err := os.Stat(out)
	if err != nil {
		return nil
	}
	if m, err := os.Stat(model); err == nil && os.SameFile(info, m) {
		return withCode(exitUsage, "the output %s is the model itself; name another with -o", out)
	}
	head := make([]byte, 4)
	if f, err := os.Open(out); err == nil {
		_, _ = io.ReadFull(f, head)
		f.Close()
	}
	for _, magic := range []string{"\x7fELF", "MZ", "\xcf\xfa\xed\xfe", "\x00asm"} {
		if info.Mode().IsRegular() && strings.HasPrefix(string(head), magic) {
			return nil
		}
	}
	return withCode(exitUsage, "the output %s exists and is no executable: it may be yours; remove it, or name another with -o", out)
}

func goTool() (string, error) {
	tool, err := exec.LookPath("go")
	if err != nil {
		return "", errors.New("the Go toolchain compiles the executable, but there is no go command in the PATH: install Go 1.26 or later from https://go.dev/dl, or write the source only, with billc compile --emit=go")
	}
	return tool, nil
}

// build compiles dir/src.
func (t *target) build(ctx context.Context, tool, dir string) error {
	temp := filepath.Join(dir, "out")
	// The command line is not in a hurry and is smaller without inlining.
	cmd := exec.CommandContext(ctx, tool, "build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w -buildid=", "-gcflags=executable/internal/runner=-l", "-o", temp, ".")
	cmd.Dir = filepath.Join(dir, "src")
	// Nothing of the caller's settings but where Go lies and keeps its cache.
	for _, v := range os.Environ() {
		name, _, _ := strings.Cut(v, "=")
		if !strings.HasPrefix(name, "GO") && !strings.HasPrefix(name, "CGO_") || slices.Contains([]string{"GOROOT", "GOPATH", "GOCACHE", "GOTMPDIR", "GOMAXPROCS"}, name) {
			cmd.Env = append(cmd.Env, v)
		}
	}
	cmd.Env = append(cmd.Env, "GOOS="+t.os, "GOARCH="+t.arch, "CGO_ENABLED=0", "GO111MODULE=on", "GOENV=off", "GOFLAGS=", "GOWORK=off", "GOPROXY=off", "GOTOOLCHAIN=local")
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if strings.Contains(said.String(), "unsupported GOOS/GOARCH pair") {
			return withCode(exitUsage, "--target %s/%s: Go has no such system (go tool dist list shows them)", t.os, t.arch)
		}
		return fmt.Errorf("go build for %s/%s failed (%w); Go 1.26 or later is needed: %s", t.os, t.arch, err, lastLines(said.String()))
	}
	data, err := os.ReadFile(temp)
	if err != nil {
		return err
	}
	return writeExecutable(t.file, data)
}

// lastLines is the end of what the go command said, in one line.
func lastLines(s string) string {
	list := slices.DeleteFunc(strings.Split(s, "\n"), func(l string) bool { return strings.TrimSpace(l) == "" })
	return strings.Join(list[max(0, len(list)-8):], "; ")
}

// writeExecutable is writeFile for a program.
func writeExecutable(path string, data []byte) error {
	if err := writeFile(path, data); err != nil {
		return err
	}
	return os.Chmod(path, 0o755)
}

// writeTree writes files into a new folder.
func writeTree(dir string, files map[string][]byte) error {
	for name, data := range files {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			return err
		}
		if err := os.WriteFile(path, data, 0o666); err != nil {
			return err
		}
	}
	return nil
}

// replaceTree makes a folder of files, in place of one that holds nothing else
// than what was generated before. A failure leaves what was there.
func replaceTree(dir string, files map[string][]byte) error {
	if to, err := filepath.EvalSymlinks(dir); err == nil {
		dir = to
	}
	if err := onlyGenerated(dir); err != nil {
		return err
	}
	parent := filepath.Dir(filepath.Clean(dir))
	temp, err := os.MkdirTemp(parent, "."+filepath.Base(dir)+".tmp*")
	if err != nil {
		return fmt.Errorf("cannot write %s: %w", dir, reason(err))
	}
	defer os.RemoveAll(temp)
	made, old := filepath.Join(temp, "new"), filepath.Join(temp, "old")
	if err := writeTree(made, files); err != nil {
		return fmt.Errorf("cannot write %s: %w", dir, reason(err))
	}
	if err := os.Rename(dir, old); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("cannot replace %s: %w", dir, reason(err))
	}
	if err := os.Rename(made, dir); err != nil {
		return errors.Join(fmt.Errorf("cannot write %s: %w", dir, reason(err)), os.Rename(old, dir))
	}
	return nil
}

// onlyGenerated reports a folder with a file that is not of a generated package.
func onlyGenerated(dir string) error {
	info, err := os.Stat(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if !info.IsDir() {
		return withCode(exitUsage, "the output %s is a file, expected a folder to make", dir)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		head := []byte(gosrc.Header)
		switch data := e.Name() == "weights.bin" || e.Name() == "golden.bin"; {
		case !e.Type().IsRegular():
		case data:
			continue
		default:
			got := make([]byte, len(head))
			if f, err := os.Open(path); err == nil {
				_, _ = io.ReadFull(f, got)
				f.Close()
			}
			if bytes.Equal(got, head) {
				continue
			}
		}
		return withCode(exitUsage, "the folder %s holds %s, which billc did not generate: it may be yours; remove it, or name another folder with -o", dir, e.Name())
	}
	return nil
}
