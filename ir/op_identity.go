package ir

var Identity = register(&Op{
	Name:     "identity",
	Doc:      "y = x, of every element type.",
	Onnx:     "Identity",
	Since:    1,
	Levels:   Source | Logic | Packed,
	Kind:     Moves,
	Operands: []Param{{Name: "x"}},
	Results:  []Param{{Name: "y"}},
	Infer:    unaryInfer(isAny, Invalid),
	Eval:     func(_ *Node, in []*Tensor) ([]*Tensor, error) { return in[:1], nil },
	Reads:    func(n *Node, _, _ int) []Read { return sames(n.In(0).Rank(), 0) },
	Example: `
  %1 = const [-1, 1] : sbit[2]
  %2 = identity %1 : sbit[2]
  return %2 "y"`,
})
