package runtime

import (
	"unsafe"

	"github.com/billnet/billnet/runtime/billb"
)

var _ = executes(billb.OpReshape, func(p *prep) step {
	x, y := p.dense(p.in(0)), p.dense(p.out(0))
	p.sameElem(x, y)
	if x.n != y.n {
		p.fail("%s and %s, expected as many elements", x, y)
	}
	return move(y, x)
})

// move is a step that copies x to y, or nothing when both are the same memory: y is then x under another name.
func move(y, x *operand) step {
	if x.fixed == nil && x.off == y.off {
		return step{alias: true}
	}
	return duplicate(y, x)
}

// duplicate is a step that makes y a value of its own, equal to x. Both may have one place in the arena and yet lie apart in a
// run, when a caller lends memory for one of them.
func duplicate(y, x *operand) step {
	if y.size == 0 {
		return step{}
	}
	return ranged(y.size, 1, func(m *memory, lo, hi int) {
		if dst, src := y.bytes(m)[lo:hi], x.bytes(m)[lo:hi]; unsafe.SliceData(dst) != unsafe.SliceData(src) {
			copy(dst, src)
		}
	})
}
