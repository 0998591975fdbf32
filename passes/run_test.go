package passes_test

import (
	"context"
	"strings"
	"testing"

	"github.com/billnet/billnet/ir"
	"github.com/billnet/billnet/passes"
	"github.com/billnet/billnet/passes/exact"
)

// The passes below exist in this test only: one that panics, one that leaves a
// module that is not well formed, one that changes results.
var panics = &passes.Pass{Name: "test-panic", Run: func(*passes.Context, *ir.Module) error { panic("oh") }}

var malforms = &passes.Pass{Name: "test-malformed", Run: func(_ *passes.Context, m *ir.Module) error {
	m.Main().Nodes = nil
	return nil
}}

var changes = &passes.Pass{Name: "test-wrong", Run: passes.EachFunc(func(c *passes.Context, f *ir.Func) error {
	return c.Rewrite(f, func(rw *passes.Rewriter, n *ir.Node) []*ir.Value {
		if n.Op != ir.Relu {
			return nil
		}
		return []*ir.Value{rw.Op(ir.Neg, nil, n.Args[0])}
	})
})}

// reluModule is y = relu(x).
func reluModule(t *testing.T) *ir.Module {
	x := &ir.Value{Type: ir.T(ir.F32, 1, 3)}
	f := &ir.Func{Name: "main", Params: []ir.Port{{Name: "x", Value: x}}}
	b := &ir.Builder{F: f, Loc: ir.Loc{Name: "layer"}}
	f.Results = []ir.Port{{Name: "y", Value: b.Op(ir.Relu, nil, x)}}
	if b.Err != nil {
		t.Fatal(b.Err)
	}
	return &ir.Module{Name: "relu", Level: ir.Source, Funcs: []*ir.Func{f}}
}

// TestFailingPass: a pass that fails is named, its fault is an internal one, and
// the reproducer gets the module before it and the rest of the pipeline.
func TestFailingPass(t *testing.T) {
	t.Parallel()
	for pass, want := range map[*passes.Pass]string{
		panics:   "pass test-panic: BUG: oh",
		malforms: "pass test-malformed: BUG: the module is not well formed afterwards",
		changes:  "pass test-wrong: BUG: input 2 of 4: output \"y\" differs: element 0 is 2 against -2",
	} {
		m := reluModule(t)
		var before *ir.Module
		var rest []string
		_, err := passes.Run(context.Background(), m, passes.Steps(exact.FoldConstants, pass, exact.MergeEqual), passes.RunOptions{
			Check:     4,
			Reproduce: func(_ string, m *ir.Module, r []string) { before, rest = m, r },
		})
		if err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s: error is %v, expected %s", pass.Name, err, want)
		}
		if before == nil || len(before.Main().Nodes) != 1 || !before.Main().Nodes[0].Is(ir.Relu) || strings.Join(rest, " ") != pass.Name+" merge-equal" {
			t.Errorf("%s: the reproducer got %v and %v", pass.Name, before, rest)
		}
	}
}

func TestUnknownPass(t *testing.T) {
	t.Parallel()
	if _, err := passes.NewRegistry(nil, exact.FoldConstants).Parse("text", "fold"); err == nil || !strings.Contains(err.Error(), `unknown pass "fold"`) {
		t.Errorf("error is %v", err)
	}
}
