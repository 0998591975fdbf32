package ir

import "math"

var Ceil = register(&Op{
	Name:     "ceil",
	Doc:      "y = the smallest integer not below x.",
	Onnx:     "Ceil",
	Since:    1,
	Levels:   Source | Logic | Packed,
	Kind:     Elementwise,
	Flat:     true,
	Operands: []Param{{Name: "x"}},
	Results:  []Param{{Name: "y"}},

	Infer: unaryInfer(DType.IsFloat, Invalid),
	Eval:  floatEval(plain(math.Ceil)),
	Slope: slopes(Rising),
	Example: `
  %1 = const [-1.5, 0.1, inf] : f32[3]
  %2 = ceil %1 : f32[3]
  return %2 "y"`,
})
