package ir

import "math"

var TruncQuant = register(&Op{
	Name: "trunc_quant",
	Doc: "Drops low bits of numbers on a grid: q = round(x/scale + zeropt), halves to even, then, without out_scale, y = (r(q/2^(in_bits - out_bits)) - zeropt)*scale, " +
		"and with it, for s the power of two nearest to out_scale/scale, y = (r(clamp(q/s, lo, hi)) - zeropt/s)*out_scale, lo..hi the range of out_bits. r is the rounding; " +
		"every operation is rounded to x's type.",
	Onnx:   "Trunc",
	Since:  1,
	Levels: Source | Logic | Packed,
	Kind:   Elementwise,
	Operands: []Param{{Name: "x", Doc: "float"}, {Name: "scale", Doc: "broadcasts to x, as all that follow"}, {Name: "zeropt"}, {Name: "in_bits"},
		{Name: "out_scale", Doc: "of the second version of the operator", Optional: true}, {Name: "out_bits"}},
	Results: []Param{{Name: "y"}},
	Attrs:   append(append([]Attr{}, quantAttrs...), Attr{Name: "rounding", Kind: KString, Default: "FLOOR", Doc: roundingDoc}),
	Infer: func(n *Node) ([]Type, error) {
		if err := checkRounding(n.Str("rounding")); err != nil {
			return nil, err
		}
		return quantInfer(n)
	},
	Eval: func(n *Node, in []*Tensor) ([]*Tensor, error) {
		q := &quantizer{n.In(0).DType, n.Bool("signed"), n.Bool("narrow"), roundings[n.Str("rounding")]}
		rescale := n.Arg(4) != nil
		return quantEval(n, in, func(v []float64) float64 {
			x, scale, zero, inBits, outScale, outBits := v[0], v[1], v[2], v[3], v[4], v[5]
			y := math.RoundToEven(q.cut(q.cut(x/scale) + zero))
			if !rescale {
				y = q.round(q.cut(y / q.cut(math.Exp2(inBits-outBits))))
				return q.cut(q.cut(y-zero) * scale)
			}
			s := math.Exp2(math.RoundToEven(math.Log2(outScale / scale)))
			y = q.round(q.clamp(q.cut(y/s), outBits))
			return q.cut(q.cut(y-q.cut(zero/s)) * outScale)
		})
	},
	Example: `
  %1 = const [-5, 6, 7] : f32[3]
  %2 = const [1] : f32[]
  %3 = const [0] : f32[]
  %4 = const [8] : f32[]
  %5 = const [6] : f32[]
  %6 = trunc_quant %1, %2, %3, %4, _, %5 : f32[3]
  return %6 "y"`,
})
