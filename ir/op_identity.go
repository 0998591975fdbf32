package ir

var _ = register(&Op{
	Name:     "identity",
	Doc:      "y = x, of every element type.",
	Onnx:     "Identity",
	Levels:   Source | Logic | Packed,
	Operands: []Param{{Name: "x"}},
	Results:  []Param{{Name: "y"}},
	Infer:    unaryInfer(isAny, Invalid),
	Eval:     func(_ *Node, in []*Tensor) ([]*Tensor, error) { return in[:1], nil },
	Example: `
  %1 = const [-1, 1] : sbit[2]
  %2 = identity %1 : sbit[2]
  return %2 "y"`,
})
