package ir

import "math"

var Acosh = register(&Op{
	Name:     "acosh",
	Doc:      "y = log(x + sqrt(x^2 - 1)); NaN below 1, of floats; computed in float64 and rounded once.",
	Onnx:     "Acosh",
	Since:    9,
	Levels:   Source | Logic | Packed,
	Kind:     Elementwise,
	Operands: []Param{{Name: "x"}},
	Results:  []Param{{Name: "y"}},
	Infer:    unaryInfer(DType.IsFloat, Invalid),
	Eval:     floatEval(plain(math.Acosh)),
	Slope:    slopes(Rising),
	Example: `
  %1 = const [1, 1.5, inf] : f32[3]
  %2 = acosh %1 : f32[3]
  return %2 "y"`,
})
