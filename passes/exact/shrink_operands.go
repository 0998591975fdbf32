package exact

import (
	"slices"

	"github.com/billnet/billnet/ir"
	"github.com/billnet/billnet/passes"
)

// shrinkOperands: an elementwise operation stretches its operands itself. One
// that was expanded beforehand is read as it was, and a constant that repeats
// along an axis, as exporters write a bias for every position, has it once.
func shrinkOperands(rw *passes.Rewriter, n *ir.Node) []*ir.Value {
	if n.Op.Kind != ir.Elementwise || len(n.Args) < 2 || len(n.Results) != 1 {
		return nil
	}
	shape := n.Result().Type.Shape
	args := slices.Clone(n.Args)
	changed := false
	for i, a := range args {
		if a == nil {
			continue
		}
		if x := ir.Unwrap(a, ir.Expand); x != nil && covers(args, i, x.Type.Shape, shape) {
			args[i], changed = x, true
			continue
		}
		t := ir.ConstOf(a)
		if t == nil || t.Len() < 2 {
			continue
		}
		for axis := range t.Type.Rank() {
			s := once(t, axis)
			if s != nil && covers(args, i, s.Type.Shape, shape) {
				t = s
			}
		}
		if t != ir.ConstOf(a) {
			args[i], changed = rw.Const(t), true
		}
	}
	if !changed {
		return nil
	}
	return []*ir.Value{rw.Op(n.Op, n.Attrs, args...)}
}

// covers reports whether operands still stretch to a shape when operand i has
// another one.
func covers(args []*ir.Value, i int, with, shape []int) bool {
	made := with
	for k, a := range args {
		if k == i || a == nil {
			continue
		}
		var err error
		if made, err = ir.Broadcast(made, a.Type.Shape); err != nil {
			return false
		}
	}
	return ir.SameShape(made, shape)
}

// once is a tensor that repeats along an axis, without the repetition; nil if it
// does not.
func once(t *ir.Tensor, axis int) *ir.Tensor {
	size := t.Type.Shape[axis]
	if size < 2 {
		return nil
	}
	inner := 1
	for _, d := range t.Type.Shape[axis+1:] {
		inner *= d
	}
	var first []int
	for i := range t.Len() {
		if at := i - i/inner%size*inner; at != i && !sameElement(t, i, at) {
			return nil
		} else if at == i {
			first = append(first, i)
		}
	}
	shape := slices.Clone(t.Type.Shape)
	shape[axis] = 1
	out := ir.NewTensor(ir.T(t.Type.DType, shape...))
	for k, i := range first {
		switch {
		case t.HoldsFloats():
			out.Floats()[k] = t.Float32(i)
		case t.HoldsDoubles():
			out.Doubles()[k] = t.Float(i)
		default:
			out.Ints()[k] = t.Int(i)
		}
	}
	return out
}

// sameElement reports whether elements i and j are the same to the bit.
func sameElement(t *ir.Tensor, i, j int) bool { return elementBits(t, i) == elementBits(t, j) }
