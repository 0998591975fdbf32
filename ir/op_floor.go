package ir

import "math"

var Floor = register(&Op{
	Name:     "floor",
	Doc:      "y = the largest integer not above x.",
	Onnx:     "Floor",
	Since:    1,
	Levels:   Source | Logic | Packed,
	Kind:     Elementwise,
	Flat:     true,
	Operands: []Param{{Name: "x"}},
	Results:  []Param{{Name: "y"}},

	Infer: unaryInfer(DType.IsFloat, Invalid),
	Eval:  floatEval(plain(math.Floor)),
	Slope: slopes(Rising),
	Example: `
  %1 = const [-1.5, 0.1, -inf] : f32[3]
  %2 = floor %1 : f32[3]
  return %2 "y"`,
})
