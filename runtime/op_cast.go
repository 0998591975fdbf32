package runtime

import "github.com/billnet/billnet/runtime/billb"

var _ = executes(billb.OpCast, func(p *prep) step {
	x, y := p.dense(p.in(0)), p.dense(p.out(0))
	p.sameShape(x, y)
	if x.elem == y.elem {
		return duplicate(y, x)
	}
	return ranged(y.n, 2, func(m *memory, lo, hi int) {
		var ints [chunk]int64
		var floats [chunk]float64
		for ; lo < hi; lo += chunk {
			n := min(chunk, hi-lo)
			if x.elem.IsFloat() {
				loadFloats(floats[:n], x, m, lo)
				storeFloats(y, m, lo, floats[:n])
			} else {
				loadInts(ints[:n], x, m, lo)
				storeInts(y, m, lo, ints[:n])
			}
		}
	})
})
