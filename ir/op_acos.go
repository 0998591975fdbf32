package ir

import "math"

var Acos = register(&Op{
	Name:     "acos",
	Doc:      "y = the angle in 0..pi whose cosine is x; NaN outside of -1..1, of floats; computed in float64 and rounded once.",
	Onnx:     "Acos",
	Since:    7,
	Levels:   Source | Logic | Packed,
	Kind:     Elementwise,
	Operands: []Param{{Name: "x"}},
	Results:  []Param{{Name: "y"}},
	Infer:    unaryInfer(DType.IsFloat, Invalid),
	Eval:     floatEval(plain(math.Acos)),
	Slope:    slopes(Falling),
	Example: `
  %1 = const [-1, 0, 0.5] : f32[3]
  %2 = acos %1 : f32[3]
  return %2 "y"`,
})
