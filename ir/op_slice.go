package ir

import (
	"fmt"
	"math"
)

var Slice = register(&Op{
	Name: "slice",
	Doc: "Takes, along every named axis, the elements start, start+step, ... before end. Negative starts and ends count from the back; both are " +
		"clamped to the axis, so a very large end means to the last element, and with a negative step a very small one to the first.",
	Onnx:     "Slice",
	Since:    1,
	Levels:   Source | Logic | Packed,
	Kind:     Moves,
	Operands: []Param{{Name: "x"}},
	Results:  []Param{{Name: "y"}},
	Attrs: []Attr{
		{Name: "starts", Kind: KInts, Doc: "first index, one an axis"},
		{Name: "ends", Kind: KInts, Doc: "index to stop before, one an axis"},
		{Name: "axes", Kind: KInts, Default: []int{}, Doc: "the axes; empty: the first ones"},
		{Name: "steps", Kind: KInts, Default: []int{}, Doc: "distance of the elements, not 0; empty: 1"},
	},
	Infer: func(n *Node) ([]Type, error) {
		_, _, shape, err := slicing(n)
		if err != nil {
			return nil, err
		}
		return []Type{T(n.In(0).DType, shape...)}, nil
	},
	Eval: func(n *Node, in []*Tensor) ([]*Tensor, error) {
		first, step, _, err := slicing(n)
		if err != nil {
			return nil, err
		}
		out := NewTensor(n.Results[0].Type)
		base, s := 0, strides(in[0].Type.Shape)
		for a := range s {
			base += first[a] * s[a]
			s[a] *= step[a]
		}
		stridedCopy(out, in[0], base, s)
		return []*Tensor{out}, nil
	},
	Reads: func(n *Node, _, _ int) []Read {
		r := make([]Read, n.In(0).Rank())
		first, step, _, _ := slicing(n)
		for a := range first {
			r[a] = stepping(a, first[a], step[a])
		}
		return r
	},
	Example: `
  %1 = const [1, 2, 3, 4, 5, 6] : f32[2,3]
  %2 = slice %1 {starts=[-1], ends=[-100], axes=[1], steps=[-2]} : f32[2,2]
  return %2 "y"`,
})

// slicing returns the first index, the step and the number of elements that a
// slice takes along every axis of its operand.
func slicing(n *Node) (first, step, size []int, err error) {
	x := n.In(0)
	starts, ends, axes, steps := n.Ints("starts"), n.Ints("ends"), n.Ints("axes"), n.Ints("steps")
	if len(axes) == 0 {
		axes = make([]int, len(starts))
		for a := range axes {
			axes[a] = a
		}
	}
	if len(ends) != len(starts) || len(axes) != len(starts) || len(steps) != 0 && len(steps) != len(starts) {
		return nil, nil, nil, fmt.Errorf("%d starts, %d ends, %d axes and %d steps, expected equal numbers", len(starts), len(ends), len(axes), len(steps))
	}
	first, step = make([]int, x.Rank()), make([]int, x.Rank())
	size = append([]int{}, x.Shape...)
	for a := range step {
		step[a] = 1
	}
	if len(axes) == 0 {
		return first, step, size, nil
	}
	if _, err := Axes(axes, x.Rank()); err != nil {
		return nil, nil, nil, err
	}
	for i, axis := range axes {
		a, _ := Axis(axis, x.Rank())
		if len(steps) > 0 {
			step[a] = steps[i]
		}
		if step[a] == 0 {
			return nil, nil, nil, fmt.Errorf("the step of axis %d is 0", a)
		}
		first[a], size[a] = sliceAxis(starts[i], ends[i], step[a], x.Shape[a])
		if size[a] <= 1 {
			step[a] = 1 // unused, and a huge one would overflow as a stride
		}
	}
	return first, step, size, nil
}

// sliceAxis returns the first index and the number of elements of a slice of an
// axis with d elements.
func sliceAxis(start, end, step, d int) (first, size int) {
	if start < 0 {
		start += d
	}
	if end < 0 {
		end += d
	}
	if step > 0 {
		start, end = min(max(start, 0), d), min(max(end, 0), d)
		if start >= end {
			return 0, 0
		}
		return start, (end-start-1)/step + 1
	}
	start, end = min(max(start, 0), d-1), min(max(end, -1), d-1)
	if start <= end {
		return 0, 0
	}
	return start, (start-end-1)/-max(step, -math.MaxInt) + 1
}
