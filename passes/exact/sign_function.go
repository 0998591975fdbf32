package exact

import (
	"slices"

	"github.com/billnet/billnet/ir"
	"github.com/billnet/billnet/passes"
)

// signFunction: what is computed from nothing but the sign of one value, in
// whatever way (selections, masks, sums of comparisons, a second sign), has three
// values, for x < 0, x = 0 and x > 0. Where they are those of a sign, it is one.
func signFunction(rw *passes.Rewriter, n *ir.Node) []*ir.Value {
	if n.Op.Kind != ir.Elementwise || len(n.Results) != 1 || n.Result().Type.DType != ir.F32 || n.Is(ir.Neg) || n.Is(ir.ToFloat) {
		return nil
	}
	s := &signsOf{shape: n.Result().Type.Shape, known: map[*ir.Value]*ir.Tensor{}}
	t := s.apply(n, maxSignFunction)
	if t == nil || s.base == nil || t.Len() != 3 {
		return nil
	}
	signed := slices.Contains(t.Floats(), -1)
	x, of := s.base, [3]float32(t.Floats())
	if of[0] > of[2] { // a function that falls with x rises with -x
		x, of = rw.Op(ir.Neg, nil, x), [3]float32{of[2], of[1], of[0]}
	}
	low := float32(0)
	if signed {
		low = -1
	}
	switch {
	case of == [3]float32{-1, 0, 1}:
		return []*ir.Value{rw.Op(ir.Sign, nil, x)}
	case !signed && !n.Is(ir.Where): // 1 - b and a*b are half of a gate
	case of == [3]float32{low, low, 1}, of == [3]float32{low, 1, 1}:
		return []*ir.Value{rw.Op(ir.ToFloat, nil, rw.Op(ir.Step, map[string]any{"strict": of[1] == low, "signed": signed}, x))}
	}
	return nil
}

// maxSignFunction bounds the operations, one upon the other, of a function of a
// sign.
const maxSignFunction = 12

// signsOf evaluates functions of the sign of one value, its base.
type signsOf struct {
	base  *ir.Value
	shape []int // of all values but constants
	known map[*ir.Value]*ir.Tensor
}

// apply returns the three values of an operation on functions of the sign, for a
// negative base, 0 and a positive one; nil when it is none.
func (s *signsOf) apply(n *ir.Node, depth int) *ir.Tensor {
	in := make([]*ir.Tensor, len(n.Args))
	for i, a := range n.Args {
		if a == nil {
			continue
		}
		if in[i] = s.of(a, depth); in[i] == nil {
			return nil
		}
	}
	out, err := evalOn(n, in)
	if err != nil {
		return nil
	}
	return out
}

// of returns the three values of a value, or the one number of a constant.
func (s *signsOf) of(v *ir.Value, depth int) *ir.Tensor {
	if ir.ConstOf(v) != nil {
		x, ok := ir.Splat(v)
		if !ok {
			return nil
		}
		return ir.Scalar(v.Type.DType, x)
	}
	d := ir.Def(v)
	if d == nil || depth == 0 || d.Op.Kind != ir.Elementwise || len(d.Results) != 1 || !ir.SameShape(v.Type.Shape, s.shape) {
		return nil
	}
	if t, ok := s.known[v]; ok {
		return t
	}
	before := s.base
	t := s.apply(d, depth-1)
	if t == nil {
		s.base = before
		t = s.leaf(d)
	}
	s.known[v] = t
	return t
}

// leaf returns the three values of a sign or a comparison of the base with 0.
func (s *signsOf) leaf(d *ir.Node) *ir.Tensor {
	x := d.Args[0]
	switch {
	case d.Is(ir.Sign), d.Is(ir.Step):
	case d.Is(ir.Equal) && ir.IsSplat(d.Args[1], 0):
	case d.Is(ir.Equal) && ir.IsSplat(d.Args[0], 0):
		x = d.Args[1]
	default:
		return nil
	}
	values := []float32{-1, 0, 1}
	if y := ir.Unwrap(x, ir.Neg); y != nil {
		x, values = y, []float32{1, 0, -1}
	}
	if x.Type.DType != ir.F32 || s.base != nil && s.base != x {
		return nil
	}
	s.base = x
	in := []*ir.Tensor{ir.FloatTensor(values, 3)}
	if d.Is(ir.Equal) {
		in = append(in, ir.Scalar(ir.F32, 0))
	}
	out, err := evalOn(d, in)
	if err != nil {
		return nil
	}
	return out
}
