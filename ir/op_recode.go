package ir

import "fmt"

var Recode = register(&Op{
	Name:     "recode",
	Doc:      "The same bits under the other encoding: bit to sbit (0 becomes -1) or sbit to bit (-1 becomes 0).",
	Levels:   Logic | Packed,
	Kind:     Elementwise,
	Operands: []Param{{Name: "x"}},
	Results:  []Param{{Name: "y"}},
	Infer: func(n *Node) ([]Type, error) {
		switch x := n.In(0); x.DType {
		case Bit:
			return []Type{x.With(SBit)}, nil
		case SBit:
			return []Type{x.With(Bit)}, nil
		default:
			return nil, fmt.Errorf("x is %s, expected bit or sbit", x)
		}
	},
	Eval: func(n *Node, in []*Tensor) ([]*Tensor, error) {
		out := NewTensor(n.Results[0].Type)
		for i, v := range in[0].Ints() {
			if v > 0 {
				out.Ints()[i] = 1
			}
		}
		return []*Tensor{out}, nil
	},
	Slope: slopes(Rising),
	Example: `
  %1 = const [0, 1] : bit[2]
  %2 = recode %1 : sbit[2]
  return %2 "y"`,
})
