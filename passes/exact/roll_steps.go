package exact

import (
	"fmt"
	"slices"

	"github.com/billnet/billnet/ir"
	"github.com/billnet/billnet/passes"
)

// RollSteps is the pass roll-steps.
var RollSteps = &passes.Pass{
	Name: "roll-steps",
	Doc: "Rolls what is written out step by step into one scan: equal copies of a part of the network, each of which reads what the one before computed. " +
		"Any recurrent cell is such a part, with the layers in front of it that work on one step alone. Steps at either end that differ stay as they are.",
	Class: passes.Exact,
	After: []string{"merge-equal", "roll-lstm", "fuse-threshold"},
	Run: func(c *passes.Context, m *ir.Module) error {
		for _, f := range slices.Clone(m.Funcs) {
			r := &roller{m: m, f: f, failed: map[*ir.Node]bool{}}
			for {
				if err := c.Ctx().Err(); err != nil {
					return err
				}
				steps, err := r.roll()
				if err != nil {
					return err
				}
				if steps == 0 {
					break
				}
				c.Note("%d steps that are written out were rolled up into one", steps)
			}
		}
		return nil
	},
}

// Bounds of what is rolled: fewer steps gain nothing, and a region of bytecode
// executes so many instructions.
const (
	minRolled   = 3
	maxRolled   = 1 << 16
	maxExecuted = 1 << 20
)

// roller finds chains of equal steps in a function. The nodes that apply one
// weight, each to what depends on the one before, are the anchors of a chain: step s
// is what the data of anchor s+1 is made of beyond the data of anchor s.
type roller struct {
	m      *ir.Module
	f      *ir.Func
	uses   map[*ir.Value][]*ir.Node
	depth  map[*ir.Node]int  // anchors of the chain that a node is made of, itself included
	failed map[*ir.Node]bool // first anchors of what cannot be rolled, and nodes that join it
}

// roll rolls the first chain that can be, and returns how many steps it had.
func (r *roller) roll() (int, error) {
	r.uses = r.f.Uses()
	for _, anchors := range anchorGroups(r.f) {
		if r.failed[anchors[0]] || !r.chained(anchors) {
			continue
		}
		var chains []*stepChain
		for _, roots := range r.roots(anchors) {
			chains = append(chains, r.chainsBetween(roots)...)
		}
		slices.SortStableFunc(chains, func(a, b *stepChain) int { return b.to - b.from - a.to + a.from })
		for _, c := range chains {
			if steps, err := r.replace(c); steps > 0 || err != nil {
				return steps, err
			}
		}
		r.failed[anchors[0]] = true
	}
	return r.rollJoined()
}

// rollJoined rolls steps that read nothing of one another, all of whose results one
// node joins behind a new axis.
func (r *roller) rollJoined() (int, error) {
	r.depth = map[*ir.Node]int{}
	for _, join := range r.f.Nodes {
		if !join.Is(ir.Concat) || len(join.Args) < minRolled || r.failed[join] {
			continue
		}
		roots := []*ir.Value{nil}
		for _, a := range join.Args {
			if u := ir.Def(a); u.Is(ir.Unsqueeze) && sameAxes(u, ir.Def(join.Args[0])) {
				roots = append(roots, u.Args[0])
			}
		}
		if len(roots) > len(join.Args) {
			if c := r.chainOf(roots); c.to-c.from >= minRolled {
				if steps, err := r.replace(c); steps > 0 || err != nil {
					return steps, err
				}
			}
		}
		r.failed[join] = true
	}
	return 0, nil
}

// replace puts a scan in the place of equal steps, and returns how many they are; 0
// where there is none that does the same.
func (r *roller) replace(c *stepChain) (int, error) {
	steps := c.steps[c.from:c.to]
	n := len(steps)
	last := steps[n-1]
	if n > maxRolled || n*4*len(last.nodes) > maxExecuted {
		return 0, nil
	}
	out := &ir.Func{}
	// What is new has a name of its own: values of the source's layers go by those.
	loc := last.nodes[len(last.nodes)-1].Loc
	loc.Name += ".steps"
	b := &ir.Builder{F: out, Loc: loc}
	operands, ok := operandsOf(b, steps)
	if !ok || b.Err != nil {
		return 0, b.Err
	}
	if st := foldedStep(b, last, operands); st != nil {
		steps = append([]*step{st}, steps...)
		n++
	}
	w := &scanWriter{body: &ir.Func{Name: r.bodyName()}, values: map[*ir.Value]*ir.Value{}}
	w.params(b, last, operands, n)
	for _, k := range last.nodes {
		if err := w.node(k); err != nil {
			return 0, err
		}
	}
	if !canRun(w.body) {
		return 0, nil
	}
	for i := range operands {
		if o := &operands[i]; o.kind == stateOf {
			w.states = append(w.states, o.source)
			w.result(last, o.source)
		}
	}
	outputs := r.outputs(steps, w.states)
	for _, o := range outputs {
		w.result(last, o.at)
		w.outAxes = append(w.outAxes, o.axis)
	}
	node, err := ir.NewNode(ir.Scan, w.args, map[string]any{"body": w.body, "steps": n, "states": len(w.states), "axes": w.axes, "out_axes": w.outAxes}, b.Loc)
	if err != nil {
		return 0, fmt.Errorf("BUG: %w", err)
	}
	out.Nodes = append(out.Nodes, node)
	repl := map[*ir.Value]*ir.Value{}
	for i, o := range outputs {
		o.redirect(b, repl, steps, node.Results[len(w.states)+i])
	}
	for i, at := range w.states {
		if v := last.at(at); repl[v] == nil {
			repl[v] = node.Results[i]
		}
	}
	if b.Err != nil {
		return 0, b.Err
	}
	r.f.Nodes = append(r.f.Nodes, out.Nodes...)
	r.f.Replace(repl)
	if err := r.f.Sort(); err != nil {
		return 0, fmt.Errorf("BUG: %w", err)
	}
	r.f.RemoveDead()
	return n, nil
}
