package ir

import "fmt"

var BitNot = register(&Op{
	Name:     "bit_not",
	Doc:      "y = NOT x: 1 - x for bits, -x for sbits.",
	Levels:   Logic | Packed,
	Of:       []*Op{Not},
	Kind:     Elementwise,
	Operands: []Param{{Name: "x"}},
	Results:  []Param{{Name: "y"}},
	Infer: func(n *Node) ([]Type, error) {
		if !n.In(0).DType.IsBit() {
			return nil, fmt.Errorf("x is %s, expected bit or sbit", n.In(0))
		}
		return []Type{n.In(0).With(n.In(0).DType)}, nil
	},
	Eval: func(n *Node, in []*Tensor) ([]*Tensor, error) {
		out := NewTensor(n.Results[0].Type)
		for i, v := range in[0].Ints() {
			if v <= 0 {
				out.Ints()[i] = 1
			}
		}
		return []*Tensor{out}, nil
	},
	Slope: slopes(Falling),
	Example: `
  %1 = const [-1, 1] : sbit[2]
  %2 = bit_not %1 : sbit[2]
  return %2 "y"`,
})
