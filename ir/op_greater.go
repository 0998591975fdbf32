package ir

var Greater = register(&Op{
	Name:     "greater",
	Doc:      "y = a > b, with broadcasting; false when either is NaN.",
	Onnx:     "Greater",
	Since:    1,
	Levels:   Source | Logic | Packed,
	Kind:     Elementwise,
	Flat:     true,
	Operands: []Param{{Name: "a"}, {Name: "b"}},
	Results:  []Param{{Name: "y"}},
	Infer:    binaryInfer(isNumber, Bool),
	Eval: compareEval(
		func(a, b float64) bool { return a > b },
		func(a, b int64) bool { return a > b }),
	Slope: slopes(Rising, Falling),
	Example: `
  %1 = const [1, 2, nan] : f32[3]
  %2 = const [2] : f32[]
  %3 = greater %1, %2 : bool[3]
  return %3 "y"`,
})
