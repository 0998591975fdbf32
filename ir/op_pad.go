package ir

import "fmt"

var Pad = register(&Op{
	Name: "pad",
	Doc: "Removes elements before and after axes where pads are negative, then adds elements where they are positive. Modes: constant (value, or 0), edge (the nearest " +
		"element), reflect (mirrored about the first and last element, which are not repeated), wrap (periodic), each of what is left.",
	Onnx:     "Pad",
	Since:    1,
	Levels:   Source | Logic | Packed,
	Kind:     Moves,
	Operands: []Param{{Name: "x"}, {Name: "value", Doc: "one element; left out: 0, which sbit does not have", Optional: true}},
	Results:  []Param{{Name: "y"}},
	Attrs: []Attr{
		{Name: "pads", Kind: KInts, Doc: "elements to add before every axis, then after every one"},
		{Name: "mode", Kind: KString, Default: "constant", Doc: "constant, edge, reflect or wrap"},
		{Name: "axes", Kind: KInts, Default: []int{}, Doc: "the axes that pads speaks of; empty: all"},
	},
	Infer: func(n *Node) ([]Type, error) {
		x, mode := n.In(0), n.Str("mode")
		before, after, err := padding(n)
		if err != nil {
			return nil, err
		}
		if v := n.Arg(1); v != nil && (v.Type.DType != x.DType || v.Type.Elems() != 1) {
			return nil, fmt.Errorf("value is %s, expected one %s", v.Type, x.DType)
		}
		switch mode {
		case "constant":
			if x.DType == SBit && n.Arg(1) == nil {
				return nil, fmt.Errorf("x is %s, which has no 0: expected operand value", x)
			}
		case "edge", "reflect", "wrap":
		default:
			return nil, fmt.Errorf("mode is %q, expected constant, edge, reflect or wrap", mode)
		}
		shape := make([]int, x.Rank())
		for a, d := range x.Shape {
			shape[a] = d + before[a] + after[a]
			if shape[a] < 0 {
				return nil, fmt.Errorf("pads %d and %d leave nothing of axis %d of %s", before[a], after[a], a, x)
			}
			if _, left := cutAxis(d, before[a], after[a]); mode != "constant" && left <= 0 && shape[a] > 0 {
				return nil, fmt.Errorf("axis %d of %s leaves no elements to pad with in mode %s", a, x, mode)
			}
		}
		return []Type{T(x.DType, shape...)}, nil
	},
	Eval: func(n *Node, in []*Tensor) ([]*Tensor, error) {
		x, out := in[0], NewTensor(n.Results[0].Type)
		before, after, err := padding(n)
		if err != nil || out.Len() == 0 {
			return []*Tensor{out}, err
		}
		from := make([][]int, len(before))
		for a, d := range out.Type.Shape {
			from[a] = make([]int, d)
			first, left := cutAxis(x.Type.Shape[a], before[a], after[a])
			for i := range from[a] {
				if from[a][i] = padSource(n.Str("mode"), i-max(before[a], 0), left); from[a][i] >= 0 {
					from[a][i] += first
				}
			}
		}
		indexedCopy(out, x, from, operand(in, 1))
		return []*Tensor{out}, nil
	},
	Reads: func(n *Node, _, operand int) []Read {
		r := make([]Read, n.In(operand).Rank())
		if operand > 0 {
			return r
		}
		before, after, _ := padding(n)
		for a := range before {
			if n.Str("mode") == "constant" || max(before[a], after[a]) <= 0 {
				r[a] = stepping(a, -before[a], 1)
			}
		}
		return r
	},
	Example: `
  %1 = const [1, 2, 3] : f32[1,3]
  %2 = const [9] : f32[]
  %3 = pad %1, %2 {pads=[1,-1,0,1]} : f32[2,3]
  %4 = pad %1 {pads=[4,0], mode="reflect", axes=[1]} : f32[1,7]
  return %3 "a", %4 "b"`,
})

// padding returns the elements to add before and after every axis.
func padding(n *Node) (before, after []int, err error) {
	rank, pads, axes := n.In(0).Rank(), n.Ints("pads"), n.Ints("axes")
	count := len(axes)
	if count == 0 {
		count = rank
	}
	if len(pads) != 2*count {
		return nil, nil, fmt.Errorf("%d pads, expected %d: before and after %d axes", len(pads), 2*count, count)
	}
	if _, err := Axes(axes, rank); err != nil {
		return nil, nil, err
	}
	before, after = make([]int, rank), make([]int, rank)
	for i := range count {
		a := i
		if len(axes) > 0 {
			a, _ = Axis(axes[i], rank)
		}
		before[a], after[a] = pads[i], pads[count+i]
		if max(before[a], after[a], n.In(0).Shape[a]) >= MaxElems || min(before[a], after[a]) <= -MaxElems {
			return nil, nil, fmt.Errorf("pads %d and %d of axis %d, with %d elements: expected less than 2^31", before[a], after[a], a, n.In(0).Shape[a])
		}
	}
	return before, after, nil
}

// cutAxis returns where an axis of d elements begins, and how many elements it
// has, after negative pads have removed theirs.
func cutAxis(d, before, after int) (first, left int) {
	first = max(0, -before)
	return first, d - first - max(0, -after)
}

// padSource returns the index that position i, counted from the first element
// of an axis of size d, is taken from, or -1 for the padding value.
func padSource(mode string, i, d int) int {
	if i >= 0 && i < d {
		return i
	}
	switch mode {
	case "edge":
		return min(max(i, 0), d-1)
	case "wrap":
		return (i%d + d) % d
	case "reflect":
		if d == 1 {
			return 0
		}
		period := 2 * (d - 1)
		i = (i%period + period) % period
		return min(i, period-i)
	}
	return -1
}
