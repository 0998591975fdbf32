package ir

import "math"

var Erf = register(&Op{
	Name:     "erf",
	Doc:      "y = 2/sqrt(pi) times the integral of e^(-t^2) from 0 to x, the error function of floats; computed in float64 and rounded once.",
	Onnx:     "Erf",
	Since:    9,
	Levels:   Source | Logic | Packed,
	Kind:     Elementwise,
	Operands: []Param{{Name: "x"}},
	Results:  []Param{{Name: "y"}},
	Infer:    unaryInfer(DType.IsFloat, Invalid),
	Eval:     floatEval(plain(math.Erf)),
	Slope:    slopes(Rising),
	Example: `
  %1 = const [-inf, 0, 0.5] : f32[3]
  %2 = erf %1 : f32[3]
  return %2 "y"`,
})
