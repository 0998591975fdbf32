package ir

import "fmt"

var Mux = register(&Op{
	Name:     "mux",
	Doc:      "y = b where s is set, else a: a*(1-s) + b*s. s broadcasts against the data (a select per channel is [1,C,1,1,1]).",
	Levels:   Logic | Packed,
	Of:       []*Op{Where},
	Kind:     Elementwise,
	Operands: []Param{{Name: "s", Doc: "bit or sbit", Index: true}, {Name: "a", Doc: "bit or sbit, taken where s is clear"}, {Name: "b", Doc: "as a, taken where s is set"}},
	Results:  []Param{{Name: "y"}},
	Infer: func(n *Node) ([]Type, error) {
		s, a, b := n.In(0), n.In(1), n.In(2)
		if !s.DType.IsBit() || !a.DType.IsBit() || a.DType != b.DType {
			return nil, fmt.Errorf("s is %s, a is %s, b is %s: expected bits, a and b of one type", s, a, b)
		}
		shape, err := Broadcast(a.Shape, b.Shape)
		if err == nil {
			shape, err = Broadcast(shape, s.Shape)
		}
		return []Type{T(a.DType, shape...)}, err
	},
	Eval: func(n *Node, in []*Tensor) ([]*Tensor, error) {
		out := NewTensor(n.Results[0].Type)
		shape := out.Type.Shape
		walk(shape, func(i int, off []int) {
			out.Ints()[i] = in[1].Int(off[1])
			if in[0].Int(off[0]) > 0 {
				out.Ints()[i] = in[2].Int(off[2])
			}
		}, broadcastStrides(in[0].Type.Shape, shape), broadcastStrides(in[1].Type.Shape, shape), broadcastStrides(in[2].Type.Shape, shape))
		return []*Tensor{out}, nil
	},
	Slope: slopes(Unknown, Rising),
	Example: `
  %1 = const [1, 0] : bit[2,1]
  %2 = const [0, 1] : bit[2]
  %3 = const [1, 1] : bit[2]
  %4 = mux %1, %2, %3 : bit[2,2]
  return %4 "y"`,
})
