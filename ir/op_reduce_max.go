package ir

import "math"

var ReduceMax = register(&Op{
	Name:     "reduce_max",
	Doc:      "Largest element over axes; NaN wins. Over no elements it is -inf, or the smallest value of an integer type or bool.",
	Onnx:     "ReduceMax",
	Since:    1,
	Levels:   Source | Logic | Packed,
	Kind:     Reduces,
	Values:   Taken,
	Operands: []Param{{Name: "x"}},
	Results:  []Param{{Name: "y"}},
	Attrs:    reduceAttrs,
	Infer:    reduceInfer(isOrdered, Invalid),
	Eval: func(n *Node, in []*Tensor) ([]*Tensor, error) {
		lo, _ := in[0].Type.DType.Range()
		return reduceFold(n, in[0], setAll(math.Inf(-1), lo),
			func(a, b float32) float32 { return max(a, b) },
			func(a, b float64) float64 { return max(a, b) },
			func(a, b int64) int64 { return max(a, b) })
	},
	Slope: slopes(Rising),
	Reads: func(n *Node, _, _ int) []Read { return reduceReads(n, n.Ints("axes")) },
	Example: `
  %1 = const [1, 0, 0, 0] : bool[2,2]
  %2 = reduce_max %1 {axes=[1]} : bool[2,1]
  return %2 "y"`,
})
