package ir

var Sub = register(&Op{
	Name:     "sub",
	Doc:      "y = a - b, with broadcasting. Integers wrap.",
	Onnx:     "Sub",
	Since:    1,
	Levels:   Source | Logic | Packed,
	Kind:     Elementwise,
	Operands: []Param{{Name: "a"}, {Name: "b"}},
	Results:  []Param{{Name: "y"}},
	Infer:    binaryInfer(isNumber, Invalid),
	Eval: binaryEval(
		func(a, b float32) float32 { return a - b },
		func(a, b float64) float64 { return a - b },
		func(a, b int64) int64 { return a - b }),
	Slope: slopes(Rising, Falling),
	Example: `
  %1 = const [0, 2, 255] : u8[3]
  %2 = const [1, 20] : u8[2,1]
  %3 = sub %1, %2 : u8[2,3]
  return %3 "y"`,
})
