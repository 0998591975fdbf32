package passes

import "github.com/billnet/billnet/ir"

var _ = register(&Pass{
	Name: "scale-conversions",
	Doc: "An integer divided by a constant on its way into a float layer (the mean in front of a float LSTM) becomes one conversion, an affine with that divisor. " +
		"The quotient of two float32 numbers, taken in f64 and rounded to f32, is the correctly rounded quotient.",
	Class: Exact,
	After: []string{"fuse-bn-threshold"},
	Run: eachFunc(func(c *Context, f *ir.Func) error {
		return rewrite(f, func(rw *rewriter, n *ir.Node) []*ir.Value {
			if n.Op.Name != "div" {
				return nil
			}
			s := asScaled(n.Result())
			if s == nil || s.exact || s.num != 1 || !isScalarLike(n.In(1)) || s.z.Type.Rank() < 2 {
				return nil
			}
			vec := func(x float64) *ir.Value { return rw.Const(&ir.Tensor{Type: ir.T(ir.F64, 1), D: []float64{x}}) }
			return []*ir.Value{rw.Op("affine", nil, s.z, vec(1), vec(s.den), vec(0))}
		})
	}),
})
