package ir

var QLinearMatMul = register(&Op{
	Name: "qlinear_matmul",
	Doc: "Matrix product of quantized numbers: y = saturate(round(s * (a_scale*b_scale/y_scale)) + y_zero), halves to even, s = matmul of a - a_zero and b - b_zero in integers; " +
		"the factor and its product are rounded to float32. Parameters of a and y may be lists along the rows, those of b along the columns.",
	Onnx:   "QLinearMatMul",
	Since:  10,
	Levels: Source | Logic | Packed,
	Kind:   Multiplies,
	Operands: []Param{{Name: "a", Doc: "[...,M,K]"}, {Name: "a_scale", Doc: "float: one, [M] or [...,M,1]"}, {Name: "a_zero", Doc: "as a_scale"},
		{Name: "b", Doc: "[...,K,N]"}, {Name: "b_scale", Doc: "float: one, [N] or [...,1,N]"}, {Name: "b_zero", Doc: "as b_scale"},
		{Name: "y_scale", Doc: "float: one, [M] or [...,M,1]"}, {Name: "y_zero", Doc: "as y_scale, of y's type"}},
	Results: []Param{{Name: "y", Doc: "[...,M,N]"}},
	Infer: func(n *Node) ([]Type, error) {
		if err := expectIntegers(n, 0, 3, 7); err != nil {
			return nil, err
		}
		types, err := matmulInfer(n.In(0), n.In(3), n.In(7).DType)
		if err != nil {
			return nil, err
		}
		y := types[0].Shape
		for _, p := range []struct {
			operand int
			d       DType
			along   func([]int) []int
			matrix  []int
		}{{1, Invalid, alongRows, y}, {2, n.In(0).DType, alongRows, n.In(0).Shape}, {4, Invalid, asIs, y}, {5, n.In(3).DType, asIs, n.In(3).Shape},
			{6, Invalid, alongRows, y}, {7, n.In(7).DType, alongRows, y}} {
			if err := expectAlong(n, p.operand, p.d, p.along, p.matrix); err != nil {
				return nil, err
			}
		}
		return types, nil
	},
	Eval: func(n *Node, in []*Tensor) ([]*Tensor, error) {
		out := NewTensor(n.Results[0].Type)
		sums := NewTensor(T(I64, out.Type.Shape...))
		integerProduct(sums, in[0], in[2], in[3], in[5])
		q := &quantizer{dtype: F32}
		shape := out.Type.Shape
		walk(shape, func(i int, off []int) {
			factor := q.cut(q.cut(in[1].Float(off[0])*in[4].Float(off[1])) / in[6].Float(off[2]))
			out.Ints()[i] = requantize(out.Type.DType, q.cut(q.cut(float64(sums.Int(i)))*factor), in[7].Int(off[3]))
		}, broadcastStrides(alongRows(in[1].Type.Shape), shape), broadcastStrides(in[4].Type.Shape, shape),
			broadcastStrides(alongRows(in[6].Type.Shape), shape), broadcastStrides(alongRows(in[7].Type.Shape), shape))
		return []*Tensor{out}, nil
	},
	Work: func(n *Node) int {
		a := n.In(0).Shape
		return n.Results[0].Type.Elems() * a[len(a)-1]
	},
	Reads: func(n *Node, _, operand int) []Read {
		if operand == 0 || operand == 3 {
			return matmulReads(n, n.Args[0], n.Args[3], operand/3)
		}
		return productListReads(n, operand, operand != 4 && operand != 5, n.In(0).Rank(), n.In(3).Rank())
	},
	Example: `
  %1 = const [3, 5] : u8[1,2]
  %2 = const [0.5] : f32[]
  %3 = const [1] : u8[]
  %4 = const [1, -2] : i8[2,1]
  %5 = const [0] : i8[]
  %6 = qlinear_matmul %1, %2, %3, %4, %2, %5, %2, %5 : i8[1,1]
  return %6 "y"`,
})
