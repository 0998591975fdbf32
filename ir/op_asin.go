package ir

import "math"

var Asin = register(&Op{
	Name:     "asin",
	Doc:      "y = the angle in -pi/2..pi/2 whose sine is x; NaN outside of -1..1, of floats; computed in float64 and rounded once.",
	Onnx:     "Asin",
	Since:    7,
	Levels:   Source | Logic | Packed,
	Kind:     Elementwise,
	Operands: []Param{{Name: "x"}},
	Results:  []Param{{Name: "y"}},
	Infer:    unaryInfer(DType.IsFloat, Invalid),
	Eval:     floatEval(plain(math.Asin)),
	Slope:    slopes(Rising),
	Example: `
  %1 = const [-1, 0, 0.5] : f32[3]
  %2 = asin %1 : f32[3]
  return %2 "y"`,
})
