package ir

var HardSwish = register(&Op{
	Name:     "hard_swish",
	Doc:      "y = x * max(0, min(1, x/6 + 1/2)), computed in float64 and rounded once.",
	Onnx:     "HardSwish",
	Since:    14,
	Levels:   Source | Logic | Packed,
	Kind:     Elementwise,
	Operands: []Param{{Name: "x"}},
	Results:  []Param{{Name: "y"}},

	Infer: unaryInfer(DType.IsFloat, Invalid),
	Eval:  floatEval(plain(func(x float64) float64 { return x * hardSigmoid(x, 1.0/6, 0.5) })),
	Example: `
  %1 = const [-4, 1, 4] : f32[3]
  %2 = hard_swish %1 : f32[3]
  return %2 "y"`,
})
