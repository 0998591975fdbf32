package ir

var HardSigmoid = register(&Op{
	Name:     "hard_sigmoid",
	Doc:      "y = max(0, min(1, alpha*x + beta)), computed in float64 and rounded once.",
	Onnx:     "HardSigmoid",
	Since:    1,
	Levels:   Source | Logic | Packed,
	Kind:     Elementwise,
	Operands: []Param{{Name: "x"}},
	Results:  []Param{{Name: "y"}},
	Attrs: []Attr{
		{Name: "alpha", Kind: KFloat, Default: 0.2, Doc: "slope"},
		{Name: "beta", Kind: KFloat, Default: 0.5, Doc: "value at 0"},
	},
	Infer: unaryInfer(DType.IsFloat, Invalid),
	Eval: floatEval(func(n *Node) func(float64) float64 {
		alpha, beta := n.Float("alpha"), n.Float("beta")
		return func(x float64) float64 { return hardSigmoid(x, alpha, beta) }
	}),
	Slope: slopeIf(func(n *Node) bool { return n.Float("alpha") >= 0 }),
	Example: `
  %1 = const [-5, 0.5, 5] : f32[3]
  %2 = hard_sigmoid %1 {alpha=0.5} : f32[3]
  return %2 "y"`,
})
