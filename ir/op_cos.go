package ir

import "math"

var Cos = register(&Op{
	Name:     "cos",
	Doc:      "y = cos(x), x in radians, of floats; computed in float64 and rounded once.",
	Onnx:     "Cos",
	Since:    7,
	Levels:   Source | Logic | Packed,
	Kind:     Elementwise,
	Operands: []Param{{Name: "x"}},
	Results:  []Param{{Name: "y"}},
	Infer:    unaryInfer(DType.IsFloat, Invalid),
	Eval:     floatEval(plain(math.Cos)),
	Example: `
  %1 = const [-0.5, 0, 2] : f32[3]
  %2 = cos %1 : f32[3]
  return %2 "y"`,
})
