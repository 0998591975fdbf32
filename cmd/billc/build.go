package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	goruntime "runtime"
	"slices"
	"strings"

	"github.com/billnet/billnet/codegen/gosrc"
	"github.com/billnet/billnet/internal/atomicfile"
)

type buildCmd struct {
	Model  string   `arg:"" help:"Model to build: .onnx or .bill."`
	Out    string   `short:"o" help:"Output file; by default the model's name without its extension. With --target, the target is appended." placeholder:"FILE"`
	Target []string `help:"Build for these systems, as linux/arm64, windows/amd64, darwin/arm64 or wasip1/wasm; by default for this one." placeholder:"OS/ARCH,..."`
	Golden []string `sep:"none" help:"Clips whose outputs the executable checks in --selftest, in place of made-up inputs; read as --clips are." placeholder:"PATH"`
	Fast   bool     `help:"Add unrolled code for this very network: faster on CPUs with AVX-512, and a larger executable."`
	Stream bool     `help:"Build a causal network that takes a frame at a time and prints a line after every one, as billc compile --stream."`
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
		targets[i].file = targets[i].name(out, len(c.Target) > 0)
		if err := mayWrite(targets[i].file, executableFile, c.Model, c.Labels); err != nil {
			return err
		}
	}
	if toStandardOutput(out) && len(targets) > 1 {
		return withCode(exitUsage, "standard output takes one executable, found %d targets", len(targets))
	}
	tool, err := goTool()
	if err != nil {
		return err
	}
	compile := &compileCmd{Model: c.Model, Emit: "bytecode", modelFlags: c.modelFlags, clipFlags: c.clipFlags, pipelineFlags: c.pipelineFlags, MaxFloat: -1, Stream: c.Stream}
	built, img, err := compile.image(ctx, s)
	if err != nil {
		return err
	}
	golden, err := c.clipFlags.golden(ctx, s, &c.pixelFlags, c.Golden, built, img)
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
	dir, err := atomicfile.TempDir("billc-build")
	if err != nil {
		return err
	}
	defer dir.Close()
	for name, data := range files {
		if err := dir.Write("src/"+name, data); err != nil {
			return err
		}
	}
	for _, t := range targets {
		s.doing("go build for %s/%s", t.os, t.arch)
		data, err := t.build(ctx, tool, dir.Path)
		s.idle()
		if err != nil {
			return fmt.Errorf("%s: %w", c.Model, err)
		}
		if err := s.writeExecutable(t.file, data); err != nil {
			return err
		}
		s.wrote(t.file, ": %d bytes for %s/%s", len(data), t.os, t.arch)
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

// name is the file's: that of the flag with the target's ending, before which the
// target stands when several may be named.
func (t *target) name(out string, named bool) string {
	if toStandardOutput(out) {
		return out
	}
	end := map[string]string{"windows": ".exe", "js": ".wasm", "wasip1": ".wasm"}[t.os]
	out = strings.TrimSuffix(out, end)
	if named && t.os != "wasip1" {
		out += "-" + t.os + "-" + t.arch
	}
	return out + end
}

func goTool() (string, error) {
	tool, err := exec.LookPath("go")
	if err != nil {
		return "", errors.New("the Go toolchain compiles the executable, but there is no go command in the PATH: install Go 1.26 or later from https://go.dev/dl, or write the source only, with billc compile --emit=go")
	}
	return tool, nil
}

// build compiles dir/src and returns the program.
func (t *target) build(ctx context.Context, tool, dir string) ([]byte, error) {
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
			return nil, ctx.Err()
		}
		if strings.Contains(said.String(), "unsupported GOOS/GOARCH pair") {
			return nil, withCode(exitUsage, "--target %s/%s: Go has no such system (go tool dist list shows them)", t.os, t.arch)
		}
		return nil, fmt.Errorf("go build for %s/%s failed (%w): %s", t.os, t.arch, err, lastLines(said.String()))
	}
	return os.ReadFile(temp)
}

// lastLines is the end of what the go command said, in one line.
func lastLines(s string) string {
	list := slices.DeleteFunc(strings.Split(s, "\n"), func(l string) bool { return strings.TrimSpace(l) == "" })
	return strings.Join(list[max(0, len(list)-8):], "; ")
}
