package ir

var Max = register(&Op{
	Name:     "max",
	Doc:      "The largest operand, element by element, with broadcasting. NaN wins.",
	Onnx:     "Max",
	Since:    1,
	Levels:   Source | Logic | Packed,
	Kind:     Elementwise,
	Values:   Taken,
	Operands: []Param{{Name: "x", Doc: "one tensor or more", Variadic: true}},
	Results:  []Param{{Name: "y"}},
	Infer:    variadicInfer(isNumber),
	Eval: variadicEval(
		func(a, b float32) float32 { return max(a, b) },
		func(a, b float64) float64 { return max(a, b) },
		func(a, b int64) int64 { return max(a, b) }),
	Slope: slopes(Rising),
	Example: `
  %1 = const [1, 5, nan] : f32[3]
  %2 = const [2, 3] : f32[2,1]
  %3 = max %1, %2, %1 : f32[2,3]
  return %3 "y"`,
})
