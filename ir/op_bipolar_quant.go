package ir

var BipolarQuant = register(&Op{
	Name:     "bipolar_quant",
	Doc:      "y = scale for x >= 0, -scale for everything else, NaN included.",
	Onnx:     "BipolarQuant",
	Since:    1,
	Levels:   Source | Logic | Packed,
	Kind:     Elementwise,
	Operands: []Param{{Name: "x", Doc: "float"}, {Name: "scale", Doc: "broadcasts to x"}},
	Results:  []Param{{Name: "y"}},
	Infer:    quantInfer,
	Eval: func(n *Node, in []*Tensor) ([]*Tensor, error) {
		return quantEval(n, in, func(v []float64) float64 {
			if v[0] >= 0 {
				return v[1]
			}
			return -v[1]
		})
	},
	Example: `
  %1 = const [-2, 0, nan] : f32[3]
  %2 = const [0.5] : f32[]
  %3 = bipolar_quant %1, %2 : f32[3]
  return %3 "y"`,
})
