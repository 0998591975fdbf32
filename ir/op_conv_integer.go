package ir

var ConvInteger = register(&Op{
	Name:     "conv_integer",
	Doc:      "Convolution of integers: conv of x - x_zero and w - w_zero in i32, which wraps. Padding is x_zero.",
	Onnx:     "ConvInteger",
	Since:    10,
	Levels:   Source | Logic | Packed,
	Kind:     Windows,
	Operands: []Param{{Name: "x", Doc: "[N,C,spatial...]"}, {Name: "w", Doc: "[O,C/groups,kernel...]"}, {Name: "x_zero", Doc: "one; left out: 0", Optional: true}, {Name: "w_zero", Doc: "one or [O]; left out: 0", Optional: true}},
	Results:  []Param{{Name: "y", Doc: "i32 [N,O,spatial...]"}},
	Attrs:    convAttrs,
	Infer: func(n *Node) ([]Type, error) {
		if err := expectIntegers(n, 0, 1); err != nil {
			return nil, err
		}
		types, err := convInfer(convOf(n, 0, 1, nil), I32)
		if err != nil {
			return nil, err
		}
		if err := expectOne(n, 2, n.In(0).DType, 0); err != nil {
			return nil, err
		}
		return types, expectOne(n, 3, n.In(1).DType, n.In(1).Shape[0])
	},
	Eval: func(n *Node, in []*Tensor) ([]*Tensor, error) {
		out, err := integerConvSums(convOf(n, 0, 1, nil), n.Results[0].Type, in[0], operand(in, 2), in[1], operand(in, 3))
		if err != nil {
			return nil, err
		}
		roundAll(out)
		return []*Tensor{out}, nil
	},
	Work: convWork,
	Reads: func(n *Node, _, operand int) []Read {
		if operand == 2 {
			return make([]Read, n.In(2).Rank())
		}
		return convReads(n, n, operand)
	},
	Example: `
  %1 = const [2, 3, 4] : u8[1,1,3]
  %2 = const [1, 1] : u8[1,1,2]
  %3 = const [1] : u8[]
  %4 = conv_integer %1, %2, %3 {pad=[1,0]} : i32[1,1,3]
  return %4 "y"`,
})
