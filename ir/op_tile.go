package ir

import "fmt"

var Tile = register(&Op{
	Name:     "tile",
	Doc:      "Repeats x along every axis: y[i, ...] = x[i mod d, ...].",
	Onnx:     "Tile",
	Since:    1,
	Levels:   Source | Logic | Packed,
	Kind:     Moves,
	Operands: []Param{{Name: "x"}},
	Results:  []Param{{Name: "y"}},
	Attrs:    []Attr{{Name: "repeats", Kind: KInts, Doc: "how often, one number an axis"}},
	Infer: func(n *Node) ([]Type, error) {
		x, repeats := n.In(0), n.Ints("repeats")
		if len(repeats) != x.Rank() {
			return nil, fmt.Errorf("%d repeats, x is %s, expected one an axis", len(repeats), x)
		}
		shape := make([]int, x.Rank())
		for a, r := range repeats {
			if r < 0 || r >= MaxElems || x.Shape[a] >= MaxElems {
				return nil, fmt.Errorf("axis %d of %s is repeated %d times, expected 0 or more and a size below 2^31", a, x, r)
			}
			shape[a] = x.Shape[a] * r
		}
		return []Type{T(x.DType, shape...)}, nil
	},
	Eval: func(n *Node, in []*Tensor) ([]*Tensor, error) {
		x, out := in[0], NewTensor(n.Results[0].Type)
		if out.Len() == 0 {
			return []*Tensor{out}, nil
		}
		from := make([][]int, out.Type.Rank())
		for a, d := range out.Type.Shape {
			from[a] = make([]int, d)
			for i := range from[a] {
				from[a][i] = i % x.Type.Shape[a]
			}
		}
		indexedCopy(out, x, from, nil)
		return []*Tensor{out}, nil
	},
	Reads: func(n *Node, _, _ int) []Read {
		r := make([]Read, n.In(0).Rank())
		for a, repeats := range n.Ints("repeats") {
			if repeats == 1 {
				r[a] = same(a)
			}
		}
		return r
	},
	Example: `
  %1 = const [1, 0] : bit[1,2]
  %2 = tile %1 {repeats=[2,2]} : bit[2,4]
  return %2 "y"`,
})
