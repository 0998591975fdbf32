package exact

import (
	"github.com/billnet/billnet/ir"
	"github.com/billnet/billnet/passes"
	"github.com/billnet/billnet/passes/analysis"
)

// Integers is the pass integers.
var Integers = &passes.Pass{
	Name: "integers",
	Doc: "Moves to_float from the inputs toward the outputs: a float operation whose operands are integers in disguise becomes an integer operation followed by to_float. " +
		"Convolutions and linear layers with binary weights become bconv, iconv and ilinear, max pooling of bits becomes pooling of bits, means become counts. " +
		"Weights of two values a channel are an affine of signs: beside their sum stands that of the window. " +
		"Scaled weights and scaled inputs (video divided by 255, a norm folded into the weights) leave an affine: class ideal.",
	Class: passes.Ideal,
	Needs: BinaryActivations,
	After: []string{"binary-activations", "roll-lstm"},
	Run: passes.EachFunc(func(c *passes.Context, f *ir.Func) error {
		return c.Rewrite(f, integerRules(analysis.NewRanger(), newFolder(f))...)
	}),
}

// integerRules are the rules that move to_float toward the outputs; r bounds integers and l folds constants.
func integerRules(r *analysis.Ranger, l *folder) []passes.Rule {
	ranged := func(f func(rw *passes.Rewriter, r *analysis.Ranger, n *ir.Node) []*ir.Value) passes.Rule {
		return func(rw *passes.Rewriter, n *ir.Node) []*ir.Value { return f(rw, r, n) }
	}
	return []passes.Rule{l.fold, dropIdentity, convPadding, padIntegers, sinkLayout, moveBelow, liftSingle, ranged(sinkConcat), sinkPool, globalMax, ranged(sinkMean), ranged(sinkSum), ranged(sinkCumSum), meanBelow, ranged(averageWindow),
		doubleAffine, sinkGate, gateToMux, gateToMuxOr, ternaryGate, ranged(sumOfIntegers), ranged(binaryConv), ranged(binaryLinear), recurrentInputs}
}

// binaryConv: a float conv of integers with binary weights is an integer conv.
func binaryConv(rw *passes.Rewriter, r *analysis.Ranger, n *ir.Node) []*ir.Value {
	if n.Op != ir.Conv {
		return nil
	}
	in, moved := scaledInput(n.Args[0], 1)
	wt := ir.ConstOf(n.Args[1])
	if in == nil || wt == nil {
		return nil
	}
	w, offset, num, den := in.weighOffset(wt, n.Int("groups"))
	if w == nil {
		return nil
	}
	if moved != nil {
		in.z = rw.Op(ir.Transpose, moved.Attrs, in.z)
	}
	in = in.addWhole(rw, r, 1)
	var bias *ir.Tensor
	if n.Arg(2) != nil {
		if bias = ir.ConstOf(n.Args[2]); bias == nil || !analysis.Finite32(bias) {
			return nil
		}
	}
	op := ir.IConv
	if in.z.Type.DType.IsBit() && w.Bits.Type.DType != ir.I8 {
		op = ir.BConv
	}
	under, border, ok := in.convBias(n, wt)
	if !ok {
		return nil
	}
	z := rw.Op(op, analysis.ConvAttrs(n), in.z, rw.Const(w.Bits))
	l := &layer{wt, w, num, den, bias, under, border, 1}
	if offset != nil {
		return in.emitOffset(rw, r, z, windowSum(rw, n, in.z, w.Bits.Type), offset, l)
	}
	if y := in.emit(rw, r, z, l); y != nil {
		return []*ir.Value{y}
	}
	return nil
}

// scaledInput is asScaled, also of a scaled integer whose axes are reordered before
// it is read (video that arrives frame by frame or channels last): then its z has
// to be moved by that transposition too.
func scaledInput(v *ir.Value, axis int) (s *scaled, moved *ir.Node) {
	if s = asScaled(v, axis); s != nil {
		return s, nil
	}
	t := ir.Def(v)
	if !t.Is(ir.Transpose) || axis >= len(t.Ints("perm")) {
		return nil, nil
	}
	if s = asScaled(t.Args[0], t.Ints("perm")[axis]); s == nil || s.border != nil {
		return nil, nil
	}
	return s, t
}

// convBias is what a convolution makes of the bias of its input; ok is false when
// that is other at too many positions.
func (s *scaled) convBias(n *ir.Node, w *ir.Tensor) (bias []float64, border *spread, ok bool) {
	if b, equal := same(s.bias); equal && b == 0 && s.border == nil {
		return s.bias[:1], nil, true
	}
	x := n.In(0).Shape
	if !spreadable(n) {
		return nil, nil, false
	}
	all := uniformSpread(s.bias, x[1], x[2:])
	if s.border != nil {
		all = s.border.plus(s.bias)
	}
	made := all.conv(n, w)
	if made == nil {
		return nil, nil, false
	}
	bias, border = made.split()
	return bias, border, true
}

// binaryLinear: a float matmul or gemm of integers with binary weights is an
// integer linear layer.
func binaryLinear(rw *passes.Rewriter, r *analysis.Ranger, n *ir.Node) []*ir.Value {
	if n.Op != ir.MatMul && n.Op != ir.Gemm {
		return nil
	}
	axis := n.In(0).Rank() - 1
	in := asScaled(n.Args[0], axis)
	wt := ir.ConstOf(n.Args[1])
	if in == nil || axis < 0 || in.border != nil || wt == nil || wt.Type.Rank() != 2 || wt.Type.DType != ir.F32 {
		return nil
	}
	var bias *ir.Tensor
	if n.Is(ir.Gemm) {
		if n.Float("alpha") != 1 || n.Bool("trans_a") {
			return nil
		}
		if n.Arg(2) != nil {
			bias = ir.ConstOf(n.Args[2])
			if bias == nil || n.Float("beta") != 1 || bias.Type.Rank() != 1 || bias.Len() != n.Result().Type.Shape[1] || !analysis.Finite32(bias) {
				return nil
			}
		}
	}
	if n.Is(ir.MatMul) || !n.Bool("trans_b") {
		wt = analysis.Transpose2D(wt)
	}
	w, offset, num, den := in.weighOffset(wt, 1)
	if w == nil {
		return nil
	}
	in = in.addWhole(rw, r, axis)
	under := make([]float64, wt.Type.Shape[0])
	if zero, equal := same(in.bias); !equal || zero != 0 {
		k := wt.Type.Shape[1]
		for o := range under {
			for i, x := range wt.FloatRange(o*k, (o+1)*k) {
				under[o] += float64(x) * in.bias[min(i, len(in.bias)-1)]
			}
		}
	}
	z := rw.Op(ir.ILinear, nil, in.z, rw.Const(w.Bits))
	l := &layer{wt, w, num, den, bias, under, nil, axis}
	if offset != nil {
		return in.emitOffset(rw, r, z, rw.Op(ir.ILinear, nil, in.z, rw.Const(ones(1, wt.Type.Shape[1]))), offset, l)
	}
	if y := in.emit(rw, r, z, l); y != nil {
		return []*ir.Value{y}
	}
	return nil
}

// doubleAffine: z*num/den + bias in f64, rounded to f32, is an affine: the form
// in which an export writes one.
func doubleAffine(rw *passes.Rewriter, n *ir.Node) []*ir.Value {
	if n.Op != ir.Cast || n.Result().Type.DType != ir.F32 || n.In(0).DType != ir.F64 {
		return nil
	}
	v, axis := n.Args[0], 1
	var p [3]*ir.Tensor
	for i, op := range []*ir.Op{ir.Add, ir.Div, ir.Mul} {
		d := ir.Def(v)
		if !d.Is(op) {
			return nil
		}
		t := ir.ConstOf(d.Args[1])
		if t == nil || t.Len() > 1 && t.Type.Rank() != n.In(0).Rank() {
			return nil
		}
		for a, size := range t.Type.Shape {
			if size == t.Len() && size > 1 {
				axis = a
			}
		}
		if t.Len() > 1 && t.Len() != n.In(0).Shape[axis] {
			return nil
		}
		p[2-i], v = t.Reshape(t.Len()), d.Args[0]
	}
	z := ir.Unwrap(ir.Unwrap(v, ir.Cast), ir.ToFloat)
	if z == nil || !ir.SameShape(z.Type.Shape, n.Result().Type.Shape) {
		return nil
	}
	return []*ir.Value{rw.Op(ir.Affine, map[string]any{"axis": axis}, z, rw.Const(p[0]), rw.Const(p[1]), rw.Const(p[2]))}
}
