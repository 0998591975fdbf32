package exact

import (
	"fmt"
	"slices"

	"github.com/billnet/billnet/ir"
)

// How roll-steps writes the scan.

func (r *roller) bodyName() string {
	taken := map[string]bool{}
	for _, f := range r.m.All() {
		taken[f.Name] = true
	}
	for i := 1; ; i++ {
		if name := fmt.Sprintf("step%d", i); !taken[name] {
			return name
		}
	}
}

// canRun reports whether instructions stand for a body: none moves empty tensors as
// elements, and sums of integers of unknown range have no width.
func canRun(body *ir.Func) bool {
	wide := map[*ir.Value]bool{}
	for _, p := range body.Params {
		t := p.Value.Type
		if t.Elems() == 0 || t.Rank() > 6 {
			return false
		}
		wide[p.Value] = t.DType.IsInt() && t.DType.Bits() > 8
	}
	for _, n := range body.Nodes {
		from := slices.ContainsFunc(n.Args, func(a *ir.Value) bool { return wide[a] })
		if from && (n.Is(ir.BConv) || n.Is(ir.IConv) || n.Is(ir.ILinear)) {
			return false
		}
		for _, v := range n.Results {
			if v.Type.Elems() == 0 {
				return false
			}
			wide[v] = from && v.Type.DType.IsInt()
		}
	}
	return true
}

// scanWriter writes a body and the operands of its scan.
type scanWriter struct {
	body          *ir.Func
	values        map[*ir.Value]*ir.Value // of the step that the body is made of
	args          []*ir.Value
	axes, outAxes []int
	states        []place
}

// params declares the parameters, states first and then sequences, and makes the
// constants.
func (w *scanWriter) params(outer *ir.Builder, st *step, operands []operand, n int) {
	for _, kind := range []operandKind{stateOf, sequenceOf, fixed} {
		for k := range operands {
			o := &operands[k]
			if o.kind != kind {
				continue
			}
			v, t := st.outside[k], st.outside[k].Type
			shape := slices.Clone(t.Shape)
			if o.kept() {
				shape = slices.Delete(shape, o.first.axis, o.first.axis+1)
			}
			p := &ir.Value{Type: ir.T(t.DType, shape...)}
			w.body.Params = append(w.body.Params, ir.Port{Name: fmt.Sprintf("x%d", len(w.args)), Value: p})
			arg := o.value
			if kind == sequenceOf {
				var axis int
				arg, axis = o.sequence(outer, n)
				w.axes = append(w.axes, axis)
			}
			w.args = append(w.args, arg)
			w.values[v] = p
			if o.kept() {
				b := &ir.Builder{F: w.body, Loc: outer.Loc}
				w.values[v] = b.Op(ir.Unsqueeze, map[string]any{"axes": []int{o.first.axis}}, p)
			}
		}
	}
	for k, o := range operands {
		if o.kind == constant {
			c := ir.NewConst(ir.ConstOf(o.value), o.value.Def.Loc)
			w.body.Nodes = append(w.body.Nodes, c)
			w.values[st.outside[k]] = c.Result()
		}
	}
}

// node copies a node of the step.
func (w *scanWriter) node(n *ir.Node) error {
	args := make([]*ir.Value, len(n.Args))
	for i, a := range n.Args {
		args[i] = w.values[a]
	}
	k, err := ir.NewNode(n.Op, args, n.Attrs, n.Loc)
	if err != nil {
		return fmt.Errorf("BUG: %w", err)
	}
	w.body.Nodes = append(w.body.Nodes, k)
	for i, v := range n.Results {
		k.Results[i].Type = v.Type
		w.values[v] = k.Results[i]
	}
	return nil
}

func (w *scanWriter) result(st *step, at place) {
	w.body.Results = append(w.body.Results, ir.Port{Name: fmt.Sprintf("y%d", len(w.body.Results)), Value: w.values[st.at(at)]})
}

// collected is a value of every step that others than the steps read: at says which.
// Where all of them are joined along an axis by one node, in order or from the last to
// the first, the joined node reads the collected output in their place.
type collected struct {
	at       place
	axis     int
	joined   *ir.Node
	first    int // operand of joined
	backward bool
}

// outputs finds what is read of steps behind them. The last of a state is a result of
// its own.
func (r *roller) outputs(steps []*step, states []place) []collected {
	inside := map[*ir.Node]bool{}
	for _, st := range steps {
		for _, n := range st.nodes {
			inside[n] = true
		}
		for _, v := range st.folded {
			inside[ir.Def(v)] = true
		}
	}
	delete(inside, nil)
	var list []collected
	last := steps[len(steps)-1]
	for j, n := range last.nodes {
		for i := range n.Results {
			at := place{j, i}
			needed := false
			for _, st := range steps {
				if st == last && slices.Contains(states, at) {
					continue
				}
				readers := r.uses[st.at(at)]
				needed = needed || slices.ContainsFunc(readers, func(u *ir.Node) bool { return !inside[u] })
			}
			if needed {
				list = append(list, r.joinOf(steps, at))
			}
		}
	}
	return list
}

// joinOf finds the node that joins the values of all steps, behind an axis of one
// that each is given.
func (r *roller) joinOf(steps []*step, at place) collected {
	c := collected{at: at}
	for _, u := range r.uses[steps[0].at(at)] {
		if !u.Is(ir.Unsqueeze) || len(u.Ints("axes")) != 1 {
			continue
		}
		for _, join := range r.uses[u.Result()] {
			if !join.Is(ir.Concat) {
				continue
			}
			rank := join.Result().Type.Rank()
			axis, err := ir.Axis(join.Int("axis"), rank)
			if a, err2 := ir.Axis(u.Ints("axes")[0], rank); err != nil || err2 != nil || a != axis {
				continue
			}
			if first, backward, ok := joins(join, steps, at, axis); ok {
				c.axis, c.joined, c.first, c.backward = axis, join, first, backward
				return c
			}
		}
	}
	return c
}

// joins reports where the operands of a concatenation are the values of all steps.
func joins(join *ir.Node, steps []*step, at place, axis int) (first int, backward, ok bool) {
	of := func(a *ir.Value) *ir.Value {
		u := ir.Def(a)
		if !u.Is(ir.Unsqueeze) || len(u.Ints("axes")) != 1 {
			return nil
		}
		if k, err := ir.Axis(u.Ints("axes")[0], a.Type.Rank()); err != nil || k != axis {
			return nil
		}
		return u.Args[0]
	}
	n := len(steps)
	for first := 0; first+n <= len(join.Args); first++ {
		for _, backward := range []bool{false, true} {
			all := true
			for s := 0; s < n && all; s++ {
				k := first + s
				if backward {
					k = first + n - 1 - s
				}
				all = of(join.Args[k]) == steps[s].at(at)
			}
			if all {
				return first, backward, true
			}
		}
	}
	return 0, false, false
}

// redirect makes others read the collected output y.
func (c *collected) redirect(b *ir.Builder, repl map[*ir.Value]*ir.Value, steps []*step, y *ir.Value) {
	n := len(steps)
	if c.joined != nil {
		part := y
		if c.backward {
			part = b.Op(ir.Slice, map[string]any{"starts": []int{n - 1}, "ends": []int{-n - 1}, "axes": []int{c.axis}, "steps": []int{-1}}, y)
		}
		args := slices.Concat(c.joined.Args[:c.first], []*ir.Value{part}, c.joined.Args[c.first+n:])
		if len(args) > 1 {
			part = b.Op(ir.Concat, map[string]any{"axis": c.axis}, args...)
		}
		repl[c.joined.Result()] = part
	}
	for s, st := range steps {
		if v := st.at(c.at); v != nil && ir.ConstOf(v) == nil && repl[v] == nil {
			b.Loc = v.Def.Loc
			repl[v] = b.Op(ir.Gather, map[string]any{"axis": c.axis}, y, b.Const(ir.IntTensor(ir.I64, []int64{int64(s)})))
		}
	}
}
