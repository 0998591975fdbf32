package runtime

import (
	"slices"

	"github.com/billnet/billnet/runtime/billb"
)

var _ = executes(billb.OpConcat, func(p *prep) step {
	xs, y := p.ins(), p.dense(p.out(0))
	axis := p.axis(y, params[billb.Along](p).Axis)
	total := 0
	for _, x := range xs {
		p.sameElem(p.dense(x), y)
		if x.rank() != y.rank() {
			p.fail("%s and %s, expected as many axes", x, y)
		}
		want := slices.Clone(y.shape)
		want[axis] = x.shape[axis]
		p.shaped(x, want...)
		total += x.shape[axis]
	}
	if total != y.shape[axis] {
		p.fail("%s, the operands have %d elements along axis %d", y, total, axis)
	}
	if y.n == 0 {
		return step{}
	}
	// A row of y is a run of every operand.
	rows := billb.Product(y.shape[:axis])
	rowBytes := y.size / rows
	return ranged(rows, rowBytes, func(m *memory, lo, hi int) {
		dst := y.bytes(m)
		at := lo * rowBytes
		for r := lo; r < hi; r++ {
			for _, x := range xs {
				n := x.size / rows
				copy(dst[at:at+n], x.bytes(m)[r*n:])
				at += n
			}
		}
	})
})
