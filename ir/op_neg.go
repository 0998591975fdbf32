package ir

var Neg = register(&Op{
	Name:     "neg",
	Doc:      "y = -x. The smallest integer stays itself.",
	Onnx:     "Neg",
	Since:    1,
	Levels:   Source | Logic | Packed,
	Kind:     Elementwise,
	Values:   Folded,
	Operands: []Param{{Name: "x"}},
	Results:  []Param{{Name: "y"}},
	Infer:    unaryInfer(isSigned, Invalid),
	Eval: unaryEval(
		func(x float32) float32 { return -x },
		func(x float64) float64 { return -x },
		func(x int64) int64 { return -x }),
	Slope: slopes(Falling),
	Example: `
  %1 = const [1, -128] : i8[2]
  %2 = neg %1 : i8[2]
  return %2 "y"`,
})
