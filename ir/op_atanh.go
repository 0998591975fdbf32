package ir

import "math"

var Atanh = register(&Op{
	Name:     "atanh",
	Doc:      "y = log((1 + x)/(1 - x))/2; NaN outside of -1..1, of floats; computed in float64 and rounded once.",
	Onnx:     "Atanh",
	Since:    9,
	Levels:   Source | Logic | Packed,
	Kind:     Elementwise,
	Operands: []Param{{Name: "x"}},
	Results:  []Param{{Name: "y"}},
	Infer:    unaryInfer(DType.IsFloat, Invalid),
	Eval:     floatEval(plain(math.Atanh)),
	Slope:    slopes(Rising),
	Example: `
  %1 = const [-1, 0, 0.5] : f32[3]
  %2 = atanh %1 : f32[3]
  return %2 "y"`,
})
