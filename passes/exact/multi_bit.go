package exact

import (
	"math"
	"slices"

	"github.com/billnet/billnet/ir"
	"github.com/billnet/billnet/passes"
	"github.com/billnet/billnet/passes/analysis"
)

// MultiBit is the pass multi-bit.
var MultiBit = &passes.Pass{
	Name: "multi-bit",
	Doc: "Recognises the few-bit quantizers of exporters (QONNX Quant, QuantizeLinear and DequantizeLinear, Round, Floor, Ceil or a cast of a value that was limited or is limited behind it, as DoReFa, PACT and LSQ write it) " +
		"and writes each as a quantization to integers, scaled back.",
	Class: passes.Exact,
	Needs: BinaryActivations,
	After: []string{"fold-constants", "binary-activations"},
	Run: passes.EachFunc(func(c *passes.Context, f *ir.Func) error {
		return c.Rewrite(f, quantToInteger, dequantize, limitOfRounded, roundOfBounded)
	}),
}

// toGrid quantizes x to lo..hi with a scale: clip(quantize_linear(x)).
func toGrid(rw *passes.Rewriter, x *ir.Value, scale float64, lo, hi int64) *ir.Value {
	d := gridType(lo)
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

// rounds reports whether an operation takes floats to whole numbers, whatever they are.
func rounds(n *ir.Node) bool { return n.Is(ir.Round) || n.Is(ir.Floor) || n.Is(ir.Ceil) }

// limits reports whether an operation cuts its first operand off at constants, and
// at whole ones.
func limits(n *ir.Node) bool {
	whole := func(v *ir.Value) bool {
		k, ok := number(v)
		return ok && k == math.Trunc(k)
	}
	switch {
	case n.Is(ir.Relu):
		return true
	case n.Is(ir.Clip):
		return (n.Arg(1) == nil || whole(n.Args[1])) && (n.Arg(2) == nil || whole(n.Args[2]))
	case n.Is(ir.Min), n.Is(ir.Max):
		return len(n.Args) == 2 && (whole(n.Args[0]) || whole(n.Args[1])) && ir.ConstOf(n.Result()) == nil
	}
	return false
}

// limitOfRounded: cutting a rounded value off at whole numbers is rounding what was
// cut off at them.
func limitOfRounded(rw *passes.Rewriter, n *ir.Node) []*ir.Value {
	if !limits(n) || n.Result().Type.DType != ir.F32 || slices.ContainsFunc(rw.Readers(n.Result()), limits) {
		return nil
	}
	least, most := bounds(n.Result())
	if math.IsInf(least, 0) || math.IsInf(most, 0) {
		return nil
	}
	var round *ir.Node
	var below func(v *ir.Value) *ir.Value
	below = func(v *ir.Value) *ir.Value {
		switch d := ir.Def(v); {
		case rounds(d):
			round = d
			return d.Args[0]
		case limits(d):
			args := slices.Clone(d.Args)
			for i, a := range args {
				if a != nil && ir.ConstOf(a) == nil {
					if args[i] = below(a); args[i] == nil {
						return nil
					}
				}
			}
			return rw.Op(d.Op, d.Attrs, args...)
		}
		return nil
	}
	if v := below(n.Result()); v != nil {
		return []*ir.Value{rw.Op(round.Op, round.Attrs, v)}
	}
	return nil
}

// roundOfBounded: a limited value that is rounded to a whole number is an integer
// of few bits: DoReFa, PACT, LSQ and rounded sigmoids, whatever they scale by.
// Between 0 and 1 it is a bit: v > 1/2 for Round, whose halves go to even, v >= 1
// for Floor and v > 0 for Ceil.
func roundOfBounded(rw *passes.Rewriter, n *ir.Node) []*ir.Value {
	if len(n.Results) != 1 || n.Result().Type.DType != ir.F32 || ir.ConstOf(n.Result()) != nil {
		return nil
	}
	to, v := math.RoundToEven, n.Arg(0)
	switch {
	case n.Is(ir.Round):
	case n.Is(ir.Floor):
		to = math.Floor
	case n.Is(ir.Ceil):
		to = math.Ceil
	case n.Is(ir.Cast) && ir.Def(v).Is(ir.Cast) && v.Type.DType.IsInt():
		to, v = math.Trunc, ir.Def(v).Args[0]
	default:
		return nil
	}
	cut := func(u *ir.Node) bool { return u.Is(ir.Cast) && u.Result().Type.DType.IsInt() }
	if v.Type.DType != ir.F32 || ir.ConstOf(v) != nil || !slices.ContainsFunc(rw.Readers(n.Result()), func(u *ir.Node) bool { return !cut(u) }) {
		return nil
	}
	least, most := bounds(v)
	lo, hi := to(least), to(most)
	if first, last := n.In(0).DType.Range(); n.Is(ir.Cast) && (lo < float64(first) || hi > float64(last)) {
		return nil
	}
	switch {
	case lo == 0 && hi == 1 && !n.Is(ir.Cast):
		at := map[*ir.Op]float64{ir.Round: 0.5, ir.Floor: 1, ir.Ceil: 0}[n.Op]
		if at != 0 {
			v = rw.Op(ir.Sub, nil, v, rw.Scalar(at))
		}
		return []*ir.Value{rw.Op(ir.ToFloat, nil, rw.Op(ir.Step, map[string]any{"strict": !n.Is(ir.Floor)}, v))}
	case !(lo < hi) || lo < -128 || hi > 255 || lo < 0 && hi > 127:
		return nil
	case n.Is(ir.Round):
		return scaleBack(rw, toGrid(rw, v, 1, int64(lo), int64(hi)), 1)
	case n.Is(ir.Cast):
		return scaleBack(rw, cutToGrid(rw, v, int64(lo), int64(hi)), 1)
	}
	return scaleBack(rw, cutToGrid(rw, rw.Op(n.Op, nil, v), int64(lo), int64(hi)), 1)
}

// cutToGrid is the whole part of v, which lies between lo and hi, as an integer.
func cutToGrid(rw *passes.Rewriter, v *ir.Value, lo, hi int64) *ir.Value {
	d := gridType(lo)
	k := func(v int64) *ir.Value { return rw.Const(ir.IntTensor(d, []int64{v})) }
	return rw.Op(ir.Clip, nil, rw.Op(ir.Cast, map[string]any{"to": d.String()}, v), k(lo), k(hi))
}

// gridType is the narrowest type of integers from lo on.
func gridType(lo int64) ir.DType {
	if lo < 0 {
		return ir.I8
	}
	return ir.U8
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
	case ir.Round, ir.Floor, ir.Ceil:
		lo, hi = bounds(d.Args[0])
		return math.Floor(lo), math.Ceil(hi)
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
