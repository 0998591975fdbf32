package exact

import (
	"math"

	"github.com/billnet/billnet/ir"
	"github.com/billnet/billnet/passes"
)

// MultiBit is the pass multi-bit.
var MultiBit = &passes.Pass{
	Name: "multi-bit",
	Doc: "Recognises the few-bit quantizers of exporters (QONNX Quant, QuantizeLinear and DequantizeLinear, DoReFa's Round between two Muls) " +
		"and writes each as a quantization to integers, scaled back.",
	Class: passes.Exact,
	Needs: BinaryActivations,
	After: []string{"fold-constants", "binary-activations"},
	Run: passes.EachFunc(func(c *passes.Context, f *ir.Func) error {
		return passes.Rewrite(f, quantToInteger, dequantize, roundOfBounded)
	}),
}

// toGrid quantizes x to lo..hi with a scale: clip(quantize_linear(x)).
func toGrid(rw *passes.Rewriter, x *ir.Value, scale float64, lo, hi int64) *ir.Value {
	d := ir.U8
	if lo < 0 {
		d = ir.I8
	}
	k := func(v int64) *ir.Value { return rw.Const(ir.IntTensor(d, []int64{v})) }
	zero := ir.IntTensor(d, []int64{0})
	q := rw.Op(ir.QuantizeLinear, nil, x, rw.Const(ir.Scalar(ir.F32, scale)), rw.Const(zero.Reshape()))
	if l, h := d.Range(); l == lo && h == hi {
		return q
	}
	return rw.Op(ir.Clip, nil, q, k(lo), k(hi))
}

// scaleBack is q*s in float, as the source multiplies.
func scaleBack(rw *passes.Rewriter, q *ir.Value, s float64) []*ir.Value {
	y := rw.Op(ir.ToFloat, nil, q)
	if s != 1 {
		y = rw.Op(ir.Mul, nil, y, rw.Const(ir.Scalar(ir.F32, s)))
	}
	return []*ir.Value{y}
}

// quantToInteger: a QONNX Quant with one scale, zero point 0 and rounding to
// nearest, of at most 8 bits.
func quantToInteger(rw *passes.Rewriter, n *ir.Node) []*ir.Value {
	if n.Op != ir.Quant || n.In(0).DType != ir.F32 || n.Str("rounding") != "ROUND" || ir.ConstOf(n.Args[0]) != nil {
		return nil
	}
	s, ok1 := ir.Splat(n.Args[1])
	zero, ok2 := ir.Splat(n.Args[2])
	bits, ok3 := ir.Splat(n.Args[3])
	if !ok1 || !ok2 || !ok3 || zero != 0 || s <= 0 || bits < 2 && n.Bool("signed") || bits < 1 || bits > 8 || bits != math.Trunc(bits) || n.In(1).Elems() != 1 {
		return nil
	}
	lo, hi := int64(0), int64(1)<<int(bits)-1
	if n.Bool("signed") {
		lo, hi = -(int64(1) << int(bits-1)), int64(1)<<int(bits-1)-1
	}
	if n.Bool("narrow") {
		if n.Bool("signed") {
			lo++
		} else {
			hi--
		}
	}
	return scaleBack(rw, toGrid(rw, n.Args[0], s, lo, hi), s)
}

// dequantize: q*scale with one scale and zero point 0.
func dequantize(rw *passes.Rewriter, n *ir.Node) []*ir.Value {
	if n.Op != ir.DequantizeLinear || n.Result().Type.DType != ir.F32 || ir.ConstOf(n.Args[0]) != nil || n.In(1).Elems() != 1 {
		return nil
	}
	s, ok := ir.Splat(n.Args[1])
	if !ok || n.Arg(2) != nil && !ir.IsSplat(n.Args[2], 0) || n.In(0).DType != ir.U8 && n.In(0).DType != ir.I8 {
		return nil
	}
	return scaleBack(rw, n.Args[0], s)
}

// roundOfBounded: round(v) with v = clip(x, 0, 1)*n, n whole and below 256, is
// an integer.
func roundOfBounded(rw *passes.Rewriter, n *ir.Node) []*ir.Value {
	if n.Op != ir.Round || n.In(0).DType != ir.F32 {
		return nil
	}
	m := ir.Def(n.Args[0])
	if !m.Is(ir.Mul) {
		return nil
	}
	for i := range 2 {
		k, ok := ir.Splat(m.Args[1-i])
		if ok && k >= 1 && k <= 255 && k == math.Trunc(k) && inUnit(m.Args[i]) {
			return scaleBack(rw, toGrid(rw, n.Args[0], 1, 0, int64(k)), 1)
		}
	}
	return nil
}

// inUnit reports whether v was limited to 0..1.
func inUnit(v *ir.Value) bool {
	d := ir.Def(v)
	limits := func(n *ir.Node, op *ir.Op, bound float64) *ir.Value {
		if n.Is(op) && len(n.Args) == 2 {
			for i := range 2 {
				if ir.IsSplat(n.Args[1-i], bound) {
					return n.Args[i]
				}
			}
		}
		return nil
	}
	if d.Is(ir.Clip) {
		return d.Arg(1) != nil && ir.IsSplat(d.Args[1], 0) && upperBound(d, 1)
	}
	if x := limits(d, ir.Max, 0); x != nil {
		return limits(ir.Def(x), ir.Min, 1) != nil
	}
	if x := limits(d, ir.Min, 1); x != nil {
		return limits(ir.Def(x), ir.Max, 0) != nil
	}
	return false
}
