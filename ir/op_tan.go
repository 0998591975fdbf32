package ir

import "math"

var Tan = register(&Op{
	Name:     "tan",
	Doc:      "y = tan(x), x in radians, of floats; computed in float64 and rounded once.",
	Onnx:     "Tan",
	Since:    7,
	Levels:   Source | Logic | Packed,
	Kind:     Elementwise,
	Operands: []Param{{Name: "x"}},
	Results:  []Param{{Name: "y"}},
	Infer:    unaryInfer(DType.IsFloat, Invalid),
	Eval:     floatEval(plain(math.Tan)),
	Example: `
  %1 = const [-0.5, 0, 2] : f32[3]
  %2 = tan %1 : f32[3]
  return %2 "y"`,
})
