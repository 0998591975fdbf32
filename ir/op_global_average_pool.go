package ir

import "fmt"

var GlobalAveragePool = register(&Op{
	Name:     "global_average_pool",
	Doc:      "Mean over all spatial axes: the sum in row-major order, divided by the number of positions (0 for none).",
	Onnx:     "GlobalAveragePool",
	Since:    1,
	Levels:   Source | Logic | Packed,
	Kind:     Reduces,
	Operands: []Param{{Name: "x", Doc: "float [N,C,spatial...]"}},
	Results:  []Param{{Name: "y", Doc: "[N,C,1...]"}},
	Infer: func(n *Node) ([]Type, error) {
		if _, err := unaryInfer(DType.IsFloat, Invalid)(n); err != nil {
			return nil, err
		}
		return globalPoolInfer(n)
	},
	Eval: func(n *Node, in []*Tensor) ([]*Tensor, error) {
		x, out := in[0], NewTensor(n.Results[0].Type)
		if out.HoldsDoubles() {
			globalAveragePool(out.Doubles(), x.Doubles())
		} else {
			globalAveragePool(out.Floats(), x.Floats())
		}
		roundAll(out)
		return []*Tensor{out}, nil
	},
	Slope: slopes(Rising),
	Reads: globalPoolReads,
	Example: `
  %1 = const [1, 2, 3, 4, 5, 6, 7, 8] : f32[1,2,2,2]
  %2 = global_average_pool %1 : f32[1,2,1,1]
  return %2 "y"`,
})

func globalAveragePool[E float](out, x []E) {
	if len(x) == 0 {
		return
	}
	size := len(x) / len(out)
	for i := range out {
		for _, v := range x[i*size : (i+1)*size] {
			out[i] += v
		}
		out[i] /= E(size)
	}
}

// globalPoolInfer returns the type of a pooling over all spatial axes.
func globalPoolInfer(n *Node) ([]Type, error) {
	x := n.In(0)
	if x.Rank() < 2 {
		return nil, fmt.Errorf("x is %s, expected [N,C,spatial...]", x)
	}
	shape := append([]int{}, x.Shape...)
	for a := 2; a < len(shape); a++ {
		shape[a] = 1
	}
	return []Type{T(x.DType, shape...)}, nil
}

// globalPoolReads are the Reads of a pooling over all spatial axes.
func globalPoolReads(n *Node, _, _ int) []Read {
	r := make([]Read, n.In(0).Rank())
	copy(r, sames(2, 0))
	return r
}
