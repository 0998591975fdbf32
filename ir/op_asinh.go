package ir

import "math"

var Asinh = register(&Op{
	Name:     "asinh",
	Doc:      "y = log(x + sqrt(x^2 + 1)), of floats; computed in float64 and rounded once.",
	Onnx:     "Asinh",
	Since:    9,
	Levels:   Source | Logic | Packed,
	Kind:     Elementwise,
	Operands: []Param{{Name: "x"}},
	Results:  []Param{{Name: "y"}},
	Infer:    unaryInfer(DType.IsFloat, Invalid),
	Eval:     floatEval(plain(math.Asinh)),
	Slope:    slopes(Rising),
	Example: `
  %1 = const [-inf, 0, 2] : f32[3]
  %2 = asinh %1 : f32[3]
  return %2 "y"`,
})
