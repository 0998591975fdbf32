package ir

import "math"

var Cosh = register(&Op{
	Name:     "cosh",
	Doc:      "y = (e^x + e^(-x))/2, of floats; computed in float64 and rounded once.",
	Onnx:     "Cosh",
	Since:    9,
	Levels:   Source | Logic | Packed,
	Kind:     Elementwise,
	Operands: []Param{{Name: "x"}},
	Results:  []Param{{Name: "y"}},
	Infer:    unaryInfer(DType.IsFloat, Invalid),
	Eval:     floatEval(plain(math.Cosh)),
	Example: `
  %1 = const [-inf, 0, 2] : f32[3]
  %2 = cosh %1 : f32[3]
  return %2 "y"`,
})
