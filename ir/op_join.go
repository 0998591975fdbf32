package ir

import "fmt"

var Join = register(&Op{
	Name:     "join",
	Doc:      "A ternary value from two bits: y = pos - neg. The two are never set together; a sign with sign(0) = 0 is join(x > 0, x < 0).",
	Levels:   Logic | Packed,
	Kind:     Elementwise,
	Operands: []Param{{Name: "pos", Doc: "bit"}, {Name: "neg", Doc: "bit"}},
	Results:  []Param{{Name: "y", Doc: "tern"}},
	Infer: func(n *Node) ([]Type, error) {
		p, q := n.In(0), n.In(1)
		if p.DType != Bit || q.DType != Bit || !SameShape(p.Shape, q.Shape) {
			return nil, fmt.Errorf("pos is %s and neg is %s, expected bits of one shape", p, q)
		}
		return []Type{p.With(Tern)}, nil
	},
	Eval: func(n *Node, in []*Tensor) ([]*Tensor, error) {
		out := NewTensor(n.Results[0].Type)
		for i := range out.Ints() {
			out.Ints()[i] = in[0].Int(i) - in[1].Int(i)
		}
		return []*Tensor{out}, nil
	},
	Slope: slopes(Rising, Falling),
	Example: `
  %1 = const [1, 0, 0] : bit[3]
  %2 = const [0, 1, 0] : bit[3]
  %3 = join %1, %2 : tern[3]
  return %3 "y"`,
})
