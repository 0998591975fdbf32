package passes

import (
	"context"
	"strings"
	"testing"

	"github.com/billnet/billnet/ir"
)

func testContext() *Context { return &Context{ctx: context.Background()} }

func addModule(t *testing.T) *ir.Func {
	t.Helper()
	x := &ir.Value{Type: ir.T(ir.F32, 2)}
	f := &ir.Func{Name: "main", Params: []ir.Port{{Name: "x", Value: x}}}
	b := &ir.Builder{F: f, Loc: ir.Loc{Name: "a"}}
	s := b.Op(ir.Add, nil, x, x)
	f.Results = []ir.Port{{Name: "y", Value: b.Op(ir.Relu, nil, s)}, {Name: "z", Value: b.Op(ir.Neg, nil, s)}}
	if b.Err != nil {
		t.Fatal(b.Err)
	}
	return f
}

// TestRewriteReaders: a rule sees who reads a value, the function's result as nil,
// and the name of the node it replaces goes to what it makes.
func TestRewriteReaders(t *testing.T) {
	f := addModule(t)
	err := testContext().Rewrite(f, func(rw *Rewriter, n *ir.Node) []*ir.Value {
		if !n.Is(ir.Add) {
			return nil
		}
		if readers := rw.Readers(n.Result()); len(readers) != 2 || rw.Once(n.Result()) {
			t.Errorf("%d readers of the sum, once %v", len(readers), rw.Once(n.Result()))
		}
		if readers := rw.Readers(rw.Readers(n.Result())[0].Result()); len(readers) != 1 || readers[0] != nil {
			t.Errorf("a result of the function is read by %v", readers)
		}
		return []*ir.Value{rw.Op(ir.Mul, nil, n.Args[0], rw.Scalar(2))}
	})
	if err != nil {
		t.Fatal(err)
	}
	mul := f.Nodes[1]
	if !mul.Is(ir.Mul) || mul.Loc.Name != "a" || len(f.Nodes) != 4 {
		t.Errorf("after the rule: %s", ir.PrintFunc(f))
	}
}

// TestRewriteFaults: a rule that does not come to an end, one whose builder fails and
// one that changes a type are errors.
func TestRewriteFaults(t *testing.T) {
	for name, c := range map[string]struct {
		rule Rule
		want string
	}{
		"endless": {func(rw *Rewriter, n *ir.Node) []*ir.Value {
			if !n.Is(ir.Add) {
				return nil
			}
			return []*ir.Value{rw.Op(ir.Add, nil, n.Args...)}
		}, "did not come to an end"},
		"builder": {func(rw *Rewriter, n *ir.Node) []*ir.Value {
			return []*ir.Value{rw.Op(ir.Add, nil, n.Args[0])}
		}, "add"},
		"type": {func(rw *Rewriter, n *ir.Node) []*ir.Value {
			if !n.Is(ir.Add) {
				return nil
			}
			return []*ir.Value{rw.Scalar(1)}
		}, "replaced by f32[]"},
	} {
		if err := testContext().Rewrite(addModule(t), c.rule); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error is %v, expected %q", name, err, c.want)
		}
	}
}
