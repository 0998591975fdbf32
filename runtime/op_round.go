package runtime

import "github.com/billnet/billnet/runtime/billb"

var _ = executes(billb.OpRound, func(p *prep) step {
	x, y := p.dense(p.in(0), F32), p.dense(p.out(0), F32)
	p.sameShape(x, y)
	half := params[billb.Round](p).Format == billb.RoundF16
	return ranged(y.n, 4, func(m *memory, lo, hi int) {
		src, dst := view[float32](x, m)[lo:hi], view[float32](y, m)[lo:hi]
		for i, v := range src {
			if half {
				dst[i] = roundF16(v)
			} else {
				dst[i] = roundBF16(v)
			}
		}
	})
})
