package ir

import "math"

var Exp = register(&Op{
	Name:     "exp",
	Doc:      "y = e^x, computed in float64 and rounded once.",
	Onnx:     "Exp",
	Since:    1,
	Levels:   Source | Logic | Packed,
	Kind:     Elementwise,
	Operands: []Param{{Name: "x"}},
	Results:  []Param{{Name: "y"}},

	Infer: unaryInfer(DType.IsFloat, Invalid),
	Eval:  floatEval(plain(math.Exp)),
	Slope: slopes(Rising),
	Example: `
  %1 = const [-inf, 0, 1] : f32[3]
  %2 = exp %1 : f32[3]
  return %2 "y"`,
})
