package ir

import "math"

var Sigmoid = register(&Op{
	Name:     "sigmoid",
	Doc:      "y = 1/(1 + exp(-x)), computed in float64 and rounded once.",
	Onnx:     "Sigmoid",
	Since:    1,
	Levels:   Source | Logic | Packed,
	Kind:     Elementwise,
	Operands: []Param{{Name: "x"}},
	Results:  []Param{{Name: "y"}},
	Infer:    unaryInfer(DType.IsFloat, Invalid),
	Eval:     floatEval(plain(sigmoid)),
	Slope:    slopes(Rising),
	Example: `
  %1 = const [-inf, 0, 2] : f32[3]
  %2 = sigmoid %1 : f32[3]
  return %2 "y"`,
})

func sigmoid(x float64) float64 { return 1 / (1 + math.Exp(-x)) }
