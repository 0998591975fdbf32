package pipeline_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/billnet/billnet/frontend/bill"
	"github.com/billnet/billnet/ir"
	"github.com/billnet/billnet/passes"
	"github.com/billnet/billnet/passes/pipeline"
)

var update = flag.Bool("update", false, "rewrite what passes make of the cases in testdata/passes")

// A passCase is a network before and after a pass: testdata/passes/PASS/NAME.txtar.
// Its comment says what it shows, and may have the lines
//
//	run: PASS{option=value}    the pass, where it has options
//	prepare: PASS, PASS, ...   what runs on the file source to give the file before
//	level: logic               of the file that is written by hand, source if not said
//	clips: 3                   calibration clips
//	moves: 0.2                 a lossy pass: the outputs' largest relative error, 0 for equal numbers
//	finite                     float inputs are neither infinite nor NaN
//	close                      floats may differ by what an exact pass may move them
//	stays                      the pass leaves the network as it is
//
// The file that is written by hand is before, or with prepare source; go test -update
// writes the others, if an evaluation says that the pass is right.
type passCase struct {
	file    string
	archive *txtar.Archive
	keys    map[string]string
}

func readCase(t *testing.T, file string) *passCase {
	t.Helper()
	a, err := txtar.ParseFile(file)
	if err != nil {
		t.Fatal(err)
	}
	c := &passCase{file, a, map[string]string{"run": filepath.Base(filepath.Dir(file)), "level": "source"}}
	for line := range strings.Lines(string(a.Comment)) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		switch key {
		case "run", "prepare", "level", "clips", "moves", "finite", "close", "stays":
			c.keys[key] = strings.TrimSpace(value)
		}
	}
	return c
}

func (c *passCase) has(key string) bool { _, ok := c.keys[key]; return ok }

// section returns a file of the archive, nil when it is not there.
func (c *passCase) section(name string) *txtar.File {
	for i := range c.archive.Files {
		if c.archive.Files[i].Name == name {
			return &c.archive.Files[i]
		}
	}
	return nil
}

// write sets a file of the archive.
func (c *passCase) write(name, text string) {
	if f := c.section(name); f != nil {
		f.Data = []byte(text)
		return
	}
	c.archive.Files = append(c.archive.Files, txtar.File{Name: name, Data: []byte(text)})
}

// parse reads the network that is written by hand.
func (c *passCase) parse(t *testing.T) *ir.Module {
	t.Helper()
	name := "before"
	if c.has("prepare") {
		name = "source"
	}
	f := c.section(name)
	if f == nil {
		t.Fatalf("%s has no file %q", c.file, name)
	}
	header := fmt.Sprintf("bill 1 module \"case\" level=%s ", c.keys["level"])
	m, err := bill.Parse(name, append([]byte(header), f.Data...), nil)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// apply runs passes over a module.
func (c *passCase) apply(t *testing.T, m *ir.Module, text string) (*passes.Result, []passes.Step) {
	t.Helper()
	steps, err := pipeline.Registry().Parse(c.file, text)
	if err != nil {
		t.Fatal(err)
	}
	var o passes.RunOptions
	if n, _ := strconv.Atoi(c.keys["clips"]); n > 0 {
		rng := rand.New(rand.NewPCG(1, 1))
		for range n {
			o.Clips = append(o.Clips, ir.RandomInputs(m.Main(), rng, 2))
		}
	}
	res, err := passes.Run(context.Background(), m, steps, o)
	if err != nil {
		t.Fatal(err)
	}
	return res, steps
}

// TestPasses: every pass makes of every network what the case says, and what it makes
// computes what the network computed, within the pass's class.
func TestPasses(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/passes/*/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	changes, stays := map[string]int{}, map[string]int{}
	for _, file := range files {
		c, pass := readCase(t, file), filepath.Base(filepath.Dir(file))
		if c.has("stays") {
			stays[pass]++
		} else {
			changes[pass]++
		}
		t.Run(pass+"/"+strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			t.Parallel()
			c.check(t)
		})
	}
	for _, p := range pipeline.Registry().All() {
		if changes[p.Name] == 0 {
			t.Errorf("pass %s has no case in testdata/passes/%s that it changes", p.Name, p.Name)
		}
		if stays[p.Name] == 0 && p.To != ir.Packed { // layout places everything
			t.Errorf("pass %s has no case in testdata/passes/%s that it leaves alone", p.Name, p.Name)
		}
		delete(changes, p.Name)
		delete(stays, p.Name)
	}
	for name := range changes {
		t.Errorf("testdata/passes/%s: there is no such pass", name)
	}
}

func (c *passCase) check(t *testing.T) {
	m := c.parse(t)
	if c.has("prepare") {
		c.apply(t, m, c.keys["prepare"])
		c.compare(t, "before", printed(m))
	}
	before := m.Clone()
	res, steps := c.apply(t, m, c.keys["run"])
	c.evaluate(t, before, m, steps[0].Pass.Class, res)
	text := printed(m)
	if same := text == printed(before); same != c.has("stays") {
		t.Fatalf("the pass changes the network: %v; the case says %v\n%s", !same, !c.has("stays"), text)
	}
	if !c.has("stays") {
		c.compare(t, "after", text)
	}
	if *update && !t.Failed() {
		if err := os.WriteFile(c.file, txtar.Format(c.archive), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// compare compares a file of the archive with what there is.
func (c *passCase) compare(t *testing.T, name, text string) {
	t.Helper()
	if *update {
		c.write(name, text)
		return
	}
	if f := c.section(name); f == nil || string(f.Data) != text {
		t.Errorf("%s: the network %s the pass is another one; go test -update rewrites it. It is\n%s", c.file, name, text)
	}
}

// evaluate compares what the networks compute.
func (c *passCase) evaluate(t *testing.T, before, after *ir.Module, class passes.Class, res *passes.Result) {
	t.Helper()
	if class == passes.Lossy {
		bound, err := strconv.ParseFloat(c.keys["moves"], 64)
		if err != nil {
			t.Fatalf("a case of a lossy pass says how far the outputs may move: %v", err)
		}
		for _, v := range res.Moved {
			if !(v.Error <= bound) {
				t.Errorf("output %q moved by %.3g on the clips, expected at most %g", v.Output, v.Error, bound)
			}
		}
		if bound > 0 {
			return
		}
	}
	rng := rand.New(rand.NewPCG(2, 3))
	for i := range 40 {
		in := caseInputs(after.Main(), rng, i, !c.has("finite") && class == passes.Exact)
		want, err := ir.Eval(context.Background(), before.Main(), ir.ConvertInputs(before.Main(), in), nil)
		if err != nil {
			t.Fatal(err)
		}
		got, err := ir.Eval(context.Background(), after.Main(), in, nil)
		if err != nil {
			t.Fatal(err)
		}
		for k, r := range before.Main().Results {
			if err := sameResult(want[k], got[k], class == passes.Ideal || c.has("close")); err != nil {
				t.Fatalf("input %d, output %q: %v\n%s\n%s", i, r.Name, err, ir.PrintFunc(before.Main()), ir.PrintFunc(after.Main()))
			}
		}
	}
}

// caseInputs returns zeros, the smallest, the largest, ones, numbers about zero among
// which are ties, and random ones; with special, floats that are not finite too.
func caseInputs(f *ir.Func, rng *rand.Rand, number int, special bool) []*ir.Tensor {
	in := ir.RandomInputs(f, rng, number%20)
	near := []float64{0, math.Copysign(0, -1), 0.5, -0.5, 1, -1, 1.5, -1.5, 2, 2.5, -2.5, 3, 1e-30, -1e-30}
	odd := append([]float64{math.NaN(), math.Inf(1), math.Inf(-1)}, near...)
	for _, x := range in {
		d := x.Type.DType
		lo, hi := d.Range()
		if d.IsFloat() {
			lo, hi = -4, 4
		}
		for i := range x.Len() {
			switch {
			case number == 2:
				x.SetFloat(i, float64(lo))
			case number == 3:
				x.SetFloat(i, 1)
			case number < 20:
			case special && d.IsFloat() && number > 32:
				x.SetFloat(i, odd[rng.IntN(len(odd))])
			case d.IsFloat():
				x.SetFloat(i, near[rng.IntN(len(near))])
			case d != ir.SBit:
				x.SetFloat(i, float64(max(lo, min(hi, int64(rng.IntN(7)-3)))))
			}
		}
	}
	return in
}

// sameResult compares two results: they have equal numbers or, where floats may be
// close, those that Compare takes for equal.
func sameResult(a, b *ir.Tensor, near bool) error {
	if near {
		if d := ir.Compare(a, b); d != "" {
			return errors.New(d)
		}
		return nil
	}
	if a.Type.DType != b.Type.DType || !ir.SameShape(a.Type.Shape, b.Type.Shape) {
		return fmt.Errorf("%s before, %s after", a.Type, b.Type)
	}
	for i := range a.Len() {
		if x, y := a.Float(i), b.Float(i); x != y && (x == x || y == y) {
			return fmt.Errorf("element %d is %v before, %v after", i, x, y)
		}
	}
	return nil
}

func printed(m *ir.Module) string { return strings.TrimSpace(ir.PrintFunc(m.Main())) + "\n" }
