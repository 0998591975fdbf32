package runtime

import (
	"math"

	"github.com/billnet/billnet/runtime/billb"
)

var _ = executes(billb.OpBatchNorm, func(p *prep) step {
	x, y := p.dense(p.in(0), F32, F64), p.dense(p.out(0))
	p.sameElem(x, y)
	p.sameShape(x, y)
	if x.rank() < 2 {
		p.fail("%s, expected at least two axes", x)
	}
	var stats [4]*operand
	c, inner := x.shape[1], billb.Product(x.shape[2:])
	for i := range stats {
		stats[i] = p.dense(p.in(i+1), F32, F64)
		if stats[i].n != c {
			p.fail("%s, expected %d elements", stats[i], c)
		}
	}
	eps, set := params[billb.BatchNorm](p).Epsilon, p.set
	if y.n == 0 {
		return step{}
	}
	return ranged(y.n/inner, mulSat(inner, 4), func(m *memory, lo, hi int) {
		for r := lo; r < hi; r++ {
			k := r % c
			scale, bias, mean, variance := floatAt(stats[0], m, k), floatAt(stats[1], m, k), floatAt(stats[2], m, k), floatAt(stats[3], m, k)
			if y.elem == F64 {
				normalize(view[float64](y, m)[r*inner:][:inner], view[float64](x, m)[r*inner:], scale, bias, mean, math.Sqrt(variance+eps))
				continue
			}
			s := float32(math.Sqrt(float64(float32(variance) + float32(eps))))
			set.Normalize(view[float32](y, m)[r*inner:][:inner], view[float32](x, m)[r*inner:], float32(mean), s, float32(scale), float32(bias))
		}
	})
})

func normalize(dst, src []float64, scale, bias, mean, s float64) {
	for i := range dst {
		dst[i] = float64((src[i]-mean)/s*scale) + bias
	}
}
