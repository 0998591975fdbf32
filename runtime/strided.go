package runtime

import (
	"github.com/billnet/billnet/runtime/billb"
	"github.com/billnet/billnet/runtime/kernels"
)

// strided describes reading a tensor in another order: element (i0,i1,...) of
// shape is at base + sum of i*stride of the source, all in elements.
type strided struct {
	shape, stride []int
	base          int
}

// strides returns the row-major strides of a shape.
//
//go:noinline
func strides(shape []int) []int {
	s := make([]int, len(shape))
	n := 1
	for i := len(shape) - 1; i >= 0; i-- {
		s[i] = n
		n *= shape[i]
	}
	return s
}

// broadcast returns the strides that stretch a tensor of a shape to out, false
// when it does not stretch so.
func broadcast(shape, out []int) ([]int, bool) {
	if len(shape) > len(out) {
		return nil, false
	}
	own, s := strides(shape), make([]int, len(out))
	skip := len(out) - len(shape)
	for i, d := range shape {
		switch {
		case d == out[skip+i]:
			if d != 1 {
				s[skip+i] = own[i]
			}
		case d != 1:
			return nil, false
		}
	}
	return s, true
}

// merge joins axes that one loop can walk in all of the stride lists, and drops
// axes of size 1. The results have at least one axis.
func merge(shape []int, lists ...[]int) ([]int, [][]int) {
	var dims []int
	out := make([][]int, len(lists))
	for a, d := range shape {
		if d == 1 {
			continue
		}
		joined := len(dims) > 0
		for k, l := range lists {
			if joined && out[k][len(dims)-1] != l[a]*d {
				joined = false
			}
		}
		if joined {
			dims[len(dims)-1] *= d
		} else {
			dims = append(dims, d)
		}
		for k, l := range lists {
			if joined {
				out[k][len(dims)-1] = l[a]
			} else {
				out[k] = append(out[k], l[a])
			}
		}
	}
	if len(dims) == 0 {
		dims = []int{1}
		for k := range out {
			out[k] = []int{0}
		}
	}
	return dims, out
}

// newStrided makes a reader with the fewest axes.
func newStrided(shape, stride []int, base int) *strided {
	dims, lists := merge(shape, stride)
	return &strided{shape: dims, stride: lists[0], base: base}
}

// rows is the number of rows: runs along the last axis.
func (s *strided) rows() int { return billb.Product(s.shape[:len(s.shape)-1]) }

// row is the source element at which row r begins.
//
//go:noinline
func (s *strided) row(r int) int {
	at := s.base
	for a := len(s.shape) - 2; a >= 0; a-- {
		at += r % s.shape[a] * s.stride[a]
		r /= s.shape[a]
	}
	return at
}

// copyRows writes rows lo to hi of the reordered src to dst.
func copyRows[T any](s *strided, dst, src []T, lo, hi int) {
	n, step := s.shape[len(s.shape)-1], s.stride[len(s.shape)-1]
	for r := lo; r < hi; r++ {
		row, at := dst[r*n:(r+1)*n], s.row(r)
		switch step {
		case 1:
			copy(row, src[at:])
		case 0:
			v := src[at]
			for i := range row {
				row[i] = v
			}
		default:
			for i := range row {
				row[i] = src[at]
				at += step
			}
		}
	}
}

// reorder is a step that writes x, read in another order, to y.
func (p *prep) reorder(y, x *operand, s *strided) step {
	if y.n == 0 {
		return step{}
	}
	if y.elem.Width() == 4 {
		if t := p.newTurned(s); t != nil {
			return t.step(y, x)
		}
	}
	var f func(m *memory, lo, hi int)
	switch y.elem.Width() {
	case 1:
		f = func(m *memory, lo, hi int) { copyRows(s, y.bytes(m), x.bytes(m), lo, hi) }
	case 2:
		f = func(m *memory, lo, hi int) { copyRows(s, view[uint16](y, m), view[uint16](x, m), lo, hi) }
	case 4:
		f = func(m *memory, lo, hi int) { copyRows(s, view[uint32](y, m), view[uint32](x, m), lo, hi) }
	default:
		f = func(m *memory, lo, hi int) { copyRows(s, view[uint64](y, m), view[uint64](x, m), lo, hi) }
	}
	return ranged(s.rows(), s.shape[len(s.shape)-1], f)
}

// turned is a reordering in which another axis than the last lies side by side in the source: a stack of transpositions of that axis
// and the last one, in tiles.
type turned struct {
	set      *kernels.Set
	rest     strided // the other axes, to their places in the source
	places   []int   // strides of the other axes in the result
	n, m     int     // elements of the last axis and of the one that lies side by side in the source
	from, to int     // strides of the last axis in the source and of the other in the result
}

// turnTile is about how many elements of either axis a piece of the work has.
const turnTile = 64

// newTurned is the plan, nil where there is no such axis or where it is short.
func (p *prep) newTurned(s *strided) *turned {
	last, beside := len(s.shape)-1, -1
	for a, stride := range s.stride[:last] {
		if stride == 1 && s.shape[a] >= 8 {
			beside = a
		}
	}
	if beside < 0 || s.stride[last] < 2 || s.shape[last] < 8 {
		return nil
	}
	own := strides(s.shape)
	t := &turned{set: p.set, rest: strided{base: s.base}, n: s.shape[last], m: s.shape[beside], from: s.stride[last], to: own[beside]}
	for a := range s.shape[:last] {
		if a != beside {
			t.rest.shape, t.rest.stride, t.places = append(t.rest.shape, s.shape[a]), append(t.rest.stride, s.stride[a]), append(t.places, own[a])
		}
	}
	return t
}

func (t *turned) step(y, x *operand) step {
	down, across := (t.n+turnTile-1)/turnTile, (t.m+turnTile-1)/turnTile
	stack := billb.Product(t.rest.shape)
	return ranged(stack*down*across, turnTile*turnTile, func(m *memory, lo, hi int) {
		dst, src := view[float32](y, m), view[float32](x, m)
		for u := lo; u < hi; u++ {
			i, j := u/across%down*turnTile, u%across*turnTile
			from, to, r := t.rest.base, 0, u/(down*across)
			for a := len(t.rest.shape) - 1; a >= 0; a-- {
				k := r % t.rest.shape[a]
				from, to = from+k*t.rest.stride[a], to+k*t.places[a]
				r /= t.rest.shape[a]
			}
			t.set.Turn(dst[to+j*t.to+i:], src[from+i*t.from+j:], min(turnTile, t.n-i), min(turnTile, t.m-j), t.to, t.from)
		}
	})
}
