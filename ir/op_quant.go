package ir

var quantAttrs = []Attr{
	{Name: "signed", Kind: KBool, Default: true, Doc: "integers are signed"},
	{Name: "narrow", Kind: KBool, Default: false, Doc: "the range leaves out the lowest integer when signed, the highest else"},
}

var Quant = register(&Op{
	Name: "quant",
	Doc: "Rounds to a grid of integers: y = (round(clamp(x/scale + zeropt, lo, hi)) - zeropt)*scale with lo..hi the range of that many bits, every operation rounded to x's type. " +
		"One signed bit is {-1,+1}: +1 for x/scale + zeropt >= 0.",
	Onnx:     "Quant",
	Since:    1,
	Levels:   Source | Logic | Packed,
	Kind:     Elementwise,
	Operands: []Param{{Name: "x", Doc: "float"}, {Name: "scale", Doc: "broadcasts to x"}, {Name: "zeropt", Doc: "broadcasts to x"}, {Name: "bits", Doc: "broadcasts to x"}},
	Results:  []Param{{Name: "y"}},
	Attrs:    append(append([]Attr{}, quantAttrs...), Attr{Name: "rounding", Kind: KString, Default: "ROUND", Doc: roundingDoc}),
	Infer: func(n *Node) ([]Type, error) {
		if err := checkRounding(n.Str("rounding")); err != nil {
			return nil, err
		}
		return quantInfer(n)
	},
	Eval: func(n *Node, in []*Tensor) ([]*Tensor, error) {
		q := &quantizer{n.In(0).DType, n.Bool("signed"), n.Bool("narrow"), roundings[n.Str("rounding")]}
		return quantEval(n, in, func(v []float64) float64 { return q.grid(v[0], v[1], v[2], v[3]) })
	},
	Example: `
  %1 = const [-9, 0.25, 0.75, 9] : f32[4]
  %2 = const [0.5] : f32[]
  %3 = const [0] : f32[]
  %4 = const [4] : f32[]
  %5 = quant %1, %2, %3, %4 {narrow=true} : f32[4]
  return %5 "y"`,
})
