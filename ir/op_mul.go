package ir

var Mul = register(&Op{
	Name:     "mul",
	Doc:      "y = a * b, with broadcasting. Integers wrap.",
	Onnx:     "Mul",
	Since:    1,
	Levels:   Source | Logic | Packed,
	Kind:     Elementwise,
	Operands: []Param{{Name: "a"}, {Name: "b"}},
	Results:  []Param{{Name: "y"}},
	Infer:    binaryInfer(isNumber, Invalid),
	Eval: binaryEval(
		func(a, b float32) float32 { return a * b },
		func(a, b float64) float64 { return a * b },
		func(a, b int64) int64 { return a * b }),
	Slope: func(n *Node, i int) Slope { return constSlope(n.Arg(1 - i)) },
	Example: `
  %1 = const [1, -2, inf] : f32[3]
  %2 = const [10, 0] : f32[2,1]
  %3 = mul %1, %2 : f32[2,3]
  return %3 "y"`,
})
