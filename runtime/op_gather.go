package runtime

import (
	"slices"

	"github.com/billnet/billnet/runtime/billb"
)

var _ = executes(billb.OpGather, func(p *prep) step {
	x, index, y := p.dense(p.in(0)), p.dense(p.in(1), I32, I64), p.dense(p.out(0))
	p.sameElem(x, y)
	axis := p.axis(x, params[billb.Along](p).Axis)
	p.shaped(y, slices.Concat(x.shape[:axis], index.shape, x.shape[axis+1:])...)
	size := x.shape[axis]
	if index.fixed != nil {
		p.charge(mulSat(4, index.n))
		fixed := make([]int32, index.n)
		for j := range fixed {
			i := indexAt(index, nil, j)
			if i < -int64(size) || i >= int64(size) {
				p.fail("index %d is out of range for axis %d, %s", i, axis, x)
			}
			if i < 0 {
				i += int64(size)
			}
			fixed[j] = int32(i)
		}
		index = &operand{elem: I32, n: index.n, fixed: Bytes(fixed)}
	}
	if y.n == 0 {
		return step{}
	}
	inner := billb.Product(x.shape[axis+1:]) * x.elem.Width()
	if index.fixed != nil && (inner == 1 || inner == 4) {
		return gatherElements(y, x, index, size, billb.Product(x.shape[:axis]), inner)
	}
	return ranged(billb.Product(x.shape[:axis])*index.n, inner, func(m *memory, lo, hi int) {
		dst, src := y.bytes(m), x.bytes(m)
		for r := lo; r < hi; r++ {
			outer, j := r/index.n, r%index.n
			i := indexAt(index, m, j)
			if i < 0 {
				i += int64(size)
			}
			if i < 0 || i >= int64(size) {
				m.fault.set("index element %d is out of range for an axis of %d", j, size)
				return
			}
			at := (outer*size + int(i)) * inner
			copy(dst[r*inner:(r+1)*inner], src[at:at+inner])
		}
	})
})

// gatherElements is a gather along the last axis, of elements of a width of 1 or 4 bytes at fixed indices, none negative: line by line.
func gatherElements(y, x, index *operand, size, lines, width int) step {
	at := view[int32](index, nil)
	if width == 1 {
		return ranged(lines, index.n, func(m *memory, lo, hi int) { gatherLines(y.bytes(m), x.bytes(m), at, size, lo, hi) })
	}
	return ranged(lines, index.n, func(m *memory, lo, hi int) { gatherLines(view[uint32](y, m), view[uint32](x, m), at, size, lo, hi) })
}

func gatherLines[T any](y, x []T, at []int32, size, lo, hi int) {
	for r := lo; r < hi; r++ {
		dst, src := y[r*len(at):(r+1)*len(at)], x[r*size:(r+1)*size]
		for j, i := range at {
			dst[j] = src[i]
		}
	}
}
