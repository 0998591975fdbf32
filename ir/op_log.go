package ir

import "math"

var Log = register(&Op{
	Name:     "log",
	Doc:      "y = the natural logarithm of x, computed in float64 and rounded once: -inf for 0, NaN for a negative x.",
	Onnx:     "Log",
	Since:    1,
	Levels:   Source | Logic | Packed,
	Kind:     Elementwise,
	Operands: []Param{{Name: "x"}},
	Results:  []Param{{Name: "y"}},

	Infer: unaryInfer(DType.IsFloat, Invalid),
	Eval:  floatEval(plain(math.Log)),
	Slope: slopes(Rising),
	Example: `
  %1 = const [0, 1, -1] : f32[3]
  %2 = log %1 : f32[3]
  return %2 "y"`,
})
