package ir

var AveragePool = register(&Op{
	Name: "average_pool",
	Doc: "Mean under a window: the sum of the taps in row-major order, divided by the number of taps that are not in the padding (with count_include_pad: that are in the " +
		"padded input). A window with no such tap gives 0.",
	Onnx:     "AveragePool",
	Since:    1,
	Levels:   Source | Logic | Packed,
	Kind:     Windows,
	Operands: []Param{{Name: "x", Doc: "float [N,C,spatial...]"}},
	Results:  []Param{{Name: "y", Doc: "[N,C,spatial...]"}},
	Attrs:    append(append([]Attr{}, poolAttrs...), Attr{Name: "count_include_pad", Kind: KBool, Default: false, Doc: "padding counts as zeros"}),
	Infer: func(n *Node) ([]Type, error) {
		if _, err := unaryInfer(DType.IsFloat, Invalid)(n); err != nil {
			return nil, err
		}
		return poolInfer(n)
	},
	Eval: func(n *Node, in []*Tensor) ([]*Tensor, error) {
		w, err := poolWindow(n)
		if err != nil {
			return nil, err
		}
		x, out := in[0], NewTensor(n.Results[0].Type)
		maps := x.Type.Shape[0] * x.Type.Shape[1]
		if out.HoldsDoubles() {
			averagePool(n, w, maps, out.Doubles(), x.Doubles())
		} else {
			averagePool(n, w, maps, out.Floats(), x.Floats())
		}
		roundAll(out)
		return []*Tensor{out}, nil
	},
	Slope: slopes(Rising),
	Reads: poolReads,
	Example: `
  %1 = const [1, 2, 3, 4, 5] : f32[1,1,5]
  %2 = average_pool %1 {kernel=[2], ceil=true, stride=[2], pad=[1,0], count_include_pad=true} : f32[1,1,3]
  return %2 "y"`,
})

func averagePool[E float](n *Node, w *window, maps int, out, x []E) {
	padded := n.Bool("count_include_pad")
	after := make([]int, len(w.in))
	if pad := n.Ints("pad"); len(pad) > 0 {
		after = pad[len(w.in):]
	}
	w.pool(maps, func(at int, pos, taps []int) {
		var sum E
		for _, off := range taps {
			sum += x[off]
		}
		count := float64(len(taps))
		if padded {
			count = 1
			for a, p := range pos {
				start := p*w.stride[a] - w.pad[a]
				count *= float64(min(w.kernel[a], (w.in[a]+after[a]-1-start)/w.dil[a]+1))
			}
		}
		if count > 0 {
			out[at] = sum / E(count)
		}
	})
}
