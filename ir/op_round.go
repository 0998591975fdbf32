package ir

import "math"

var Round = register(&Op{
	Name:     "round",
	Doc:      "y = the nearest integer; halves go to the even one.",
	Onnx:     "Round",
	Since:    11,
	Levels:   Source | Logic | Packed,
	Kind:     Elementwise,
	Flat:     true,
	Operands: []Param{{Name: "x"}},
	Results:  []Param{{Name: "y"}},

	Infer: unaryInfer(DType.IsFloat, Invalid),
	Eval:  floatEval(plain(math.RoundToEven)),
	Slope: slopes(Rising),
	Example: `
  %1 = const [0.5, 1.5, -2.5] : f32[3]
  %2 = round %1 : f32[3]
  return %2 "y"`,
})
