package ir

import "math"

var GlobalMaxPool = register(&Op{
	Name:     "global_max_pool",
	Doc:      "Largest element over all spatial axes; NaN wins. Over no elements it is -inf, or the smallest value of an integer or logic type.",
	Onnx:     "GlobalMaxPool",
	Since:    1,
	Levels:   Source | Logic | Packed,
	Kind:     Reduces,
	Values:   Taken,
	Operands: []Param{{Name: "x", Doc: "[N,C,spatial...]"}},
	Results:  []Param{{Name: "y", Doc: "[N,C,1...]"}},
	Infer:    globalPoolInfer,
	Eval: func(n *Node, in []*Tensor) ([]*Tensor, error) {
		x, out := in[0], NewTensor(n.Results[0].Type)
		lo, _ := x.Type.DType.Range()
		globalMaxPool(out.Floats(), x.Floats(), float32(math.Inf(-1)))
		globalMaxPool(out.Doubles(), x.Doubles(), math.Inf(-1))
		globalMaxPool(out.Ints(), x.Ints(), lo)
		return []*Tensor{out}, nil
	},
	Slope: slopes(Rising),
	Reads: globalPoolReads,
	Example: `
  %1 = const [1, 2, 3, 4, 5, 6, 7, 8] : i8[1,2,2,2]
  %2 = global_max_pool %1 : i8[1,2,1,1]
  return %2 "y"`,
})

func globalMaxPool[E number](out, x []E, lowest E) {
	for i := range out {
		out[i] = lowest
		size := len(x) / len(out)
		for _, v := range x[i*size : (i+1)*size] {
			out[i] = max(out[i], v)
		}
	}
}
