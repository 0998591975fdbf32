package ir

var Count = register(&Op{
	Name:     "count",
	Doc:      "Sum over axes in integers: for bits the number of ones (thresholded global average pooling compares it).",
	Levels:   Logic | Packed,
	Of:       []*Op{ReduceSum, ReduceMean, GlobalAveragePool, AveragePool},
	Kind:     Reduces,
	Operands: []Param{{Name: "x", Doc: "integer or logic"}},
	Results:  []Param{{Name: "n", Doc: "i32"}},
	Attrs:    reduceAttrs,
	Infer:    reduceInfer(func(d DType) bool { return !d.IsFloat() }, I32),
	Eval: func(n *Node, in []*Tensor) ([]*Tensor, error) {
		out, err := reduceSum(n, in[0])
		return []*Tensor{out}, err
	},
	Slope: slopes(Rising),
	Reads: func(n *Node, _, _ int) []Read { return reduceReads(n, n.Ints("axes")) },
	Example: `
  %1 = const [1, 0, 1, 1] : bit[1,2,2]
  %2 = count %1 {axes=[2]} : i32[1,2,1]
  return %2 "n"`,
})
