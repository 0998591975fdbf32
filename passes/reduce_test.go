package passes_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/billnet/billnet/ir"
	"github.com/billnet/billnet/passes"
	"github.com/billnet/billnet/passes/exact"
)

// The passes below exist in this test only: one that gives something else for
// relu behind a convolution, one that panics where a sigmoid reads a relu.
var wrongConvRelu = &passes.Pass{Name: "test-conv-relu", Run: passes.EachFunc(func(c *passes.Context, f *ir.Func) error {
	return c.Rewrite(f, func(rw *passes.Rewriter, n *ir.Node) []*ir.Value {
		if n.Op != ir.Relu || !ir.Def(n.Args[0]).Is(ir.Conv) {
			return nil
		}
		return []*ir.Value{rw.Op(ir.Abs, nil, n.Args[0])}
	})
})}

var panicSigmoid = &passes.Pass{Name: "test-panic-sigmoid", Run: passes.EachFunc(func(_ *passes.Context, f *ir.Func) error {
	for _, n := range f.Nodes {
		if n.Is(ir.Sigmoid) && ir.Def(n.Args[0]).Is(ir.Relu) {
			panic(fmt.Sprintf("sigmoid of %s", n.In(0)))
		}
	}
	return nil
})}

// deepModule is six blocks of conv, add, relu with a sigmoid behind every other
// one, and two outputs.
func deepModule(t *testing.T) *ir.Module {
	x := &ir.Value{Type: ir.T(ir.F32, 1, 8, 6, 6)}
	f := &ir.Func{Name: "main", Params: []ir.Port{{Name: "x", Value: x}}}
	b := &ir.Builder{F: f}
	v := x
	for i := range 6 {
		b.Loc = ir.Loc{Name: fmt.Sprintf("block%d", i)}
		w := make([]float32, 8*8*9)
		for k := range w {
			w[k] = float32((k*7+i)%5) - 2
		}
		conv := b.Op(ir.Conv, map[string]any{"pad": []int{1, 1, 1, 1}}, v, b.Const(ir.FloatTensor(w, 8, 8, 3, 3)))
		v = b.Op(ir.Relu, nil, conv)
		v = b.Op(ir.Add, nil, v, x)
		if i%2 == 1 {
			v = b.Op(ir.Sigmoid, nil, b.Op(ir.Relu, nil, v))
		}
	}
	f.Results = []ir.Port{{Name: "y", Value: v}, {Name: "z", Value: b.Op(ir.Neg, nil, x)}}
	if b.Err != nil {
		t.Fatal(b.Err)
	}
	return &ir.Module{Name: "deep", Level: ir.Source, Funcs: []*ir.Func{f}}
}

// TestReduce: what is left is the pattern that a pass fails on and nothing else;
// the failure is of the same kind, and the model given stays as it was.
func TestReduce(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		pass  *passes.Pass
		kind  passes.FailureKind
		ops   string
		elems int // of the constants, at most
	}{
		{wrongConvRelu, passes.Differs, "conv relu", 9},
		{panicSigmoid, passes.Panics, "relu sigmoid", 0},
	} {
		m := deepModule(t)
		text, _ := ir.Print(m, "")
		steps := passes.Steps(exact.FoldConstants, exact.MergeEqual, c.pass, exact.FoldConstants)
		r, err := passes.Reduce(context.Background(), m, steps, passes.ReduceOptions{Check: 4, Steps: 2000})
		if err != nil {
			t.Fatal(c.pass.Name, err)
		}
		if after, _ := ir.Print(m, ""); after != text {
			t.Errorf("%s: the model given has changed", c.pass.Name)
		}
		var ops []string
		for _, n := range r.Module.Main().Nodes {
			if !n.Is(ir.Const) {
				ops = append(ops, n.Op.Name)
			}
		}
		if got := strings.Join(ops, " "); got != c.ops || r.After.Elems > c.elems || r.After.Results != 1 {
			text, _ := ir.Print(r.Module, "")
			t.Errorf("%s: left are %q, %s; expected %q and at most %d elements\n%s", c.pass.Name, got, r.After, c.ops, c.elems, text)
		}
		if r.Failure.Kind != c.kind || r.Failure.Pass != c.pass.Name || len(r.Steps) != 1 || r.Steps[0].Pass != c.pass {
			t.Errorf("%s: failure %q of %v, expected %q of that pass alone", c.pass.Name, r.Failure.Kind, r.Steps, c.kind)
		}
		if !r.Done {
			t.Errorf("%s: %d changes were not enough", c.pass.Name, r.Tried)
		}
		if _, err := passes.Run(context.Background(), r.Module.Clone(), r.Steps, passes.RunOptions{Check: 4}); err == nil {
			t.Errorf("%s: the reduced module does not fail", c.pass.Name)
		}
	}
}

// TestReduceLimit: the limit ends the search, and what is found until then fails.
func TestReduceLimit(t *testing.T) {
	t.Parallel()
	r, err := passes.Reduce(context.Background(), deepModule(t), passes.Steps(wrongConvRelu), passes.ReduceOptions{Check: 4, Steps: 3})
	if err != nil {
		t.Fatal(err)
	}
	if r.Done || r.Tried != 3 || r.Failure == nil {
		t.Errorf("done %v after %d changes, failure %v", r.Done, r.Tried, r.Failure)
	}
}

// TestReduceNothing: a pipeline that works cannot be reduced, and a context that
// ends stops the search.
func TestReduceNothing(t *testing.T) {
	t.Parallel()
	good := passes.Steps(exact.FoldConstants)
	if _, err := passes.Reduce(context.Background(), deepModule(t), good, passes.ReduceOptions{Check: 2, Steps: 10}); err == nil || !strings.Contains(err.Error(), "nothing to reduce") {
		t.Errorf("error is %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := passes.Reduce(ctx, deepModule(t), good, passes.ReduceOptions{Check: 2, Steps: 10}); err != context.Canceled {
		t.Errorf("error is %v, expected that of the context", err)
	}
}
