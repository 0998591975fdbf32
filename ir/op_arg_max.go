package ir

import "fmt"

var ArgMax = register(&Op{
	Name:     "arg_max",
	Doc:      "Index of the largest element along an axis: the first of equals, or the last with select_last. NaN counts as larger than everything.",
	Onnx:     "ArgMax",
	Since:    1,
	Levels:   Source | Logic | Packed,
	Kind:     Reduces,
	Flat:     true,
	Operands: []Param{{Name: "x"}},
	Results:  []Param{{Name: "y", Doc: "i64"}},
	Attrs: []Attr{
		{Name: "axis", Kind: KInt, Default: 0, Doc: "the axis to search"},
		{Name: "keepdims", Kind: KBool, Default: true, Doc: "keep the axis with size 1"},
		{Name: "select_last", Kind: KBool, Default: false, Doc: "the last of equal elements"},
	},
	Infer: func(n *Node) ([]Type, error) {
		x := n.In(0)
		if !isOrdered(x.DType) {
			return nil, fmt.Errorf("x is %s: not defined for that element type", x)
		}
		a, err := axisAttr(n, x.Rank())
		if err != nil {
			return nil, err
		}
		shape, err := reducedShape(x.Shape, []int{a}, n.Bool("keepdims"))
		if err != nil {
			return nil, err
		}
		y := T(I64, shape...)
		if x.Shape[a] == 0 && y.Elems() > 0 {
			return nil, fmt.Errorf("axis %d of %s has no elements to choose from", a, x)
		}
		return []Type{y}, nil
	},
	Eval: func(n *Node, in []*Tensor) ([]*Tensor, error) {
		x, out := in[0], NewTensor(n.Results[0].Type)
		if out.Len() == 0 {
			return []*Tensor{out}, nil
		}
		a, err := axisAttr(n, x.Type.Rank())
		if err != nil {
			return nil, err
		}
		_, inner := outerInner(x.Type.Shape, a)
		last := n.Bool("select_last")
		for i := range out.Ints() {
			first := i/inner*x.Type.Shape[a]*inner + i%inner
			switch {
			case x.HoldsFloats():
				out.Ints()[i] = argMax(x.Floats(), first, inner, x.Type.Shape[a], last)
			case x.HoldsDoubles():
				out.Ints()[i] = argMax(x.Doubles(), first, inner, x.Type.Shape[a], last)
			default:
				out.Ints()[i] = argMax(x.Ints(), first, inner, x.Type.Shape[a], last)
			}
		}
		return []*Tensor{out}, nil
	},
	Reads: func(n *Node, _, _ int) []Read { return reduceReads(n, []int{n.Int("axis")}) },
	Example: `
  %1 = const [3, 1, 3, -1, nan, 2] : f32[2,3]
  %2 = arg_max %1 {axis=1, keepdims=false, select_last=true} : i64[2]
  return %2 "y"`,
})

// argMax searches x[first], x[first+step], ... (count elements).
func argMax[E number](x []E, first, step, count int, last bool) int64 {
	best := 0
	for k := 1; k < count; k++ {
		v, b := x[first+k*step], x[first+best*step]
		if v > b || v != v && b == b || last && (v == b || v != v && b != b) {
			best = k
		}
	}
	return int64(best)
}
