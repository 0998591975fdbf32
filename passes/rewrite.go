package passes

import (
	"fmt"

	"github.com/billnet/billnet/ir"
)

// rule looks at one node and returns values that replace its results, or nil.
// New nodes are appended through rw and so come before the node.
type rule func(rw *rewriter, n *ir.Node) []*ir.Value

// rewriter is the state of one sweep over a function.
type rewriter struct {
	ir.Builder
	uses map[*ir.Value][]*ir.Node // as of the start of the sweep
}

// once reports whether a value has a single reader.
func (rw *rewriter) once(v *ir.Value) bool { return len(rw.uses[v]) == 1 }

// maxSweeps bounds the fixpoint: rules only ever move to_float toward the
// results or remove nodes, so a function needs no more sweeps than it has nodes.
const maxSweeps = 10000

// rewrite applies rules to every node until none fires, and drops what died.
func rewrite(f *ir.Func, rules ...rule) error {
	for range maxSweeps {
		changed, err := sweep(f, rules)
		if err != nil || !changed {
			return err
		}
	}
	return fmt.Errorf("BUG: rewriting did not come to an end after %d sweeps", maxSweeps)
}

func sweep(f *ir.Func, rules []rule) (changed bool, err error) {
	out := &ir.Func{}
	rw := &rewriter{Builder: ir.Builder{F: out}, uses: f.Uses()}
	repl := map[*ir.Value]*ir.Value{}
	for _, n := range f.Nodes {
		for i, a := range n.Args {
			if r := repl[a]; r != nil {
				n.Args[i] = r
			}
		}
		rw.Loc = n.Loc
		done := false
		for _, r := range rules {
			vals := r(rw, n)
			if rw.Err != nil {
				return false, fmt.Errorf("%s (%s): %w", n.Loc, n.Op.Name, rw.Err)
			}
			if vals == nil {
				continue
			}
			for i, v := range vals {
				if v == nil {
					continue
				}
				if n.Results[i].Type.DType != v.Type.DType || !ir.SameShape(n.Results[i].Type.Shape, v.Type.Shape) {
					return false, fmt.Errorf("BUG: %s (%s): result %d is %s, replaced by %s of %s", n.Loc, n.Op.Name, i, n.Results[i].Type, v.Type, v.Def.Op.Name)
				}
				repl[n.Results[i]] = v
			}
			changed, done = true, true
			break
		}
		if !done {
			out.Nodes = append(out.Nodes, n)
		}
	}
	f.Nodes = out.Nodes
	for i, r := range f.Results {
		if v := repl[r.Value]; v != nil {
			f.Results[i].Value = v
		}
	}
	f.RemoveDead()
	return changed, nil
}

// eachFunc makes a pass body of a body for one function.
func eachFunc(run func(c *Context, f *ir.Func) error) func(c *Context, m *ir.Module) error {
	return func(c *Context, m *ir.Module) error {
		for _, f := range m.Funcs {
			if err := run(c, f); err != nil {
				return err
			}
		}
		return nil
	}
}

// splat returns the number when v is a constant whose elements are all equal.
func splat(v *ir.Value) (float64, bool) {
	if v == nil {
		return 0, false
	}
	if c := ir.ConstOf(v); c != nil {
		return c.Splat()
	}
	return 0, false
}

// isSplat reports whether v is a constant with all elements x.
func isSplat(v *ir.Value, x float64) bool {
	s, ok := splat(v)
	return ok && s == x
}

// unwrap returns the operand when v is the result of the named operation.
func unwrap(v *ir.Value, op string) *ir.Value {
	if d := ir.Def(v); d.Is(op) {
		return d.Args[0]
	}
	return nil
}
