package ir

import "math"

var ReduceMin = register(&Op{
	Name:     "reduce_min",
	Doc:      "Smallest element over axes; NaN wins. Over no elements it is inf, or the largest value of an integer type or bool.",
	Onnx:     "ReduceMin",
	Since:    1,
	Levels:   Source | Logic | Packed,
	Kind:     Reduces,
	Values:   Taken,
	Operands: []Param{{Name: "x"}},
	Results:  []Param{{Name: "y"}},
	Attrs:    reduceAttrs,
	Infer:    reduceInfer(isOrdered, Invalid),
	Eval: func(n *Node, in []*Tensor) ([]*Tensor, error) {
		_, hi := in[0].Type.DType.Range()
		return reduceFold(n, in[0], setAll(math.Inf(1), hi),
			func(a, b float32) float32 { return min(a, b) },
			func(a, b float64) float64 { return min(a, b) },
			func(a, b int64) int64 { return min(a, b) })
	},
	Slope: slopes(Rising),
	Reads: func(n *Node, _, _ int) []Read { return reduceReads(n, n.Ints("axes")) },
	Example: `
  %1 = const [] : f32[2,0]
  %2 = reduce_min %1 {axes=[1]} : f32[2,1]
  return %2 "y"`,
})
