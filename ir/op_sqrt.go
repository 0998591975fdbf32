package ir

import "math"

var Sqrt = register(&Op{
	Name:     "sqrt",
	Doc:      "y = the square root of x, NaN for a negative x.",
	Onnx:     "Sqrt",
	Since:    1,
	Levels:   Source | Logic | Packed,
	Kind:     Elementwise,
	Operands: []Param{{Name: "x"}},
	Results:  []Param{{Name: "y"}},

	Infer: unaryInfer(DType.IsFloat, Invalid),
	Eval:  floatEval(plain(math.Sqrt)),
	Slope: slopes(Rising),
	Example: `
  %1 = const [4, 0, -1] : f32[3]
  %2 = sqrt %1 : f32[3]
  return %2 "y"`,
})
