package exact

import (
	"math"

	"github.com/billnet/billnet/ir"
	"github.com/billnet/billnet/passes"
	"github.com/billnet/billnet/passes/analysis"
)

// IntegerArithmetic is the pass integer-arithmetic.
var IntegerArithmetic = &passes.Pass{
	Name: "integer-arithmetic",
	Doc: "Sums, products and limits of whole numbers in float32 become the same operations on 32-bit integers where every result stays below 2^24, so that float32 was exact; " +
		"the product of a bit and a sign is ternary. What integers and thresholds there are behind them follows. A rolled LSTM that has no integer kernel is unrolled for it.",
	Class: passes.Ideal,
	Needs: BinaryActivations,
	After: []string{"fuse-bn-threshold", "lower-lstm"},
	Run: passes.EachFunc(func(c *passes.Context, f *ir.Func) error {
		r := analysis.NewRanger()
		a := &integerArithmetic{r}
		// All rules in one sweep, from the inputs to the outputs: a recurrent
		// layer's step is integers before the next step reads it.
		rules := []passes.Rule{
			func(rw *passes.Rewriter, n *ir.Node) []*ir.Value { return fuseStep(rw, c, r, n) },
			func(rw *passes.Rewriter, n *ir.Node) []*ir.Value { return fuseSign(rw, c, r, n) },
			func(rw *passes.Rewriter, n *ir.Node) []*ir.Value { return fuseLevels(rw, c, r, n) },
			liftPool, stepOfBit,
			func(rw *passes.Rewriter, n *ir.Node) []*ir.Value { return lowerLSTM(rw, c, n) },
		}
		rules = append(rules, integerRules(r, newFolder(f))...)
		rules = append(rules, sliceOfNorm, signedBit, a.affine, a.pair, a.limit)
		for {
			if err := c.Rewrite(f, rules...); err != nil {
				return err
			}
			// One layer at a time: the next may have a kernel once what it reads
			// is bits.
			unrolled := false
			err := c.Rewrite(f, func(rw *passes.Rewriter, n *ir.Node) []*ir.Value {
				if unrolled {
					return nil
				}
				y := unrollLSTM(rw, c, n)
				unrolled = y != nil
				return y
			})
			if err != nil || !unrolled {
				return err
			}
		}
	}),
}

// integerArithmetic turns float operations over integers into integer ones.
type integerArithmetic struct{ r *analysis.Ranger }

// wholeOperand is a float value as whole numbers: an integer behind to_float, or
// a constant.
type wholeOperand struct {
	z      *ir.Value  // nil for a constant
	c      *ir.Tensor // i32
	lo, hi int64
}

func (a *integerArithmetic) operand(v *ir.Value) *wholeOperand {
	if z := ir.Unwrap(v, ir.ToFloat); z != nil {
		lo, hi := a.r.Of(z).All()
		return &wholeOperand{z: z, lo: lo, hi: hi}
	}
	t := ir.ConstOf(v)
	if t == nil || t.Type.DType != ir.F32 || t.Len() == 0 {
		return nil
	}
	w := &wholeOperand{lo: math.MaxInt32, hi: math.MinInt32}
	for _, x := range t.Floats() {
		f := float64(x)
		if f != math.Trunc(f) || math.Abs(f) >= analysis.ExactFloat {
			return nil
		}
		w.lo, w.hi = min(w.lo, int64(f)), max(w.hi, int64(f))
	}
	w.c = t.Convert(ir.I32)
	return w
}

// value is the operand as i32.
func (w *wholeOperand) value(rw *passes.Rewriter, r *analysis.Ranger) *ir.Value {
	v := w.z
	switch {
	case v == nil:
		v = rw.Const(w.c)
	case v.Type.DType != ir.I32:
		v = rw.Op(ir.Cast, map[string]any{"to": "i32"}, v)
	}
	r.Known[v] = analysis.Uniform(w.lo, w.hi)
	return v
}

// result remembers the bounds of z and returns it as a float; nil when the
// bounds are beyond what float32 holds exactly.
func (a *integerArithmetic) result(rw *passes.Rewriter, z *ir.Value, lo, hi int64) []*ir.Value {
	a.r.Known[z] = analysis.Uniform(lo, hi)
	return []*ir.Value{rw.Op(ir.ToFloat, nil, z)}
}

// sliceOfNorm: some channels of a batch norm are the batch norm of some channels.
func sliceOfNorm(rw *passes.Rewriter, n *ir.Node) []*ir.Value {
	if n.Op != ir.Slice {
		return nil
	}
	norm := ir.Def(n.Args[0])
	if _, ok := analysis.NormAffine(norm); !ok || len(n.Ints("axes")) != 1 || n.Ints("axes")[0] != 1 || len(n.Ints("starts")) != 1 || ir.Unwrap(norm.Args[0], ir.ToFloat) == nil {
		return nil
	}
	part := map[string]any{"starts": n.Ints("starts"), "ends": n.Ints("ends")}
	if s := n.Ints("steps"); len(s) > 0 {
		part["steps"] = s
	}
	args := []*ir.Value{rw.Op(ir.Slice, n.Attrs, norm.Args[0])}
	for _, p := range norm.Args[1:] {
		args = append(args, rw.Op(ir.Slice, part, p))
	}
	return []*ir.Value{rw.Op(ir.BatchNorm, norm.Attrs, args...)}
}

// signedBit: the product of a bit and a sign is ternary.
func signedBit(rw *passes.Rewriter, n *ir.Node) []*ir.Value {
	if n.Op != ir.Mul {
		return nil
	}
	for i := range 2 {
		b, s := bitOperand(n.Args[i]), bitOperand(n.Args[1-i])
		if b == nil || s == nil || b.Type.DType != ir.Bit || s.Type.DType != ir.SBit || !ir.SameShape(b.Type.Shape, s.Type.Shape) {
			continue
		}
		p := rw.Op(ir.Recode, nil, s)
		return []*ir.Value{rw.Op(ir.ToFloat, nil, rw.Op(ir.Join, nil, rw.Op(ir.BitAnd, nil, b, p), rw.Op(ir.BitAnd, nil, b, rw.Op(ir.BitNot, nil, p))))}
	}
	return nil
}

// pair: an operation of two operands.
func (a *integerArithmetic) pair(rw *passes.Rewriter, n *ir.Node) []*ir.Value {
	switch n.Op {
	case ir.Add, ir.Sub, ir.Mul, ir.Max, ir.Min:
	default:
		return nil
	}
	if len(n.Args) != 2 || n.Result().Type.DType != ir.F32 {
		return nil
	}
	x, y := a.operand(n.Args[0]), a.operand(n.Args[1])
	if x == nil || y == nil || x.z == nil && y.z == nil {
		return nil
	}
	if !analysis.ExactRange(x.lo, x.hi) || !analysis.ExactRange(y.lo, y.hi) {
		return nil
	}
	lo, hi := analysis.PairBounds(n.Op, x.lo, x.hi, y.lo, y.hi)
	if !analysis.ExactRange(lo, hi) {
		return nil
	}
	return a.result(rw, rw.Op(n.Op, nil, x.value(rw, a.r), y.value(rw, a.r)), lo, hi)
}

// affine: an affine of whole numbers gives one.
func (a *integerArithmetic) affine(rw *passes.Rewriter, n *ir.Node) []*ir.Value {
	if n.Op != ir.Affine || !ir.IsSplat(n.Args[2], 1) {
		return nil
	}
	num, bias := ir.ConstOf(n.Args[1]), ir.ConstOf(n.Args[3])
	axis, err := ir.Axis(n.Int("axis"), n.In(0).Rank())
	if num == nil || bias == nil || err != nil {
		return nil
	}
	channels := func(t *ir.Tensor) (v *wholeOperand) {
		shape := make([]int, n.In(0).Rank())
		for i := range shape {
			shape[i] = 1
		}
		shape[axis] = t.Len()
		return a.operand(rw.Const(t.Convert(ir.F32).Reshape(shape...)))
	}
	lo, hi := a.r.Of(n.Args[0]).All()
	x, p, b := &wholeOperand{z: n.Args[0], lo: lo, hi: hi}, channels(num), channels(bias)
	if p == nil || b == nil || !sameNumbers(num) || !sameNumbers(bias) || !analysis.ExactRange(lo, hi) || !analysis.ExactRange(p.lo, p.hi) {
		return nil
	}
	lo, hi = min(lo*p.lo, lo*p.hi, hi*p.lo, hi*p.hi), max(lo*p.lo, lo*p.hi, hi*p.lo, hi*p.hi)
	if !analysis.ExactRange(lo+b.lo, hi+b.hi) || !analysis.ExactRange(lo, hi) {
		return nil
	}
	z := x.value(rw, a.r)
	if p.lo != 1 || p.hi != 1 {
		z = rw.Op(ir.Mul, nil, z, p.value(rw, a.r))
	}
	if b.lo != 0 || b.hi != 0 {
		z = rw.Op(ir.Add, nil, z, b.value(rw, a.r))
	}
	return a.result(rw, z, lo+b.lo, hi+b.hi)
}

// sameNumbers reports whether f32 holds every number of an f64 tensor.
func sameNumbers(t *ir.Tensor) bool {
	for _, x := range t.Doubles() {
		if float64(float32(x)) != x {
			return false
		}
	}
	return true
}

// limit: negation, ReLU and clip.
func (a *integerArithmetic) limit(rw *passes.Rewriter, n *ir.Node) []*ir.Value {
	switch n.Op {
	case ir.Neg, ir.Relu, ir.Clip:
	default:
		return nil
	}
	if n.Result().Type.DType != ir.F32 {
		return nil
	}
	x := a.operand(n.Args[0])
	if x == nil || x.z == nil || !analysis.ExactRange(x.lo, x.hi) {
		return nil
	}
	if n.Is(ir.Neg) {
		return a.result(rw, rw.Op(ir.Neg, nil, x.value(rw, a.r)), -x.hi, -x.lo)
	}
	args := []*ir.Value{nil, nil, nil}
	lo, hi := x.lo, x.hi
	bound := func(i int, v float64) bool {
		if v != math.Trunc(v) || math.Abs(v) >= analysis.ExactFloat {
			return false
		}
		if args[i] = rw.Const(ir.Scalar(ir.I32, v)); i == 1 {
			lo, hi = max(lo, int64(v)), max(hi, int64(v))
		} else {
			lo, hi = min(lo, int64(v)), min(hi, int64(v))
		}
		return true
	}
	if n.Is(ir.Relu) && !bound(1, 0) {
		return nil
	}
	for i := 1; n.Is(ir.Clip) && i < 3; i++ {
		if n.Arg(i) == nil {
			continue
		}
		if v, ok := ir.Splat(n.Args[i]); !ok || !bound(i, v) {
			return nil
		}
	}
	args[0] = x.value(rw, a.r)
	return a.result(rw, rw.Op(ir.Clip, nil, args...), lo, hi)
}
