package ir

import "math"

var MaxPool = register(&Op{
	Name: "max_pool",
	Doc: "Largest element under a window: y[n,c,p] = max over the taps k of x[n,c,p*stride + k*dilation - pad]. Padding is ignored: a window that lies in it " +
		"altogether gives -inf, or the smallest value of an integer or logic type. NaN wins. On bits it is OR.",
	Onnx:     "MaxPool",
	Since:    1,
	Levels:   Source | Logic | Packed,
	Kind:     Windows,
	Values:   Taken,
	Operands: []Param{{Name: "x", Doc: "[N,C,spatial...]"}},
	Results:  []Param{{Name: "y", Doc: "[N,C,spatial...]"}},
	Attrs:    poolAttrs,
	Infer:    poolInfer,
	Eval: func(n *Node, in []*Tensor) ([]*Tensor, error) {
		w, err := poolWindow(n)
		if err != nil {
			return nil, err
		}
		x, out := in[0], NewTensor(n.Results[0].Type)
		maps := x.Type.Shape[0] * x.Type.Shape[1]
		switch {
		case out.HoldsFloats():
			maxPool(w, maps, out.Floats(), x.Floats(), float32(math.Inf(-1)))
		case out.HoldsDoubles():
			maxPool(w, maps, out.Doubles(), x.Doubles(), math.Inf(-1))
		default:
			lo, _ := x.Type.DType.Range()
			maxPool(w, maps, out.Ints(), x.Ints(), lo)
		}
		return []*Tensor{out}, nil
	},
	Slope: slopes(Rising),
	Reads: poolReads,
	Example: `
  %1 = const [1, 2, 3, 4, 5] : f32[1,1,5]
  %2 = max_pool %1 {kernel=[2], ceil=true, stride=[2]} : f32[1,1,3]
  return %2 "y"`,
})

func maxPool[E number](w *window, maps int, out, x []E, lowest E) {
	w.pool(maps, func(at int, _, taps []int) {
		v := lowest
		for _, off := range taps {
			v = max(v, x[off])
		}
		out[at] = v
	})
}
