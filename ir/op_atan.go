package ir

import "math"

var Atan = register(&Op{
	Name:     "atan",
	Doc:      "y = the angle in -pi/2..pi/2 whose tangent is x, of floats; computed in float64 and rounded once.",
	Onnx:     "Atan",
	Since:    7,
	Levels:   Source | Logic | Packed,
	Kind:     Elementwise,
	Operands: []Param{{Name: "x"}},
	Results:  []Param{{Name: "y"}},
	Infer:    unaryInfer(DType.IsFloat, Invalid),
	Eval:     floatEval(plain(math.Atan)),
	Slope:    slopes(Rising),
	Example: `
  %1 = const [-inf, 0, 2] : f32[3]
  %2 = atan %1 : f32[3]
  return %2 "y"`,
})
