package ir

import "fmt"

var ILinear = register(&Op{
	Name:     "ilinear",
	Doc:      "Integer linear layer: z[..., o] = sum over k of w[o,k] * x[..., k] in integers.",
	Levels:   Logic | Packed,
	Of:       []*Op{MatMul, Gemm, MatMulInteger},
	Kind:     Multiplies,
	Operands: []Param{{Name: "x", Doc: "integer or logic [..., K]"}, {Name: "w", Doc: "integer or logic [O,K]"}},
	Results:  []Param{{Name: "z", Doc: "i32 [..., O]"}},
	Infer: func(n *Node) ([]Type, error) {
		x, w := n.In(0), n.In(1)
		if x.DType.IsFloat() || w.DType.IsFloat() || x.Rank() < 1 || w.Rank() != 2 || w.Shape[1] != x.Shape[x.Rank()-1] {
			return nil, fmt.Errorf("x is %s and w is %s, expected integer or logic types [..., K] and [O,K]", x, w)
		}
		shape := append([]int{}, x.Shape...)
		shape[len(shape)-1] = w.Shape[0]
		return []Type{T(I32, shape...)}, nil
	},
	Eval: func(n *Node, in []*Tensor) ([]*Tensor, error) {
		out := NewTensor(n.Results[0].Type)
		o, k := n.In(1).Shape[0], n.In(1).Shape[1]
		x, w := in[0].Ints(), in[1].Ints()
		for i := range out.Ints() {
			var s int64
			for j := range k {
				s += x[i/o*k+j] * w[i%o*k+j]
			}
			out.Ints()[i] = WrapInt(I32, s)
		}
		return []*Tensor{out}, nil
	},
	Work: func(n *Node) int { return n.Results[0].Type.Elems() * n.In(1).Shape[1] },
	Reads: func(n *Node, _, operand int) []Read {
		last := n.In(0).Rank() - 1
		if operand == 1 {
			return []Read{same(last), {}}
		}
		return append(sames(last, 0), Read{})
	},
	Example: `
  %1 = const [1, 0, 1, 1, 1, 0] : bit[2,3]
  %2 = const [1, -1, -1] : sbit[1,3]
  %3 = ilinear %1, %2 : i32[2,1]
  return %3 "z"`,
})
