package ir

import "fmt"

var GatherElements = register(&Op{
	Name:     "gather_elements",
	Doc:      "Takes one element of x for every index: y[i,j,...] = x at (i,j,...) with the coordinate on axis replaced by indices[i,j,...]. Negative indices count from the back.",
	Onnx:     "GatherElements",
	Since:    11,
	Levels:   Source | Logic | Packed,
	Kind:     Moves,
	Operands: []Param{{Name: "x"}, {Name: "indices", Doc: "integers, with as many axes as x and no larger than x but on axis", Index: true}},
	Results:  []Param{{Name: "y", Doc: "indices' shape"}},
	Attrs:    []Attr{{Name: "axis", Kind: KInt, Default: 0, Doc: "the axis of x that is indexed"}},
	Infer: func(n *Node) ([]Type, error) {
		x, idx := n.In(0), n.In(1)
		a, err := axisAttr(n, x.Rank())
		if err != nil {
			return nil, err
		}
		fits := idx.DType.IsInt() && idx.Rank() == x.Rank()
		for k := 0; fits && k < x.Rank(); k++ {
			fits = k == a || idx.Shape[k] <= x.Shape[k]
		}
		if !fits {
			return nil, fmt.Errorf("indices are %s, expected integers with the axes of %s, no larger but on axis %d", idx, x, a)
		}
		return []Type{T(x.DType, idx.Shape...)}, nil
	},
	Eval: func(n *Node, in []*Tensor) ([]*Tensor, error) {
		x, idx, out := in[0], in[1], NewTensor(n.Results[0].Type)
		a, err := axisAttr(n, x.Type.Rank())
		if err != nil {
			return nil, err
		}
		s := strides(x.Type.Shape)
		step := s[a]
		s[a] = 0
		walk(out.Type.Shape, func(i int, off []int) {
			k, bad := index(idx, i, x.Type.Shape[a])
			if bad != nil {
				if err == nil {
					err = bad
				}
				return
			}
			copyElem(out, i, x, off[0]+k*step)
		}, s)
		return []*Tensor{out}, err
	},
	Reads: func(n *Node, _, operand int) []Read {
		r := sames(n.In(operand).Rank(), 0)
		if a, _ := axisAttr(n, len(r)); operand == 0 {
			r[a] = Read{}
		}
		return r
	},
	Example: `
  %1 = const [1, 2, 3, 4] : f32[2,2]
  %2 = const [0, 0, -1, 0] : i64[2,2]
  %3 = gather_elements %1, %2 {axis=1} : f32[2,2]
  return %3 "y"`,
})
