package passes

import (
	"context"
	"fmt"

	"github.com/billnet/billnet/ir"
)

// Rule looks at one node and returns the values that replace its results, one for
// each (nil: it keeps its readers), or nil when it does not apply. New nodes are
// appended through rw and so come before the node; an error goes into rw.Err.
// Results are replaced by values of the same type. A rule does not change the
// node, and none but what it appends.
type Rule func(rw *Rewriter, n *ir.Node) []*ir.Value

// Rewriter is what a rule builds with: a builder that stands before the node, with
// its location, and the readers of values.
type Rewriter struct {
	ir.Builder
	uses map[*ir.Value][]*ir.Node // as of the start of the sweep
	ctx  context.Context
}

// Ctx is the context of the run: a rule that loops over sizes looks at it.
func (rw *Rewriter) Ctx() context.Context { return rw.ctx }

// Readers returns the nodes that read a value, a function's result as nil. They
// are those at the start of the sweep: what rules appended since is not among
// them.
func (rw *Rewriter) Readers(v *ir.Value) []*ir.Node { return rw.uses[v] }

// Once reports whether a value has a single reader.
func (rw *Rewriter) Once(v *ir.Value) bool { return len(rw.uses[v]) == 1 }

// MaxSweeps bounds a fixpoint: rules that only ever move an operation toward the
// results, or remove nodes, need no more sweeps than a function has nodes.
const MaxSweeps = 10000

// Rewrite sweeps over a function, applying to every node the first rule that
// fires, until none does, and drops what died. It is an error when that takes more
// than MaxSweeps, when a rule's builder has one, when a value replaces another of
// a different type, and when the context of the run is done.
func (c *Context) Rewrite(f *ir.Func, rules ...Rule) error {
	for range MaxSweeps {
		changed, err := sweep(c.ctx, f, rules)
		if err != nil || !changed {
			return err
		}
	}
	return fmt.Errorf("BUG: rewriting did not come to an end after %d sweeps", MaxSweeps)
}

func sweep(ctx context.Context, f *ir.Func, rules []Rule) (changed bool, err error) {
	out := &ir.Func{}
	rw := &Rewriter{Builder: ir.Builder{F: out}, uses: f.Uses(), ctx: ctx}
	repl := map[*ir.Value]*ir.Value{}
	for _, n := range f.Nodes {
		for i, a := range n.Args {
			if r := repl[a]; r != nil {
				n.Args[i] = r
			}
		}
		if err := ctx.Err(); err != nil {
			return false, err
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

// EachFunc makes the body of a pass of a body for one function, which runs over the
// bodies of nodes too.
func EachFunc(run func(c *Context, f *ir.Func) error) func(c *Context, m *ir.Module) error {
	return func(c *Context, m *ir.Module) error {
		for _, f := range m.All() {
			if err := run(c, f); err != nil {
				return err
			}
		}
		return nil
	}
}
