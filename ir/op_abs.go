package ir

import "math"

var Abs = register(&Op{
	Name:     "abs",
	Doc:      "y = |x|. The smallest integer stays itself.",
	Onnx:     "Abs",
	Since:    1,
	Levels:   Source | Logic | Packed,
	Kind:     Elementwise,
	Values:   Folded,
	Operands: []Param{{Name: "x"}},
	Results:  []Param{{Name: "y"}},

	Infer: unaryInfer(isNumber, Invalid),
	Eval: unaryEval(
		func(x float32) float32 { return float32(math.Abs(float64(x))) },
		math.Abs,
		func(x int64) int64 { return max(x, -x) }),
	Example: `
  %1 = const [-128, 3] : i8[2]
  %2 = abs %1 : i8[2]
  return %2 "y"`,
})
