package ir

import "fmt"

var Transpose = register(&Op{
	Name:     "transpose",
	Doc:      "Permutes the axes: axis i of y is axis perm[i] of x.",
	Onnx:     "Transpose",
	Since:    1,
	Levels:   Source | Logic | Packed,
	Kind:     Moves,
	Operands: []Param{{Name: "x"}},
	Results:  []Param{{Name: "y"}},
	Attrs:    []Attr{{Name: "perm", Kind: KInts, Default: []int{}, Doc: "the axis of x for every axis of y; empty: the reverse order"}},
	Infer: func(n *Node) ([]Type, error) {
		x := n.In(0)
		perm, err := permutation(n.Ints("perm"), x.Rank())
		if err != nil {
			return nil, err
		}
		shape := make([]int, x.Rank())
		for i, p := range perm {
			shape[i] = x.Shape[p]
		}
		return []Type{T(x.DType, shape...)}, nil
	},
	Eval: func(n *Node, in []*Tensor) ([]*Tensor, error) {
		x, out := in[0], NewTensor(n.Results[0].Type)
		perm, err := permutation(n.Ints("perm"), x.Type.Rank())
		if err != nil {
			return nil, err
		}
		from, s := strides(x.Type.Shape), make([]int, len(perm))
		for i, p := range perm {
			s[i] = from[p]
		}
		stridedCopy(out, x, 0, s)
		return []*Tensor{out}, nil
	},
	Reads: func(n *Node, _, _ int) []Read {
		r := make([]Read, n.In(0).Rank())
		perm, _ := permutation(n.Ints("perm"), len(r))
		for i, p := range perm {
			r[p] = same(i)
		}
		return r
	},
	Example: `
  %1 = const [1, -1, -1, 1, 1, 1] : sbit[1,2,3]
  %2 = transpose %1 {perm=[2,0,1]} : sbit[3,1,2]
  return %2 "y"`,
})

// permutation returns perm, or the reversal of rank axes when it is empty.
func permutation(perm []int, rank int) ([]int, error) {
	if len(perm) == 0 {
		perm = make([]int, rank)
		for i := range perm {
			perm[i] = rank - 1 - i
		}
		return perm, nil
	}
	if len(perm) != rank {
		return nil, fmt.Errorf("perm %v has %d entries, x has %d axes", perm, len(perm), rank)
	}
	seen := make([]bool, rank)
	for _, p := range perm {
		if p < 0 || p >= rank || seen[p] {
			return nil, fmt.Errorf("perm %v is no permutation of 0 to %d", perm, rank-1)
		}
		seen[p] = true
	}
	return perm, nil
}
