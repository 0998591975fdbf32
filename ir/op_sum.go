package ir

var Sum = register(&Op{
	Name:     "sum",
	Doc:      "The sum of the operands from left to right, with broadcasting.",
	Onnx:     "Sum",
	Since:    1,
	Levels:   Source | Logic | Packed,
	Kind:     Elementwise,
	Operands: []Param{{Name: "x", Doc: "one tensor or more", Variadic: true}},
	Results:  []Param{{Name: "y"}},
	Infer:    variadicInfer(DType.IsFloat),
	Eval:     sumEval,
	Slope:    slopes(Rising),
	Example: `
  %1 = const [1, 5, nan] : f32[3]
  %2 = const [2, 3] : f32[2,1]
  %3 = sum %1, %2, %1 : f32[2,3]
  return %3 "y"`,
})

var sumEval = variadicEval(
	func(a, b float32) float32 { return a + b },
	func(a, b float64) float64 { return a + b }, nil)
