package ir

var Relu = register(&Op{
	Name:     "relu",
	Doc:      "y = max(x, 0); NaN stays NaN.",
	Onnx:     "Relu",
	Since:    1,
	Levels:   Source | Logic | Packed,
	Kind:     Elementwise,
	Values:   Folded,
	Operands: []Param{{Name: "x"}},
	Results:  []Param{{Name: "y"}},
	Infer:    unaryInfer(isNumber, Invalid),
	Eval: unaryEval(
		func(x float32) float32 { return max(x, 0) },
		func(x float64) float64 { return max(x, 0) },
		func(x int64) int64 { return max(x, 0) }),
	Slope: slopes(Rising),
	Example: `
  %1 = const [-1, 0, 2, nan] : f32[4]
  %2 = relu %1 : f32[4]
  return %2 "y"`,
})
