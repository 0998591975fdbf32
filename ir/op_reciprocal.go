package ir

var Reciprocal = register(&Op{
	Name:     "reciprocal",
	Doc:      "y = 1/x.",
	Onnx:     "Reciprocal",
	Since:    1,
	Levels:   Source | Logic | Packed,
	Kind:     Elementwise,
	Operands: []Param{{Name: "x"}},
	Results:  []Param{{Name: "y"}},

	Infer: unaryInfer(DType.IsFloat, Invalid),
	Eval:  floatEval(plain(func(x float64) float64 { return 1 / x })),
	Example: `
  %1 = const [4, 0, inf] : f32[3]
  %2 = reciprocal %1 : f32[3]
  return %2 "y"`,
})
