package exact

import (
	"github.com/billnet/billnet/ir"
	"github.com/billnet/billnet/passes"
	"github.com/billnet/billnet/passes/analysis"
)

// ScaleConversions is the pass scale-conversions.
var ScaleConversions = &passes.Pass{
	Name: "scale-conversions",
	Doc: "An integer divided by a constant, or multiplied by one a channel, on its way into a float layer or an output (the mean in front of a float LSTM, the scale behind an integer layer) " +
		"becomes one conversion, an affine. The quotient or product of two float32 numbers, taken in f64 and rounded to f32, is the correctly rounded one.",
	Class: passes.Exact,
	Needs: BinaryActivations,
	After: []string{"fuse-bn-threshold"},
	Run: passes.EachFunc(func(c *passes.Context, f *ir.Func) error {
		r := analysis.NewRanger()
		return c.Rewrite(f, divToAffine, func(rw *passes.Rewriter, n *ir.Node) []*ir.Value { return mulToAffine(rw, r, n) })
	}),
}

func divToAffine(rw *passes.Rewriter, n *ir.Node) []*ir.Value {
	if n.Op != ir.Div {
		return nil
	}
	z := ir.Unwrap(n.Args[0], ir.ToFloat)
	den, ok := ir.Splat(n.Args[1])
	if z == nil || !ok || den == 0 || n.In(1).Elems() != 1 || z.Type.Rank() < 2 {
		return nil
	}
	return []*ir.Value{rw.Op(ir.Affine, nil, z, rw.Float64s(1), rw.Float64s(den), rw.Float64s(0))}
}

// mulToAffine: the factors differ along one axis at most, and the integer is one
// that float32 holds exactly.
func mulToAffine(rw *passes.Rewriter, r *analysis.Ranger, n *ir.Node) []*ir.Value {
	if n.Op != ir.Mul || n.Result().Type.DType != ir.F32 || n.Result().Type.Rank() < 2 {
		return nil
	}
	for i := range 2 {
		c := ir.ConstOf(n.Args[1-i])
		if c == nil {
			continue
		}
		z := movedInteger(rw, n.Args[i])
		if z == nil || !ir.SameShape(z.Type.Shape, n.Result().Type.Shape) {
			continue
		}
		axis, factors, ok := analysis.AlongAxis(c, z.Type.Shape)
		if lo, hi := r.Of(z).All(); !ok || !analysis.ExactRange(lo, hi) {
			return nil
		}
		return []*ir.Value{rw.Op(ir.Affine, map[string]any{"axis": axis}, z, rw.Float64s(factors...), rw.Float64s(1), rw.Float64s(0))}
	}
	return nil
}

// movedInteger returns the integer behind to_float, and behind operations that
// move elements, moved likewise; nil where there is none.
func movedInteger(rw *passes.Rewriter, v *ir.Value) *ir.Value {
	n := ir.Def(v)
	switch {
	case n.Is(ir.ToFloat):
		return n.Args[0]
	case n == nil || !analysis.MovesElements(n) || len(n.Results) != 1:
		return nil
	}
	z := movedInteger(rw, n.Args[0])
	if z == nil {
		return nil
	}
	return rw.Op(n.Op, n.Attrs, append([]*ir.Value{z}, n.Args[1:]...)...)
}
