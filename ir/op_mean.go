package ir

var Mean = register(&Op{
	Name:     "mean",
	Doc:      "The mean of the operands, with broadcasting: their sum from left to right, divided by their number.",
	Onnx:     "Mean",
	Since:    1,
	Levels:   Source | Logic | Packed,
	Kind:     Elementwise,
	Operands: []Param{{Name: "x", Doc: "one tensor or more", Variadic: true}},
	Results:  []Param{{Name: "y"}},
	Infer:    variadicInfer(DType.IsFloat),
	Eval: func(n *Node, in []*Tensor) ([]*Tensor, error) {
		outs, err := sumEval(n, in)
		if err != nil {
			return nil, err
		}
		out, count := outs[0], len(in)
		for i := range out.Floats() {
			out.Floats()[i] = RoundFloat(out.Type.DType, out.Float32(i)/float32(count))
		}
		for i := range out.Doubles() {
			out.Doubles()[i] /= float64(count)
		}
		return outs, nil
	},
	Slope: slopes(Rising),
	Example: `
  %1 = const [1, 5, nan] : f32[3]
  %2 = const [2, 3] : f32[2,1]
  %3 = mean %1, %2, %1 : f32[2,3]
  return %3 "y"`,
})
