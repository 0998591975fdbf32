package ir

var ReduceProd = register(&Op{
	Name:     "reduce_prod",
	Doc:      "Product over axes, in row-major order and starting at 1; integers wrap. Over no elements it is 1.",
	Onnx:     "ReduceProd",
	Since:    1,
	Levels:   Source | Logic | Packed,
	Kind:     Reduces,
	Operands: []Param{{Name: "x"}},
	Results:  []Param{{Name: "y"}},
	Attrs:    reduceAttrs,
	Infer:    reduceInfer(isNumber, Invalid),
	Eval: func(n *Node, in []*Tensor) ([]*Tensor, error) {
		return reduceFold(n, in[0], setAll(1, 1),
			func(a, b float32) float32 { return a * b },
			func(a, b float64) float64 { return a * b },
			func(a, b int64) int64 { return a * b })
	},
	Reads: func(n *Node, _, _ int) []Read { return reduceReads(n, n.Ints("axes")) },
	Example: `
  %1 = const [1, 2, 3, 4] : f32[2,2]
  %2 = reduce_prod %1 {axes=[1]} : f32[2,1]
  return %2 "y"`,
})
