package ir

var Equal = register(&Op{
	Name:     "equal",
	Doc:      "y = a == b, with broadcasting; false when either is NaN, true for -0 and 0.",
	Onnx:     "Equal",
	Since:    1,
	Levels:   Source | Logic | Packed,
	Kind:     Elementwise,
	Flat:     true,
	Operands: []Param{{Name: "a"}, {Name: "b"}},
	Results:  []Param{{Name: "y"}},
	Infer:    binaryInfer(isAny, Bool),
	Eval: compareEval(
		func(a, b float64) bool { return a == b },
		func(a, b int64) bool { return a == b }),
	Example: `
  %1 = const [1, 2, nan] : f32[3]
  %2 = const [2] : f32[]
  %3 = equal %1, %2 : bool[3]
  return %3 "y"`,
})
