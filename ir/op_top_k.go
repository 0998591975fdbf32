package ir

import (
	"cmp"
	"fmt"
	"slices"
)

var TopK = register(&Op{
	Name: "top_k",
	Doc: "The k largest elements along an axis, or the smallest, in order, and their positions; of equal elements the first comes first. " +
		"NaN counts as larger than everything.",
	Onnx:     "TopK",
	Since:    1,
	Levels:   Source | Logic | Packed,
	Kind:     Reduces,
	Flat:     true,
	Operands: []Param{{Name: "x"}},
	Results:  []Param{{Name: "values"}, {Name: "indices", Doc: "i64"}},
	Attrs: []Attr{
		{Name: "k", Kind: KInt, Doc: "how many"},
		{Name: "axis", Kind: KInt, Default: -1, Doc: "the axis to search"},
		{Name: "largest", Kind: KBool, Default: true, Doc: "the largest rather than the smallest"},
	},
	Reads: func(n *Node, _, _ int) []Read {
		r := sames(n.In(0).Rank(), 0)
		if a, err := axisAttr(n, len(r)); err == nil {
			r[a] = Read{}
		}
		return r
	},
	Infer: func(n *Node) ([]Type, error) {
		x, k := n.In(0), n.Int("k")
		if !isNumber(x.DType) {
			return nil, fmt.Errorf("x is %s: not defined for that element type", x)
		}
		a, err := axisAttr(n, x.Rank())
		if err != nil {
			return nil, err
		}
		if k < 0 || k > x.Shape[a] {
			return nil, fmt.Errorf("k is %d, axis %d of %s has %d elements", k, a, x, x.Shape[a])
		}
		shape := slices.Clone(x.Shape)
		shape[a] = k
		return []Type{T(x.DType, shape...), T(I64, slices.Clone(shape)...)}, nil
	},
	Eval: func(n *Node, in []*Tensor) ([]*Tensor, error) {
		x, values, indices := in[0], NewTensor(n.Results[0].Type), NewTensor(n.Results[1].Type)
		a, err := axisAttr(n, x.Type.Rank())
		if err != nil || values.Len() == 0 {
			return []*Tensor{values, indices}, err
		}
		outer, inner := outerInner(x.Type.Shape, a)
		size, k := x.Type.Shape[a], n.Int("k")
		order := make([]int, size)
		for row := range outer * inner {
			first, into := row/inner*size*inner+row%inner, row/inner*k*inner+row%inner
			for i := range order {
				order[i] = i
			}
			slices.SortStableFunc(order, func(i, j int) int {
				if n.Bool("largest") {
					i, j = j, i
				}
				return compareElems(x, first+i*inner, first+j*inner)
			})
			for i, from := range order[:k] {
				copyElem(values, into+i*inner, x, first+from*inner)
				indices.Ints()[into+i*inner] = int64(from)
			}
		}
		return []*Tensor{values, indices}, nil
	},
	Example: `
  %1 = const [3, 1, 3, -1, nan, 2] : f32[2,3]
  %2, %3 = top_k %1 {k=2} : f32[2,2], i64[2,2]
  return %2 "values", %3 "indices"`,
})

// compareElems orders elements i and j; NaN is larger than everything.
func compareElems(x *Tensor, i, j int) int {
	switch {
	case x.HoldsFloats():
		return compareNumbers(x.Float32(i), x.Float32(j))
	case x.HoldsDoubles():
		return compareNumbers(x.Float(i), x.Float(j))
	}
	return cmp.Compare(x.Int(i), x.Int(j))
}

func compareNumbers[E float32 | float64](a, b E) int {
	switch {
	case a != a || b != b:
		return -cmp.Compare(a, b) // cmp has NaN below everything
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}
