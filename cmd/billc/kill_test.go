//go:build unix

package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/billnet/billnet/frontend/bill"
	"github.com/billnet/billnet/ir"
	"github.com/billnet/billnet/tests/golden/script"
)

var kills = flag.Int("kills", 30, "how often TestKill kills a command")

// output is a kind of output that TestKill interrupts: two command lines that
// write it differently, and what reads it back.
type output struct {
	name     string
	commands [2][]string
	slow     bool // compiles with the go command: one kill in ten
	state    func(t *testing.T, dir string) string
	noticed  string // a state that is neither old nor new, and that nobody takes for one of them
	versions [2]string
	takes    time.Duration
}

// TestKill kills commands at random moments. What they write is old or new, and
// of what they leave the next run removes all.
func TestKill(t *testing.T) {
	tools := t.TempDir()
	billc := filepath.Join(tools, "billc")
	self, err := os.Executable()
	if err == nil {
		err = os.Symlink(self, billc) // testscript.Main makes the command of the name
	}
	if err != nil {
		t.Fatal(err)
	}
	billrun := filepath.Join(tools, "billrun")
	if out, err := exec.Command("go", "build", "-o", billrun, "../billrun").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	work := killFiles(t, tools, billc)
	random := rand.New(rand.NewPCG(1, 2))
	list := killOutputs(billc, billrun, work)
	for i := range list {
		list[i].prepare(t)
	}
	torn, left := 0, 0
	for n := 0; n < *kills; n++ {
		o := &list[random.IntN(len(list))]
		for o.slow && n%10 != 0 {
			o = &list[random.IntN(len(list))]
		}
		dir := t.TempDir()
		from := random.IntN(2)
		o.run(t, dir, from)
		o.kill(t, dir, 1-from, time.Duration(random.Int64N(int64(o.takes)*5/4)))
		if got := o.state(t, dir); !slices.Contains(append(o.versions[:], o.noticed), got) {
			torn++
			t.Errorf("%s: neither old nor new: %s", o.name, got)
		}
		if temps := leftovers(t, dir); len(temps) > 1 {
			left++
			t.Errorf("%s: %v are left", o.name, temps)
		}
		o.run(t, dir, from)
		if temps := leftovers(t, dir); len(temps) > 0 {
			left++
			t.Errorf("%s: the next run leaves %v", o.name, temps)
		}
		if got := o.state(t, dir); got != o.versions[from] {
			t.Errorf("%s: the next run gives something else", o.name)
		}
	}
	t.Logf("%d kills: %d torn, %d with files left", *kills, torn, left)
}

// prepare writes both versions once and measures how long that takes.
func (o *output) prepare(t *testing.T) {
	for v := range 2 {
		dir := t.TempDir()
		start := time.Now()
		o.run(t, dir, v)
		o.takes = time.Since(start)
		o.versions[v] = o.state(t, dir)
	}
	if o.versions[0] == o.versions[1] {
		t.Fatalf("%s: both versions are the same", o.name)
	}
}

func (o *output) command(dir string, v int) *exec.Cmd {
	cmd := exec.Command(o.commands[v][0], o.commands[v][1:]...)
	cmd.Dir = dir
	return cmd
}

func (o *output) run(t *testing.T, dir string, v int) {
	t.Helper()
	if out, err := o.command(dir, v).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", o.name, err, out)
	}
}

func (o *output) kill(t *testing.T, dir string, v int, after time.Duration) {
	t.Helper()
	cmd := o.command(dir, v)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	time.Sleep(after)
	cmd.Process.Kill()
	cmd.Wait()
}

// leftovers are the temporary files in a folder.
func leftovers(t *testing.T, dir string) (temps []string) {
	list, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range list {
		if strings.HasPrefix(e.Name(), ".") && strings.HasSuffix(e.Name(), ".tmp") {
			temps = append(temps, e.Name())
		}
	}
	return temps
}

// killFiles writes two models that differ, compiled ones, and tensors.
func killFiles(t *testing.T, dir, billc string) string {
	model, err := os.ReadFile(filepath.Join(script.Models(), "tiny.onnx"))
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{"tiny.onnx": string(model), "a.txt": "a\nb\nc\n", "b.txt": "d\ne\nf\n"}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	for v, l := range []string{"a", "b"} {
		for _, args := range [][]string{
			{"compile", "tiny.onnx", "--labels", l + ".txt", "-o", l + ".billb"},
			{"clips", "--frames=4", "--height=8", "--columns=8", "--clips=1", clipsOf(v), "-o", l + ".npy"},
		} {
			cmd := exec.Command(billc, args...)
			cmd.Dir = dir
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
		}
	}
	return dir
}

// clipsOf are other clips for each version.
func clipsOf(v int) string { return fmt.Sprintf("--data=gestures{seed=%d}", v+1) }

func killOutputs(billc, billrun, work string) []output {
	at := func(name string) string { return filepath.Join(work, name) }
	compile := func(emit, out string) [2][]string {
		var c [2][]string
		for v, l := range []string{"a.txt", "b.txt"} {
			c[v] = []string{billc, "compile", at("tiny.onnx"), "--labels", at(l), "--emit=" + emit, "-o", out, "--ledger=none"}
			if emit == "ir" {
				// Other constants too: the side files of the two differ.
				c[v] = append(c[v], "--stop-after="+[]string{"none", "integers"}[v])
			}
		}
		return c
	}
	build, clips, npy := compile("bytecode", "out"), [2][]string{}, [2][]string{}
	var tensors [2][]string
	for v, l := range []string{"a", "b"} {
		build[v] = []string{billc, "build", at("tiny.onnx"), "--labels", at(l + ".txt"), "-o", "out"}
		clips[v] = []string{billc, "clips", "--clips=12", clipsOf(v), "-o", "out.npy"}
		npy[v] = []string{billc, "clips", "--clips=4", clipsOf(v), "-o", "out.png"}
		tensors[v] = []string{billrun, at("a.billb"), "--input", "clip=@" + at(l+".npy"), "--out", "out"}
	}
	return []output{
		{name: "bytecode", commands: compile("bytecode", "out.billb"), state: hashed},
		{name: "text with its side file", commands: compile("ir", "out.bill"), state: textState},
		{name: "onnx", commands: compile("onnx", "out.onnx"), state: hashed},
		{name: "go package", commands: compile("go", "out"), state: hashed},
		{name: "executable", commands: build, slow: true, state: hashed},
		{name: "clips", commands: clips, state: clipsState, noticed: noLabels},
		{name: "sheet", commands: npy, state: hashed},
		{name: "tensors", commands: tensors, state: hashed},
	}
}

// hashed is the names, modes and contents of all files but temporary ones.
func hashed(t *testing.T, dir string) string {
	h := sha256.New()
	var names []string
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || path == dir {
			return err
		}
		if strings.HasSuffix(e.Name(), ".tmp") {
			if e.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		fmt.Fprintln(h, path[len(dir):], info.Mode())
		names = append(names, e.Name())
		if e.IsDir() {
			return nil
		}
		text, err := os.ReadFile(path)
		h.Write(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%s %x", strings.Join(names, " "), h.Sum(nil))
}

const noLabels = "clips without their labels"

// clipsState is hashed, but for clips that lie there without their labels.
func clipsState(t *testing.T, dir string) string {
	if _, err := os.Stat(filepath.Join(dir, "out.labels.npy")); errors.Is(err, fs.ErrNotExist) {
		return noLabels
	}
	return hashed(t, dir)
}

// textState is the module that a text and its side file give.
func textState(t *testing.T, dir string) string {
	m, err := bill.ParseFile(filepath.Join(dir, "out.bill"))
	if err != nil {
		return err.Error()
	}
	return ir.PrintWhole(m)
}

// Two writers of one name do not mix: what is there is one of them.
func TestTwoWriters(t *testing.T) {
	dir := t.TempDir()
	model := filepath.Join(script.Models(), "tiny.onnx")
	path := filepath.Join(dir, "out.bill")
	labels := map[string]string{"a": "a\nb\nc\n", "b": "d\ne\nf\n"}
	var want []string
	write := func(l string) error {
		var said bytes.Buffer
		if code := run(context.Background(), []string{"compile", model, "--labels", filepath.Join(dir, l+".txt"), "--emit=ir", "--stop-after=none", "--ledger=none", "-o", path}, nil, &said, &said); code != 0 {
			return fmt.Errorf("exit code %d: %s", code, &said)
		}
		return nil
	}
	for l, text := range labels {
		if err := os.WriteFile(filepath.Join(dir, l+".txt"), []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
		if err := write(l); err != nil {
			t.Fatal(err)
		}
		want = append(want, textState(t, dir))
	}
	for range 5 {
		done := make(chan error, 4)
		for i := range cap(done) {
			go func() { done <- write([]string{"a", "b"}[i%2]) }()
		}
		for range cap(done) {
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
		if got := textState(t, dir); !slices.Contains(want, got) {
			t.Errorf("a mixture: %.200s", got)
		}
		if temps := leftovers(t, dir); len(temps) > 0 {
			t.Errorf("%v are left", temps)
		}
	}
}
