package ir

import "math"

var Tanh = register(&Op{
	Name:     "tanh",
	Doc:      "y = tanh(x), computed in float64 and rounded once.",
	Onnx:     "Tanh",
	Since:    1,
	Levels:   Source | Logic | Packed,
	Kind:     Elementwise,
	Operands: []Param{{Name: "x"}},
	Results:  []Param{{Name: "y"}},
	Infer:    unaryInfer(DType.IsFloat, Invalid),
	Eval:     floatEval(plain(math.Tanh)),
	Slope:    slopes(Rising),
	Example: `
  %1 = const [-inf, 0, 2] : f32[3]
  %2 = tanh %1 : f32[3]
  return %2 "y"`,
})
