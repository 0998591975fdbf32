package ir

import "math"

var LogSoftmax = register(&Op{
	Name:     "log_softmax",
	Doc:      "y = (x - m) - log(sum(exp(x - m))) along an axis, m its largest element; computed in float64 and rounded once.",
	Onnx:     "LogSoftmax",
	Since:    1,
	Levels:   Source | Logic | Packed,
	Kind:     Normalizes,
	Operands: []Param{{Name: "x"}},
	Results:  []Param{{Name: "y"}},
	Attrs:    softmaxAttrs,
	Infer:    softmaxInfer,
	Eval: func(n *Node, in []*Tensor) ([]*Tensor, error) {
		return softmaxEval(n, in[0], func(x, m, sum float64) float64 { return x - m - math.Log(sum) })
	},
	Reads: func(n *Node, _, _ int) []Read {
		r := sames(n.In(0).Rank(), 0)
		a, _ := axisAttr(n, len(r))
		r[a] = Read{}
		return r
	},
	Example: `
  %1 = const [1, 2, 1000, 1001] : f32[2,2]
  %2 = log_softmax %1 {axis=0} : f32[2,2]
  return %2 "y"`,
})
