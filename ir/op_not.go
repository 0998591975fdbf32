package ir

var Not = register(&Op{
	Name:     "not",
	Doc:      "y = 1 - x of booleans.",
	Onnx:     "Not",
	Since:    1,
	Levels:   Source | Logic | Packed,
	Kind:     Elementwise,
	Operands: []Param{{Name: "x"}},
	Results:  []Param{{Name: "y"}},
	Infer:    unaryInfer(isBool, Invalid),
	Eval:     unaryEval(nil, nil, func(x int64) int64 { return 1 - x }),
	Slope:    slopes(Falling),
	Example: `
  %1 = const [0, 1] : bool[2]
  %2 = not %1 : bool[2]
  return %2 "y"`,
})
