package ir

import "fmt"

var GatherND = register(&Op{
	Name: "gather_nd",
	Doc: "Takes slices of x at coordinates: every row of indices (its last axis, of size r) indexes r axes of x after the first batch_dims ones, which x and indices share. " +
		"Negative indices count from the back.",
	Onnx:     "GatherND",
	Since:    11,
	Levels:   Source | Logic | Packed,
	Kind:     Moves,
	Operands: []Param{{Name: "x"}, {Name: "indices", Doc: "integers", Index: true}},
	Results:  []Param{{Name: "y", Doc: "indices' shape without its last axis, then x's without its first batch_dims + r"}},
	Attrs:    []Attr{{Name: "batch_dims", Kind: KInt, Default: 0, Doc: "leading axes that x and indices share"}},
	Infer: func(n *Node) ([]Type, error) {
		x, idx, b := n.In(0), n.In(1), n.Int("batch_dims")
		if !idx.DType.IsInt() || idx.Rank() == 0 {
			return nil, fmt.Errorf("indices are %s, expected integers with at least one axis", idx)
		}
		if b < 0 || b >= idx.Rank() || b > x.Rank() || !SameShape(x.Shape[:b], idx.Shape[:b]) {
			return nil, fmt.Errorf("x is %s and indices are %s, expected them to share %d leading axes", x, idx, b)
		}
		r := idx.Shape[idx.Rank()-1]
		if r > x.Rank()-b {
			return nil, fmt.Errorf("indices are %s: rows of %d, expected at most the %d axes of %s after the first %d", idx, r, x.Rank()-b, x, b)
		}
		return []Type{T(x.DType, append(append([]int{}, idx.Shape[:idx.Rank()-1]...), x.Shape[b+r:]...)...)}, nil
	},
	Eval: func(n *Node, in []*Tensor) ([]*Tensor, error) {
		x, idx, out, b := in[0], in[1], NewTensor(n.Results[0].Type), n.Int("batch_dims")
		if out.Len() == 0 {
			return []*Tensor{out}, nil
		}
		r := idx.Type.Shape[idx.Type.Rank()-1]
		inner := Type{Shape: x.Type.Shape[b+r:]}.Elems()
		perBatch := Type{Shape: idx.Type.Shape[b : idx.Type.Rank()-1]}.Elems()
		for row := range out.Len() / inner {
			at := row / perBatch // of the batch, then into its axes
			for a := range r {
				k, err := index(idx, row*r+a, x.Type.Shape[b+a])
				if err != nil {
					return nil, err
				}
				at = at*x.Type.Shape[b+a] + k
			}
			copyElems(out, row*inner, x, at*inner, inner)
		}
		return []*Tensor{out}, nil
	},
	Reads: func(n *Node, _, operand int) []Read {
		rank, b := n.In(1).Rank(), n.Int("batch_dims")
		r := make([]Read, n.In(operand).Rank())
		rows := n.In(1).Shape[rank-1]
		for a := range r {
			switch {
			case a < b || operand == 1 && a < rank-1:
				r[a] = same(a)
			case operand == 0 && a >= b+rows:
				r[a] = same(a - b - rows + rank - 1)
			}
		}
		return r
	},
	Example: `
  %1 = const [1, 2, 3, 4] : f32[2,2]
  %2 = const [0, 1, -1, 0] : i64[2,2]
  %3 = gather_nd %1, %2 : f32[2]
  return %3 "y"`,
})
