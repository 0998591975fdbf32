package runtime

import "github.com/billnet/billnet/runtime/billb"

var _ = executes(billb.OpStep, func(p *prep) step {
	x, y := p.dense(p.in(0), F32, F64), p.bits(p.dense(p.out(0)))
	p.sameShape(x, y)
	strict, nan := params[billb.Step](p).Strict, params[billb.Step](p).NaN
	unset := clearByte(y.elem)
	return ranged(y.n, 2, func(m *memory, lo, hi int) {
		dst := y.bytes(m)
		var f [chunk]float64
		for ; lo < hi; lo += chunk {
			n := min(chunk, hi-lo)
			loadFloats(f[:n], x, m, lo)
			for i, v := range f[:n] {
				dst[lo+i] = unset
				if v > 0 || v == 0 && !strict || v != v && nan {
					dst[lo+i] = 1
				}
			}
		}
	})
})
