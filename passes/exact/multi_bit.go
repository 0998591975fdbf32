package exact

import (
	"math"

	"github.com/billnet/billnet/ir"
	"github.com/billnet/billnet/passes"
	"github.com/billnet/billnet/passes/analysis"
)

// MultiBit is the pass multi-bit.
var MultiBit = &passes.Pass{
	Name: "multi-bit",
	Doc: "Recognises the few-bit quantizers of exporters (QONNX Quant, QuantizeLinear and DequantizeLinear, Round of a value that was limited, as DoReFa, PACT and LSQ write it) " +
		"and writes each as a quantization to integers, scaled back.",
	Class: passes.Exact,
	Needs: BinaryActivations,
	After: []string{"fold-constants", "binary-activations"},
	Run: passes.EachFunc(func(c *passes.Context, f *ir.Func) error {
		return c.Rewrite(f, quantToInteger, dequantize, roundOfBounded)
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

// dequantize: (q - zero)*scale with one scale and zero point.
func dequantize(rw *passes.Rewriter, n *ir.Node) []*ir.Value {
	if n.Op != ir.DequantizeLinear || n.Result().Type.DType != ir.F32 || ir.ConstOf(n.Args[0]) != nil || n.In(1).Elems() != 1 || n.In(0).DType != ir.U8 && n.In(0).DType != ir.I8 {
		return nil
	}
	s, ok := ir.Splat(n.Args[1])
	if !ok {
		return nil
	}
	q, zero := n.Args[0], 0.0
	if n.Arg(2) != nil {
		if zero, ok = ir.Splat(n.Args[2]); !ok {
			return nil
		}
	}
	if zero != 0 {
		q = rw.Op(ir.Sub, nil, rw.Op(ir.Cast, map[string]any{"to": "i16"}, q), rw.Const(ir.Scalar(ir.I16, zero)))
	}
	return scaleBack(rw, q, s)
}

// roundOfBounded: round(v) of a value that was limited is an integer of few
// bits: DoReFa, PACT, LSQ and rounded sigmoids, whatever they scale by. Between 0
// and 1 it is the bit v > 1/2, since halves go to even.
func roundOfBounded(rw *passes.Rewriter, n *ir.Node) []*ir.Value {
	if n.Op != ir.Round || n.In(0).DType != ir.F32 || ir.ConstOf(n.Args[0]) != nil {
		return nil
	}
	least, most := bounds(n.Args[0])
	lo, hi := math.RoundToEven(least), math.RoundToEven(most)
	switch {
	case lo == 0 && hi == 1:
		v := rw.Op(ir.Sub, nil, n.Args[0], rw.Const(ir.Scalar(ir.F32, 0.5)))
		return []*ir.Value{rw.Op(ir.ToFloat, nil, rw.Op(ir.Step, map[string]any{"strict": true}, v))}
	case lo == hi || lo < -128 || hi > 255 || lo < 0 && hi > 127:
		return nil
	}
	return scaleBack(rw, toGrid(rw, n.Args[0], 1, int64(lo), int64(hi)), 1)
}

// bounds returns what a float32 value lies between, infinities where nothing
// limits it. Every operation that is looked through is monotone, rounding
// included, so its bounds are what it makes of its operand's.
func bounds(v *ir.Value) (lo, hi float64) {
	lo, hi = math.Inf(-1), math.Inf(1)
	d := ir.Def(v)
	if d == nil || v.Type.DType != ir.F32 {
		return lo, hi
	}
	cut := func(x *ir.Value, least, most float64) (float64, float64) {
		l, h := bounds(x)
		return min(max(l, least), most), min(max(h, least), most)
	}
	switch d.Op {
	case ir.Sigmoid, ir.HardSigmoid:
		return 0, 1
	case ir.Tanh:
		return -1, 1
	case ir.Relu:
		return cut(d.Args[0], 0, hi)
	case ir.Clip:
		return cut(d.Args[0], limit(d.Arg(1), lo), limit(d.Arg(2), hi))
	case ir.Min, ir.Max:
		for i := range d.Args {
			k, ok := ir.Splat(d.Args[i])
			switch {
			case !ok || len(d.Args) != 2:
			case d.Op == ir.Min:
				return cut(d.Args[1-i], lo, k)
			default:
				return cut(d.Args[1-i], k, hi)
			}
		}
	case ir.Add, ir.Sub, ir.Mul, ir.Div:
		return arithmeticBounds(d)
	}
	return lo, hi
}

// limit is a constant bound of a clip, or what stands for it when it is left out
// or not known.
func limit(v *ir.Value, def float64) float64 {
	if v != nil {
		if k, ok := ir.Splat(v); ok {
			return k
		}
	}
	return def
}

// arithmeticBounds is bounds of a sum, product or quotient with constants.
func arithmeticBounds(d *ir.Node) (lo, hi float64) {
	for i := range 2 {
		k := ir.ConstOf(d.Args[1-i])
		if k == nil || k.Len() == 0 || !analysis.Finite32(k) || d.Op == ir.Div && i == 1 {
			continue
		}
		l, h := bounds(d.Args[i])
		lo, hi = math.Inf(1), math.Inf(-1)
		for _, b := range k.Floats() {
			for _, a := range []float32{float32(l), float32(h)} {
				y := float64(apply(d.Op, i, a, b))
				lo, hi = min(lo, y), max(hi, y) // NaN, of 0 times infinity, stays
			}
		}
		if lo <= hi {
			return lo, hi
		}
	}
	return math.Inf(-1), math.Inf(1)
}

// apply is a op b in float32 or, where a is operand 1, b op a.
func apply(op *ir.Op, which int, a, b float32) float32 {
	if which == 1 {
		a, b = b, a
	}
	switch op {
	case ir.Add:
		return a + b
	case ir.Sub:
		return a - b
	case ir.Mul:
		return a * b
	}
	return a / b
}
