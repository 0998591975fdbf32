package runtime

import (
	"github.com/billnet/billnet/runtime/billb"
	"github.com/billnet/billnet/runtime/kernels"
)

var _ = executes(billb.OpThreshold, func(p *prep) step {
	x, y := p.in(0), p.bits(p.out(0))
	p.sameShape(x, y)
	axis := p.axis(x, params[billb.Along](p).Axis)
	n := x.shape[axis]
	if x.planes || y.planes {
		p.planes(x, I16, I32)
		p.planes(y)
		if axis != 1 {
			p.fail("axis is %d, expected 1", axis)
		}
		e, _ := x.elem.Plane()
		pl, err := kernels.NewThreshold(p.set, x.geom, e, y.geom, p.thresholds(0, n))
		p.check(err)
		if x.off == y.off {
			p.fail("%s and %s lie at the same place", x, y)
		}
		return planStep(pl, x.size, y, x)
	}
	if x.elem.IsFloat() {
		p.fail("%s, expected integers", x)
	}
	if k := p.konst(0, I32); billb.Product(k.Shape) == 1 {
		n = 1
	}
	th := p.thresholds(0, n)
	inner := billb.Product(x.shape[axis+1:])
	unset := clearByte(y.elem)
	return ranged(y.n, 4, func(m *memory, lo, hi int) {
		dst := y.bytes(m)
		var v [chunk]int64
		for ; lo < hi; lo += chunk {
			k := min(chunk, hi-lo)
			loadInts(v[:k], x, m, lo)
			for i, z := range v[:k] {
				c := (lo + i) / inner % n
				dst[lo+i] = unset
				if (z >= int64(th.T[c])) != flipped(th, c) {
					dst[lo+i] = 1
				}
			}
		}
	})
})

func flipped(th *kernels.Threshold, c int) bool {
	return th.Flip != nil && th.Flip[c/8]>>(c%8)&1 == 1
}
