package runtime

import "github.com/billnet/billnet/runtime/billb"

var _ = executes(billb.OpReshape, func(p *prep) step {
	x, y := p.dense(p.in(0)), p.dense(p.out(0))
	p.sameElem(x, y)
	if x.n != y.n {
		p.fail("%s and %s, expected as many elements", x, y)
	}
	return move(y, x)
})

// move is a step that copies x to y, or nothing when both are the same memory.
func move(y, x *operand) step {
	switch {
	case x.fixed == nil && x.off == y.off:
		return step{alias: true}
	case y.size == 0:
		return step{}
	}
	return ranged(y.size, 1, func(m *memory, lo, hi int) { copy(y.bytes(m)[lo:hi], x.bytes(m)[lo:hi]) })
}
