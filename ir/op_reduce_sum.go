package ir

var ReduceSum = register(&Op{
	Name:     "reduce_sum",
	Doc:      "Sum over axes, in row-major order and starting at 0; integers wrap. Over no elements it is 0.",
	Onnx:     "ReduceSum",
	Since:    1,
	Levels:   Source | Logic | Packed,
	Kind:     Reduces,
	Operands: []Param{{Name: "x"}},
	Results:  []Param{{Name: "y"}},
	Attrs:    reduceAttrs,
	Infer:    reduceInfer(isNumber, Invalid),
	Eval: func(n *Node, in []*Tensor) ([]*Tensor, error) {
		out, err := reduceSum(n, in[0])
		if err != nil {
			return nil, err
		}
		roundAll(out)
		return []*Tensor{out}, nil
	},
	Slope: slopes(Rising),
	Reads: func(n *Node, _, _ int) []Read { return reduceReads(n, n.Ints("axes")) },
	Example: `
  %1 = const [1, 2, 3, 4] : i32[2,2]
  %2 = reduce_sum %1 {axes=[1]} : i32[2,1]
  return %2 "y"`,
})
