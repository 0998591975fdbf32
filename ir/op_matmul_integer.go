package ir

var MatMulInteger = register(&Op{
	Name:   "matmul_integer",
	Doc:    "Matrix product of integers: matmul of a - a_zero and b - b_zero in i32, which wraps.",
	Onnx:   "MatMulInteger",
	Since:  10,
	Levels: Source | Logic | Packed,
	Kind:   Multiplies,
	Operands: []Param{{Name: "a", Doc: "[...,M,K]"}, {Name: "b", Doc: "[...,K,N]"}, {Name: "a_zero", Doc: "one, [M] or [...,M,1]; left out: 0", Optional: true},
		{Name: "b_zero", Doc: "one, [N] or [...,1,N]; left out: 0", Optional: true}},
	Results: []Param{{Name: "y", Doc: "i32 [...,M,N]"}},
	Infer: func(n *Node) ([]Type, error) {
		if err := expectIntegers(n, 0, 1); err != nil {
			return nil, err
		}
		if err := expectAlong(n, 2, n.In(0).DType, alongRows, n.In(0).Shape); err != nil {
			return nil, err
		}
		if err := expectAlong(n, 3, n.In(1).DType, asIs, n.In(1).Shape); err != nil {
			return nil, err
		}
		return matmulInfer(n.In(0), n.In(1), I32)
	},
	Eval: func(n *Node, in []*Tensor) ([]*Tensor, error) {
		out := NewTensor(n.Results[0].Type)
		integerProduct(out, in[0], operand(in, 2), in[1], operand(in, 3))
		roundAll(out)
		return []*Tensor{out}, nil
	},
	Work: matmulWork,
	Reads: func(n *Node, _, operand int) []Read {
		if operand < 2 {
			return matmulReads(n, n.Args[0], n.Args[1], operand)
		}
		return productListReads(n, operand, operand == 2, n.In(0).Rank(), n.In(1).Rank())
	},
	Example: `
  %1 = const [11, 7, 3, 10, 6, 2] : u8[2,3]
  %2 = const [1, 4, 2, 5, 3, 6] : u8[3,2]
  %3 = const [12, 10] : u8[2]
  %4 = matmul_integer %1, %2, %3 : i32[2,2]
  return %4 "y"`,
})

// integerProduct adds the matrix product of a - aZero and b - bZero to out.
func integerProduct(out, a, aZero, b, bZero *Tensor) {
	var rows, cols []int
	if aZero != nil {
		rows = alongRows(aZero.Type.Shape)
	}
	if bZero != nil {
		cols = bZero.Type.Shape
	}
	x := IntTensor(a.Type.DType, shifted(a, aZero, rows), a.Type.Shape...)
	w := IntTensor(b.Type.DType, shifted(b, bZero, cols), b.Type.Shape...)
	matmulEval(out, x, w)
}
