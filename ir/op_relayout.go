package ir

var Relayout = register(&Op{
	Name:     "relayout",
	Doc:      "The same elements in another layout: dense to planes, planes to dense, planes to planes with other halos or phases. The layout is that of the result's type.",
	Levels:   Packed,
	Kind:     Moves,
	Operands: []Param{{Name: "x"}},
	Results:  []Param{{Name: "y"}},
	Infer: func(n *Node) ([]Type, error) {
		return []Type{n.In(0).With(n.In(0).DType)}, nil
	},
	Eval:  func(n *Node, in []*Tensor) ([]*Tensor, error) { return in, nil },
	Reads: func(n *Node, _, _ int) []Read { return sames(n.In(0).Rank(), 0) },
	Example: `
  %1 = const [1, 0, 1, 1] : bit[1,1,1,2,2]
  %2 = relayout %1 : bit[1,1,1,2,2]{halo=1,1,1}
  return %2 "y"`,
})
