package passes

import "github.com/billnet/billnet/ir"

var _ = register(&Pass{
	Name: "scale-conversions",
	Doc: "An integer divided by a constant, or multiplied by one a channel, on its way into a float layer or an output (the mean in front of a float LSTM, the scale behind an integer layer) " +
		"becomes one conversion, an affine. The quotient or product of two float32 numbers, taken in f64 and rounded to f32, is the correctly rounded one.",
	Class: Exact,
	After: []string{"fuse-bn-threshold"},
	Run: eachFunc(func(c *Context, f *ir.Func) error {
		r := newRanger()
		return rewrite(f, divToAffine, func(rw *rewriter, n *ir.Node) []*ir.Value { return mulToAffine(rw, r, n) })
	}),
})

func divToAffine(rw *rewriter, n *ir.Node) []*ir.Value {
	if n.Op.Name != "div" {
		return nil
	}
	z := unwrap(n.Args[0], "to_float")
	den, ok := splat(n.Args[1])
	if z == nil || !ok || den == 0 || n.In(1).Elems() != 1 || z.Type.Rank() < 2 {
		return nil
	}
	return []*ir.Value{rw.Op("affine", nil, z, rw.doubles(1), rw.doubles(den), rw.doubles(0))}
}

// mulToAffine: the factors differ along one axis at most, and the integer is one
// that float32 holds exactly.
func mulToAffine(rw *rewriter, r *ranger, n *ir.Node) []*ir.Value {
	if n.Op.Name != "mul" || n.Result().Type.DType != ir.F32 || n.Result().Type.Rank() < 2 {
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
		axis, factors, ok := alongAxis(c, z.Type.Shape)
		if lo, hi := r.of(z).all(); !ok || !exactRange(lo, hi) {
			return nil
		}
		return []*ir.Value{rw.Op("affine", map[string]any{"axis": axis}, z, rw.doubles(factors...), rw.doubles(1), rw.doubles(0))}
	}
	return nil
}

// movedInteger returns the integer behind to_float, and behind operations that
// move elements, moved likewise; nil where there is none.
func movedInteger(rw *rewriter, v *ir.Value) *ir.Value {
	n := ir.Def(v)
	switch {
	case n.Is("to_float"):
		return n.Args[0]
	case n == nil || !movesElements(n) || len(n.Results) != 1:
		return nil
	}
	z := movedInteger(rw, n.Args[0])
	if z == nil {
		return nil
	}
	return rw.Op(n.Op.Name, n.Attrs, append([]*ir.Value{z}, n.Args[1:]...)...)
}

func (rw *rewriter) doubles(v ...float64) *ir.Value {
	return rw.Const(&ir.Tensor{Type: ir.T(ir.F64, len(v)), D: v})
}
