package ir

import "math"

var softmaxAttrs = []Attr{{Name: "axis", Kind: KInt, Default: -1, Doc: "the axis along which the results sum to 1"}}

var Softmax = register(&Op{
	Name:     "softmax",
	Doc:      "y = exp(x - m) / sum(exp(x - m)) along an axis, m its largest element; computed in float64 and rounded once.",
	Onnx:     "Softmax",
	Since:    1,
	Levels:   Source | Logic | Packed,
	Kind:     Normalizes,
	Operands: []Param{{Name: "x"}},
	Results:  []Param{{Name: "y"}},
	Attrs:    softmaxAttrs,
	Infer:    softmaxInfer,
	Eval: func(n *Node, in []*Tensor) ([]*Tensor, error) {
		return softmaxEval(n, in[0], func(x, m, sum float64) float64 { return math.Exp(x-m) / sum })
	},
	Reads: func(n *Node, _, _ int) []Read {
		r := sames(n.In(0).Rank(), 0)
		a, _ := axisAttr(n, len(r))
		r[a] = Read{}
		return r
	},
	Example: `
  %1 = const [1, 2, 1000, 1001] : f32[2,2]
  %2 = softmax %1 : f32[2,2]
  return %2 "y"`,
})

func softmaxInfer(n *Node) ([]Type, error) {
	if _, err := axisAttr(n, n.In(0).Rank()); err != nil {
		return nil, err
	}
	return unaryInfer(DType.IsFloat, Invalid)(n)
}

// softmaxEval evaluates f of every element, the largest element along the axis
// and the sum of exp(x - m).
func softmaxEval(n *Node, x *Tensor, f func(x, m, sum float64) float64) ([]*Tensor, error) {
	out := NewTensor(n.Results[0].Type)
	if out.Len() == 0 {
		return []*Tensor{out}, nil
	}
	a, err := axisAttr(n, x.Type.Rank())
	if err != nil {
		return nil, err
	}
	d := x.Type.Shape[a]
	outer, inner := outerInner(x.Type.Shape, a)
	for line := range outer * inner {
		first := line/inner*d*inner + line%inner
		m, sum := math.Inf(-1), 0.0
		for k := range d {
			m = max(m, x.Float(first+k*inner))
		}
		for k := range d {
			sum += math.Exp(x.Float(first+k*inner) - m)
		}
		for k := range d {
			out.SetFloat(first+k*inner, f(x.Float(first+k*inner), m, sum))
		}
	}
	return []*Tensor{out}, nil
}
