package ir

import "fmt"

var Gather = register(&Op{
	Name:     "gather",
	Doc:      "Takes slices of x along an axis: y[..., i, ...] = x[..., indices[i], ...]; the axis is replaced by the axes of indices. Negative indices count from the back.",
	Onnx:     "Gather",
	Since:    1,
	Levels:   Source | Logic | Packed,
	Kind:     Moves,
	Operands: []Param{{Name: "x"}, {Name: "indices", Doc: "integers in [-d, d-1] for an axis of size d", Index: true}},
	Results:  []Param{{Name: "y"}},
	Attrs:    []Attr{{Name: "axis", Kind: KInt, Default: 0, Doc: "the axis of x that is indexed"}},
	Infer: func(n *Node) ([]Type, error) {
		x, idx := n.In(0), n.In(1)
		if !idx.DType.IsInt() {
			return nil, fmt.Errorf("indices are %s, expected integers", idx)
		}
		a, err := axisAttr(n, x.Rank())
		if err != nil {
			return nil, err
		}
		shape := append([]int{}, x.Shape[:a]...)
		shape = append(shape, idx.Shape...)
		shape = append(shape, x.Shape[a+1:]...)
		return []Type{T(x.DType, shape...)}, nil
	},
	Eval: func(n *Node, in []*Tensor) ([]*Tensor, error) {
		x, idx, out := in[0], in[1], NewTensor(n.Results[0].Type)
		if out.Len() == 0 {
			return []*Tensor{out}, nil
		}
		a, err := axisAttr(n, x.Type.Rank())
		if err != nil {
			return nil, err
		}
		outer, inner := outerInner(x.Type.Shape, a)
		d := x.Type.Shape[a]
		at := 0
		for o := range outer {
			for i := range idx.Len() {
				k, err := index(idx, i, d)
				if err != nil {
					return nil, err
				}
				copyElems(out, at, x, (o*d+k)*inner, inner)
				at += inner
			}
		}
		return []*Tensor{out}, nil
	},
	Reads: func(n *Node, _, operand int) []Read {
		a, _ := axisAttr(n, n.In(0).Rank())
		idx := n.In(1).Rank()
		if operand == 1 {
			return sames(idx, a)
		}
		r := make([]Read, n.In(0).Rank())
		for b := range r {
			switch {
			case b < a:
				r[b] = same(b)
			case b == a:
				r[b] = indexRead(ConstOf(n.Arg(1)), a, n.In(0).Shape[a])
			default:
				r[b] = same(b + idx - 1)
			}
		}
		return r
	},
	Example: `
  %1 = const [1, 2, 3, 4] : f32[2,2]
  %2 = const [-1] : i64[]
  %3 = gather %1, %2 {axis=1} : f32[2]
  return %3 "y"`,
})

// CheckIndices says which constant index of a gather, gather_elements or gather_nd
// is out of range. An evaluation says the same; types do not depend on constants.
func CheckIndices(n *Node) error {
	if n.Op != Gather && n.Op != GatherElements && n.Op != GatherND || n.Results[0].Type.Elems() == 0 {
		return nil
	}
	idx, x := ConstOf(n.Args[1]), n.In(0)
	if idx == nil {
		return nil
	}
	var size func(i int) int
	switch rank := idx.Type.Rank(); n.Op {
	case GatherND:
		size = func(i int) int { return x.Shape[n.Int("batch_dims")+i%idx.Type.Shape[rank-1]] }
	default:
		a, err := axisAttr(n, x.Rank())
		if err != nil {
			return err
		}
		size = func(int) int { return x.Shape[a] }
	}
	for i := range idx.Len() {
		if _, err := index(idx, i, size(i)); err != nil {
			return err
		}
	}
	return nil
}

// index returns element i of a tensor of indices into an axis of size d, with
// negative ones counted from the back.
func index(t *Tensor, i, d int) (int, error) {
	k := int(t.Int(i))
	if k < -d || k >= d {
		return 0, fmt.Errorf("indices element %d is %d, expected -%d to %d", i, k, d, d-1)
	}
	if k < 0 {
		k += d
	}
	return k, nil
}

// indexRead is what an element at index p on an axis reads of an axis of size d
// where it takes index indices[p]: a window where the indices are known, alone
// or at equal distances.
func indexRead(indices *Tensor, axis, d int) Read {
	if indices == nil || indices.Len() == 0 || indices.Type.Rank() > 1 {
		return Read{}
	}
	var at0, step int
	for i := range indices.Len() {
		k, err := index(indices, i, d)
		switch {
		case err != nil:
			return Read{}
		case i == 0:
			at0 = k
		case i == 1:
			step = k - at0
		case k != at0+i*step:
			return Read{}
		}
	}
	if indices.Type.Rank() == 0 {
		return at(at0)
	}
	return stepping(axis, at0, step)
}
