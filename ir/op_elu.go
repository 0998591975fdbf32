package ir

var Elu = register(&Op{
	Name:     "elu",
	Doc:      "y = x for x >= 0, alpha*(exp(x) - 1) for x < 0, computed in float64 and rounded once.",
	Onnx:     "Elu",
	Since:    1,
	Levels:   Source | Logic | Packed,
	Kind:     Elementwise,
	Operands: []Param{{Name: "x"}},
	Results:  []Param{{Name: "y"}},
	Attrs:    []Attr{{Name: "alpha", Kind: KFloat, Default: 1.0, Doc: "limit below 0"}},
	Infer:    unaryInfer(DType.IsFloat, Invalid),
	Eval: floatEval(func(n *Node) func(float64) float64 {
		alpha := n.Float("alpha")
		return func(x float64) float64 { return elu(x, alpha) }
	}),
	Slope: slopeIf(func(n *Node) bool { return n.Float("alpha") >= 0 }),
	Example: `
  %1 = const [-inf, 0, 2] : f32[3]
  %2 = elu %1 {alpha=2} : f32[3]
  return %2 "y"`,
})
