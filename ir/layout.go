package ir

import "fmt"

// copyElems copies n elements of src from offset from to offset at of dst, which
// has the same element type.
func copyElems(dst *Tensor, at int, src *Tensor, from, n int) {
	switch {
	case dst.HoldsFloats():
		copy(dst.Floats()[at:at+n], src.FloatRange(from, from+n))
	case dst.HoldsDoubles():
		copy(dst.Doubles()[at:at+n], src.Doubles()[from:from+n])
	default:
		copy(dst.Ints()[at:at+n], src.IntRange(from, from+n))
	}
}

// copyElem copies one element.
func copyElem(dst *Tensor, at int, src *Tensor, from int) {
	switch {
	case dst.HoldsFloats():
		dst.Floats()[at] = src.Float32(from)
	case dst.HoldsDoubles():
		dst.Doubles()[at] = src.Float(from)
	default:
		dst.Ints()[at] = src.Int(from)
	}
}

// stridedCopy fills out, in row-major order, with the elements of x at base plus
// the index times the strides.
func stridedCopy(out, x *Tensor, base int, strides []int) {
	walk(out.Type.Shape, func(i int, off []int) { copyElem(out, i, x, base+off[0]) }, strides)
}

// outerInner returns the number of elements before and after an axis of a shape
// that has no zero.
func outerInner(shape []int, axis int) (outer, inner int) {
	return Type{Shape: shape[:axis]}.Elems(), Type{Shape: shape[axis+1:]}.Elems()
}

// reshapeEval evaluates an operation that only changes the shape.
func reshapeEval(n *Node, in []*Tensor) ([]*Tensor, error) {
	return []*Tensor{in[0].Reshape(n.Results[0].Type.Shape...)}, nil
}

// axisAttr returns attribute axis for a tensor of the given rank.
func axisAttr(n *Node, rank int) (int, error) {
	a, err := Axis(n.Int("axis"), rank)
	if err != nil {
		return 0, fmt.Errorf("attribute axis: %w", err)
	}
	return a, nil
}

// indexedCopy fills out with the elements of x whose index on axis a is
// from[a][i] for i on axis a of out; with fill, or 0, where one is -1.
func indexedCopy(out, x *Tensor, from [][]int, fill *Tensor) {
	s := strides(x.Type.Shape)
	idx := make([]int, len(from))
	for i := range out.Len() {
		off := 0
		for a, k := range idx {
			if from[a][k] < 0 {
				off = -1
				break
			}
			off += from[a][k] * s[a]
		}
		switch {
		case off >= 0:
			copyElem(out, i, x, off)
		case fill != nil:
			copyElem(out, i, fill, 0)
		}
		for a := len(idx) - 1; a >= 0; a-- {
			if idx[a]++; idx[a] < len(from[a]) {
				break
			}
			idx[a] = 0
		}
	}
}

// reshapeReads are the Reads of a reshape: axes that keep their size and their
// place among the elements are read at the same index, runs of others as a whole.
func reshapeReads(n *Node, _, _ int) []Read {
	x, y := n.In(0).Shape, n.Results[0].Type.Shape
	r := make([]Read, len(x))
	if n.In(0).Elems() == 0 {
		return r
	}
	// before counts the elements in front of an axis: equal counts are equal places.
	i, j, before, beforeY := 0, 0, 1, 1
	for i < len(x) && j < len(y) {
		switch {
		case x[i] == 1:
			i++
		case y[j] == 1:
			j++
		case before == beforeY && x[i] == y[j]:
			r[i] = same(j)
			before, beforeY, i, j = before*x[i], beforeY*y[j], i+1, j+1
		case before <= beforeY:
			before, i = before*x[i], i+1
		default:
			beforeY, j = beforeY*y[j], j+1
		}
	}
	return r
}
