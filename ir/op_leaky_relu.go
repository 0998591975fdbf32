package ir

var LeakyRelu = register(&Op{
	Name:     "leaky_relu",
	Doc:      "y = x for x >= 0, alpha*x for x < 0.",
	Onnx:     "LeakyRelu",
	Since:    1,
	Levels:   Source | Logic | Packed,
	Kind:     Elementwise,
	Operands: []Param{{Name: "x"}},
	Results:  []Param{{Name: "y"}},
	Attrs:    []Attr{{Name: "alpha", Kind: KFloat, Default: 0.01, Doc: "slope below 0"}},
	Infer:    unaryInfer(DType.IsFloat, Invalid),
	Eval: floatEval(func(n *Node) func(float64) float64 {
		alpha := n.Float("alpha")
		return func(x float64) float64 { return leakyRelu(x, alpha) }
	}),
	Slope: slopeIf(func(n *Node) bool { return n.Float("alpha") >= 0 }),
	Example: `
  %1 = const [-1, 0, 2] : f32[3]
  %2 = leaky_relu %1 {alpha=0.5} : f32[3]
  return %2 "y"`,
})
