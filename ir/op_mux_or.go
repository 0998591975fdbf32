package ir

import "fmt"

var MuxOr = register(&Op{
	Name:     "mux_or",
	Doc:      "The MUX-OR residual: y = mux(s, f, f OR x) = f OR (s AND x). s broadcasts: a select per channel is [1,C,1,1,1].",
	Levels:   Logic | Packed,
	Kind:     Elementwise,
	Operands: []Param{{Name: "s", Doc: "bit"}, {Name: "f", Doc: "bit: the block's result"}, {Name: "x", Doc: "bit: the block's input"}},
	Results:  []Param{{Name: "y"}},
	Infer: func(n *Node) ([]Type, error) {
		s, f, x := n.In(0), n.In(1), n.In(2)
		if s.DType != Bit || f.DType != Bit || x.DType != Bit || !SameShape(f.Shape, x.Shape) {
			return nil, fmt.Errorf("s is %s, f is %s, x is %s: expected bits, f and x of one shape", s, f, x)
		}
		if b, err := Broadcast(f.Shape, s.Shape); err != nil || !SameShape(b, f.Shape) {
			return nil, fmt.Errorf("s is %s and does not stretch to %s", s, f)
		}
		return []Type{T(Bit, f.Shape...)}, nil
	},
	Eval: func(n *Node, in []*Tensor) ([]*Tensor, error) {
		out := NewTensor(n.Results[0].Type)
		walk(out.Type.Shape, func(i int, off []int) {
			out.Ints()[i] = in[1].Int(i) | in[0].Int(off[0])&in[2].Int(i)
		}, broadcastStrides(in[0].Type.Shape, out.Type.Shape))
		return []*Tensor{out}, nil
	},
	Slope: slopes(Rising),
	Example: `
  %1 = const [1, 0] : bit[2,1]
  %2 = const [0, 1, 0, 0] : bit[2,2]
  %3 = const [1, 0, 1, 1] : bit[2,2]
  %4 = mux_or %1, %2, %3 : bit[2,2]
  return %4 "y"`,
})
