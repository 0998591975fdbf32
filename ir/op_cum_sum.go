package ir

var CumSum = register(&Op{
	Name: "cum_sum",
	Doc: "Running sums along an axis: y[p] = x[0] + ... + x[p], with reverse x[p] + x[p+1] + .... They are made by adding what lies 1, 2, 4, ... places away, which is the order " +
		"in which floats are rounded; integers wrap.",
	Onnx:     "CumSum",
	Since:    11,
	Levels:   Source | Logic,
	Kind:     Reduces,
	Operands: []Param{{Name: "x"}},
	Results:  []Param{{Name: "y"}},
	Attrs:    []Attr{{Name: "axis", Kind: KInt, Doc: "the axis to go along"}, {Name: "reverse", Kind: KBool, Default: false, Doc: "from the last element to the first"}},
	Infer: func(n *Node) ([]Type, error) {
		if _, err := axisAttr(n, n.In(0).Rank()); err != nil {
			return nil, err
		}
		return unaryInfer(isNumber, Invalid)(n)
	},
	Eval: func(n *Node, in []*Tensor) ([]*Tensor, error) {
		a, err := axisAttr(n, in[0].Type.Rank())
		if err != nil {
			return nil, err
		}
		y := in[0]
		for d := 1; d < y.Type.Shape[a]; d *= 2 {
			y = addMoved(y, a, d, n.Bool("reverse"))
		}
		return []*Tensor{y}, nil
	},
	Slope: slopes(Rising),
	Reads: func(n *Node, _, _ int) []Read {
		r := sames(n.In(0).Rank(), 0)
		a, _ := axisAttr(n, len(r))
		r[a] = timeRead(n.Bool("reverse"), a)
		return r
	},
	Example: `
  %1 = const [1, 2, 3, 4] : i32[2,2]
  %2 = cum_sum %1 {axis=1} : i32[2,2]
  %3 = cum_sum %1 {axis=0, reverse=true} : i32[2,2]
  return %2 "a", %3 "b"`,
})

// addMoved adds to every element the one d places before it on axis a, with back
// the one behind it, where there is one.
func addMoved(x *Tensor, a, d int, back bool) *Tensor {
	y := NewTensor(x.Type)
	_, inner := outerInner(x.Type.Shape, a)
	from := -d
	if back {
		from = d
	}
	other := func(i int) int { // its place, -1 for none
		if p := i/inner%x.Type.Shape[a] + from; p < 0 || p >= x.Type.Shape[a] {
			return -1
		}
		return i + from*inner
	}
	switch {
	case x.HoldsFloats():
		addPlaces(y.Floats(), x.FloatRange(0, x.Len()), other)
	case x.HoldsDoubles():
		addPlaces(y.Doubles(), x.Doubles(), other)
	default:
		addPlaces(y.Ints(), x.IntRange(0, x.Len()), other)
	}
	roundAll(y)
	return y
}

func addPlaces[E int64 | float32 | float64](y, x []E, other func(i int) int) {
	for i, v := range x {
		y[i] = v
		if j := other(i); j >= 0 {
			y[i] += x[j]
		}
	}
}
