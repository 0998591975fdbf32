package ir

var And = register(&Op{
	Name:     "and",
	Doc:      "y = a and b of booleans, with broadcasting.",
	Onnx:     "And",
	Since:    1,
	Levels:   Source | Logic | Packed,
	Kind:     Elementwise,
	Operands: []Param{{Name: "a"}, {Name: "b"}},
	Results:  []Param{{Name: "y"}},
	Infer:    binaryInfer(isBool, Invalid),
	Eval:     binaryEval(nil, nil, func(a, b int64) int64 { return a & b }),
	Slope:    slopes(Rising),
	Example: `
  %1 = const [0, 1] : bool[2]
  %2 = const [0, 1] : bool[2,1]
  %3 = and %1, %2 : bool[2,2]
  return %3 "y"`,
})
