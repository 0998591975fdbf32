package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/billnet/billnet/internal/atomicfile"
	"github.com/billnet/billnet/tests/golden/script"
)

// walked are command lines for all commands, by name: MODEL is an ONNX model,
// BYTECODE the same compiled, ARCH an architecture, LOG that of a run of training,
// OUT a name that is free.
// Those that print nothing on standard output when all goes well are silent.
var walked = []struct {
	name   string
	args   string
	silent bool
}{
	{"compile", "compile MODEL -o OUT.billb", false},
	{"compile", "compile MODEL --emit=ir -o -", false},
	{"compile", "compile MODEL --emit=onnx -o OUT.onnx", false},
	{"compile", "compile MODEL --emit=go -o OUT", false},
	{"compile", "compile MODEL --emit=c -o OUT", false},
	{"build", "build MODEL -o OUT", true},
	{"new", "new -o -", false},
	{"train", "train ARCH -o OUT.bill --run-dir OUT.run --quick --eval-clips 4", false},
	{"train", "train ARCH --describe", false},
	{"curves", "curves LOG -o OUT.svg", true},
	{"eval", "eval ARCH --clips 2", false},
	{"clips", "clips -o OUT", true},
	{"inspect", "inspect MODEL", false},
	{"inspect", "inspect BYTECODE --json", false},
	{"verify", "verify MODEL BYTECODE", false},
	{"verify", "verify MODEL --bisect", false},
	{"reduce", "reduce MODEL --passes=default -o OUT.bill", true},
	{"demo", "demo", false},
	{"passes", "passes", false},
	{"ops", "ops", false},
	{"version", "version", false},
	{"help", "help", false},
	{"completion", "completion bash", false},
}

// Every form of output is among the command lines that are walked.
func TestFormsAreWalked(t *testing.T) {
	for _, e := range emitters() {
		flag := "--emit=" + e.name + " "
		if e.name == emitters()[0].name {
			flag = "" // the default
		}
		found := false
		for _, w := range walked {
			found = found || w.name == "compile" && strings.Contains(w.args, flag)
		}
		if !found {
			t.Errorf("walked has no compile %s", flag)
		}
	}
}

// walk calls f for every command line, in a folder of its own.
func walk(t *testing.T, f func(t *testing.T, args []string, out string, silent bool)) {
	dir := t.TempDir()
	model := filepath.Join(dir, "tiny.onnx")
	data, err := os.ReadFile(filepath.Join(script.Models(), "tiny.onnx"))
	if err == nil {
		err = os.WriteFile(model, data, 0o666)
	}
	if err != nil {
		t.Fatal(err)
	}
	log := filepath.Join(dir, "log.csv")
	if err := os.WriteFile(log, []byte("stage,step,rate,loss,accuracy,gradient_norm,validation\nfloat,20,0.1,2,0.5,1,\nfloat,40,0.1,1,0.6,1,0.5\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	bytecode, arch := filepath.Join(dir, "tiny.billb"), filepath.Join(dir, "arch.bill")
	for _, args := range [][]string{
		{"compile", model, "-o", bytecode, "--ledger=none"},
		{"new", "--width=4", "--per-group=4", "--stages=2", "--frames=4", "--steps=4", "--height=16", "--columns=16", "--hidden=4", "--classes=12", "-o", arch},
	} {
		var said bytes.Buffer
		if code := run(ctx, args, nil, io.Discard, &said); code != 0 {
			t.Fatalf("%v: exit code %d: %s", args, code, &said)
		}
	}
	seen := map[string]bool{}
	for _, w := range walked {
		seen[w.name] = true
		out := filepath.Join(t.TempDir(), "out")
		args := strings.Fields(strings.NewReplacer("MODEL", model, "BYTECODE", bytecode, "ARCH", arch, "LOG", log, "OUT", out).Replace(w.args))
		t.Run(w.args, func(t *testing.T) { f(t, args, out, w.silent) })
	}
	_, k, _ := parse(newStreams(nil, io.Discard, io.Discard), []string{"version"})
	for _, n := range k.Model.Children {
		if !seen[n.Name] {
			t.Errorf("no command line of %s is walked", n.Name)
		}
	}
}

// A command that was told to stop before it begins ends soon, and leaves nothing
// but what a run of training needs to go on.
func TestCancelled(t *testing.T) {
	t.Cleanup(atomicfile.Resume) // a command that does not end in time stops all writing
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	walk(t, func(t *testing.T, args []string, out string, _ bool) {
		done := make(chan int, 1)
		var said bytes.Buffer
		go func() { done <- run(ctx, args, strings.NewReader(""), io.Discard, &said) }()
		var code int
		select {
		case code = <-done:
		case <-time.After(time.Minute):
			t.Fatal("it goes on")
		}
		if code != 0 && code != exitFailed {
			t.Errorf("exit code %d: %s", code, &said)
		}
		if code == exitFailed && !strings.Contains(said.String(), "interrupted") {
			t.Errorf("it says %q", said.String())
		}
		list, _ := os.ReadDir(filepath.Dir(out))
		for _, e := range list {
			if e.Name() != "out.run" && code != 0 {
				t.Errorf("%s is there", e.Name())
			}
		}
	})
}

type fullDisk struct{}

func (fullDisk) Write([]byte) (int, error) { return 0, errors.New("no space left on device") }

// What cannot be printed is a failure of every command that prints.
func TestFullStandardOutput(t *testing.T) {
	walk(t, func(t *testing.T, args []string, out string, silent bool) {
		if testing.Short() && args[0] == "demo" {
			t.Skip("it measures: skipped with -short")
		}
		if silent || args[0] == "train" && len(args) > 3 {
			t.Skip("it prints nothing on standard output, or takes minutes")
		}
		var said bytes.Buffer
		if code := run(context.Background(), args, nil, fullDisk{}, &said); code != exitFailed {
			t.Errorf("exit code %d", code)
		}
		if !strings.Contains(said.String(), "cannot write to standard output: no space left on device") {
			t.Errorf("it says %q", said.String())
		}
	})
}
