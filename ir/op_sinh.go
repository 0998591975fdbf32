package ir

import "math"

var Sinh = register(&Op{
	Name:     "sinh",
	Doc:      "y = (e^x - e^(-x))/2, of floats; computed in float64 and rounded once.",
	Onnx:     "Sinh",
	Since:    9,
	Levels:   Source | Logic | Packed,
	Kind:     Elementwise,
	Operands: []Param{{Name: "x"}},
	Results:  []Param{{Name: "y"}},
	Infer:    unaryInfer(DType.IsFloat, Invalid),
	Eval:     floatEval(plain(math.Sinh)),
	Slope:    slopes(Rising),
	Example: `
  %1 = const [-inf, 0, 2] : f32[3]
  %2 = sinh %1 : f32[3]
  return %2 "y"`,
})
