package exact

import (
	"slices"

	"github.com/billnet/billnet/ir"
)

// A first step often has parts that are constants, because the states are zeros
// there: a product with a state is folded, a sum with it is gone.

// foldedStep finds the step in front of a run of steps that is an equal one, with other
// states at first or folded with states of zero, and makes the run begin with it: the
// operands of last become those of one more step. It returns nil where there is none.
func foldedStep(b *ir.Builder, last *step, operands []operand) *step {
	for _, o := range operands {
		if o.kind == sequenceOf && (o.first == nil || o.first.k < o.stride || o.first.k-o.stride >= o.value.Type.Shape[o.first.axis]) {
			return nil
		}
	}
	f := matchFolded(last, operands, false)
	if f == nil {
		f = matchFolded(last, operands, true)
	}
	if f == nil {
		return nil
	}
	for k := range operands {
		switch o := &operands[k]; o.kind {
		case stateOf:
			t := last.outside[k].Type
			switch v := f.states[last.outside[k]]; {
			case v == nil:
				o.value = b.Const(ir.NewTensor(ir.T(t.DType, t.Shape...)))
			case ir.ConstOf(v) != nil:
				o.value = stretch(b, ir.ConstOf(v), t.Shape)
			default:
				o.value = v
			}
		case sequenceOf:
			e := *o.first
			e.k -= o.stride
			o.first = &e
		}
	}
	return &step{folded: f.folded}
}

// foldedMatch compares values of a step with values of one in front of all others.
type foldedMatch struct {
	last    *step
	zero    bool // the states are zeros, and what is made of them may be folded
	operand map[*ir.Value]*operand
	known   map[*ir.Value]*ir.Tensor // values of the step, nil for those that are no constants
	states  map[*ir.Value]*ir.Value  // what the states are at first
	folded  map[place]*ir.Value
}

// matchFolded compares what the states are in front of a run of steps with what a step
// gives; nil where they differ.
func matchFolded(last *step, operands []operand, zero bool) *foldedMatch {
	f := &foldedMatch{last: last, zero: zero, operand: map[*ir.Value]*operand{}, known: map[*ir.Value]*ir.Tensor{}, states: map[*ir.Value]*ir.Value{}, folded: map[place]*ir.Value{}}
	for k := range operands {
		o, v := &operands[k], last.outside[k]
		switch {
		case o.kind == repeats:
			continue
		case o.kind == constant:
			f.known[v] = ir.ConstOf(v)
		case o.kind == stateOf && zero:
			f.known[v] = ir.NewTensor(ir.T(v.Type.DType, v.Type.Shape...))
		}
		f.operand[v] = o
	}
	for _, o := range operands {
		if o.kind == stateOf && !f.match(last.at(o.source), o.value, false) {
			return nil
		}
	}
	if len(f.folded) == 0 {
		return nil
	}
	return f
}

// match reports whether value t of the step is value v; one that is a constant may be
// stretched where it is read elementwise.
func (f *foldedMatch) match(t, v *ir.Value, stretched bool) bool {
	if t == nil || v == nil {
		return t == v
	}
	o := f.operand[t]
	switch c := f.value(t); {
	case c != nil:
		k := ir.ConstOf(v)
		return k != nil && (k.Equal(c) || stretched && stretches(k, c))
	case o == nil:
	case o.kind == sequenceOf:
		e := elementOf(v)
		return e != nil && e.seq == o.value && e.axis == o.first.axis && e.kept == o.first.kept && e.k == o.first.k-o.stride
	case o.kind == stateOf:
		if w := f.states[t]; w != nil && w != v || !v.Type.Equal(t.Type) && !(stretched && ir.ConstOf(v) != nil) {
			return false
		}
		f.states[t] = v
		return true
	default:
		return t == v
	}
	at := place{f.last.index[t.Def], t.Index}
	if w, ok := f.folded[at]; ok {
		return w == v
	}
	if !f.equalNodes(t, v) && !f.sumWithZero(t, v) {
		return false
	}
	f.folded[at] = v
	return true
}

func (f *foldedMatch) equalNodes(t, v *ir.Value) bool {
	a, b := t.Def, v.Def
	if b == nil || t.Index != v.Index || len(a.Args) != len(b.Args) || stepKey(a) != stepKey(b) {
		return false
	}
	for i := range a.Args {
		if !f.match(a.Args[i], b.Args[i], a.Op.Kind == ir.Elementwise) {
			return false
		}
	}
	return true
}

// stretches reports whether constant k is c where its sizes of 1 are stretched.
func stretches(k, c *ir.Tensor) bool {
	if k.Type.DType != c.Type.DType || k.Len() == c.Len() {
		return false
	}
	b := &ir.Builder{F: &ir.Func{}}
	return ir.ConstOf(stretch(b, k, c.Type.Shape)).Equal(c) && b.Err == nil
}

// sumWithZero matches x + 0 with x, a sum of products, which is never -0.
func (f *foldedMatch) sumWithZero(t, v *ir.Value) bool {
	n := t.Def
	if !f.zero || !n.Is(ir.Add) || !t.Type.Equal(v.Type) {
		return false
	}
	d := ir.Def(v)
	if d == nil || d.Op.Kind != ir.Multiplies && d.Op.Kind != ir.Windows {
		return false
	}
	for i, a := range n.Args {
		if c := f.value(a); c != nil {
			if x, ok := c.Splat(); ok && x == 0 && f.match(n.Args[1-i], v, false) {
				return true
			}
		}
	}
	return false
}

// value is the constant that a value of the step is where the states are zeros, nil
// for others.
func (f *foldedMatch) value(t *ir.Value) *ir.Tensor {
	if c, ok := f.known[t]; ok {
		return c
	}
	f.known[t] = nil
	if _, ok := f.last.index[t.Def]; !ok || t.Def == nil {
		return nil
	}
	in := make([]*ir.Tensor, len(t.Def.Args))
	for i, a := range t.Def.Args {
		if a == nil {
			continue
		}
		if in[i] = f.value(a); in[i] == nil {
			return nil
		}
	}
	if slices.IndexFunc(in, func(x *ir.Tensor) bool { return x != nil }) < 0 {
		return nil
	}
	out, err := ir.EvalNode(t.Def, in)
	if err != nil {
		return nil
	}
	for i, r := range t.Def.Results {
		f.known[r] = out[i]
	}
	return f.known[t]
}
