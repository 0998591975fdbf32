package ir

import "fmt"

var Gemm = register(&Op{
	Name: "gemm",
	Doc: "y = alpha * A B + beta * c, where A is a or its transpose, B is b or its transpose, and c broadcasts to y. Float32 sums run over k in order and start at 0, " +
		"then alpha multiplies, then beta*c is added. Integers wrap, with alpha and beta 1.",
	Onnx:     "Gemm",
	Since:    1,
	Levels:   Source | Logic | Packed,
	Kind:     Multiplies,
	Operands: []Param{{Name: "a", Doc: "[M,K], [K,M] with trans_a"}, {Name: "b", Doc: "[K,N], [N,K] with trans_b"}, {Name: "c", Doc: "broadcasts to [M,N]", Optional: true}},
	Results:  []Param{{Name: "y", Doc: "[M,N]"}},
	Attrs: []Attr{
		{Name: "alpha", Kind: KFloat, Default: 1.0, Doc: "factor of the product"},
		{Name: "beta", Kind: KFloat, Default: 1.0, Doc: "factor of c"},
		{Name: "trans_a", Kind: KBool, Default: false, Doc: "a is transposed"},
		{Name: "trans_b", Kind: KBool, Default: false, Doc: "b is transposed"},
	},
	Infer: func(n *Node) ([]Type, error) {
		a, b := n.In(0), n.In(1)
		if a.DType != b.DType || !isNumber(a.DType) || a.Rank() != 2 || b.Rank() != 2 {
			return nil, fmt.Errorf("a is %s and b is %s, expected two matrices of equal float or integer types", a, b)
		}
		if a.DType.IsInt() && (n.Float("alpha") != 1 || n.Float("beta") != 1) {
			return nil, fmt.Errorf("alpha is %v and beta %v, expected 1 for integers", n.Float("alpha"), n.Float("beta"))
		}
		m, k, cols, kb := gemmSizes(n)
		if k != kb {
			return nil, fmt.Errorf("a is %s and b is %s: %d columns against %d rows", a, b, k, kb)
		}
		if c := n.Arg(2); c != nil {
			s, err := Broadcast(c.Type.Shape, []int{m, cols})
			if err != nil || c.Type.DType != a.DType || !SameShape(s, []int{m, cols}) {
				return nil, fmt.Errorf("c is %s, expected %s that broadcasts to [%d,%d]", c.Type, a.DType, m, cols)
			}
		}
		return []Type{T(a.DType, m, cols)}, nil
	},
	Eval: func(n *Node, in []*Tensor) ([]*Tensor, error) {
		out := NewTensor(n.Results[0].Type)
		var c *Tensor
		if len(in) > 2 {
			c = in[2]
		}
		if out.Len() == 0 {
			return []*Tensor{out}, nil
		}
		switch {
		case out.HoldsFloats():
			gemm(n, out.Floats(), in[0].Floats(), in[1].Floats())
		case out.HoldsDoubles():
			gemm(n, out.Doubles(), in[0].Doubles(), in[1].Doubles())
		default:
			gemm(n, out.Ints(), in[0].Ints(), in[1].Ints())
		}
		if c != nil {
			s := broadcastStrides(c.Type.Shape, out.Type.Shape)
			beta := n.Float("beta")
			walk(out.Type.Shape, func(i int, off []int) {
				switch {
				case out.HoldsFloats():
					out.Floats()[i] += float32(float32(beta) * c.Float32(off[0]))
				case out.HoldsDoubles():
					out.Doubles()[i] += float64(beta * c.Float(off[0]))
				default:
					out.Ints()[i] += c.Int(off[0])
				}
			}, s)
		}
		roundAll(out)
		return []*Tensor{out}, nil
	},
	Work: func(n *Node) int {
		m, k, cols, _ := gemmSizes(n)
		return m * k * cols
	},
	Reads: func(n *Node, _, operand int) []Read {
		kept, t := operand, n.In(operand)
		switch {
		case operand == 2:
			return broadcastReads(t.Shape, n.Results[0].Type.Shape)
		case operand == 0 && n.Bool("trans_a"), operand == 1 && n.Bool("trans_b"):
			kept = 1 - operand
		}
		r := make([]Read, 2)
		r[kept] = same(operand)
		return r
	},
	Example: `
  %1 = const [1, 2, 3, 4] : f32[2,2]
  %2 = const [0.5, -1] : f32[1,2]
  %3 = const [10] : f32[]
  %4 = gemm %1, %2, %3 {alpha=2, trans_b=true} : f32[2,1]
  return %4 "y"`,
})

// gemmSizes returns M, K, N and the rows of b, which must be K.
func gemmSizes(n *Node) (m, k, cols, kb int) {
	a, b := n.In(0).Shape, n.In(1).Shape
	m, k, kb, cols = a[0], a[1], b[0], b[1]
	if n.Bool("trans_a") {
		m, k = k, m
	}
	if n.Bool("trans_b") {
		kb, cols = cols, kb
	}
	return m, k, cols, kb
}

func gemm[E number](n *Node, out, a, b []E) {
	m, k, cols, _ := gemmSizes(n)
	if n.Bool("trans_a") {
		a = transposed(a, k, m)
	}
	if n.Bool("trans_b") {
		b = transposed(b, cols, k)
	}
	multiply(out, a, b, m, k, cols)
	if alpha := E(n.Float("alpha")); alpha != 1 {
		for i := range out {
			out[i] *= alpha
		}
	}
}
