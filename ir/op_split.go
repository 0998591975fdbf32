package ir

import "fmt"

var Split = register(&Op{
	Name:     "split",
	Doc:      "Cuts x along an axis into consecutive pieces, one result for every size.",
	Onnx:     "Split",
	Since:    1,
	Levels:   Source | Logic | Packed,
	Kind:     Moves,
	Operands: []Param{{Name: "x"}},
	Results:  []Param{{Name: "y", Variadic: true}},
	Attrs: []Attr{
		{Name: "axis", Kind: KInt, Default: 0, Doc: "the axis to cut"},
		{Name: "sizes", Kind: KInts, Doc: "sizes of the pieces, which add up to the axis"},
	},
	Infer: func(n *Node) ([]Type, error) {
		x, sizes := n.In(0), n.Ints("sizes")
		a, err := axisAttr(n, x.Rank())
		if err != nil {
			return nil, err
		}
		if len(sizes) == 0 {
			return nil, fmt.Errorf("sizes is empty, expected at least one piece")
		}
		types, left := make([]Type, len(sizes)), x.Shape[a]
		for i, d := range sizes {
			if d < 0 || d > left {
				left = -1
				break
			}
			left -= d
			shape := append([]int{}, x.Shape...)
			shape[a] = d
			types[i] = T(x.DType, shape...)
		}
		if left != 0 {
			return nil, fmt.Errorf("sizes %v do not add up to axis %d of %s", sizes, a, x)
		}
		return types, nil
	},
	Eval: func(n *Node, in []*Tensor) ([]*Tensor, error) {
		x := in[0]
		a, err := axisAttr(n, x.Type.Rank())
		if err != nil {
			return nil, err
		}
		outs := make([]*Tensor, len(n.Results))
		first := 0
		s := strides(x.Type.Shape)
		for i, r := range n.Results {
			outs[i] = NewTensor(r.Type)
			stridedCopy(outs[i], x, first*s[a], s)
			first += r.Type.Shape[a]
		}
		return outs, nil
	},
	Reads: func(n *Node, result, _ int) []Read {
		r := sames(n.In(0).Rank(), 0)
		a, _ := axisAttr(n, len(r))
		first := 0
		for _, d := range n.Ints("sizes")[:result] {
			first += d
		}
		r[a] = stepping(a, first, 1)
		return r
	},
	Example: `
  %1 = const [1, 2, 3, 4, 5, 6] : i32[2,3]
  %2, %3 = split %1 {axis=1, sizes=[1,2]} : i32[2,1], i32[2,2]
  return %2 "a", %3 "b"`,
})
