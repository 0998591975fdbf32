package runtime

import (
	"math"

	"github.com/billnet/billnet/runtime/billb"
)

var (
	_ = executes(billb.OpSoftmax, func(p *prep) step { return prepareSoftmax(p, false) })
	_ = executes(billb.OpLogSoftmax, func(p *prep) step { return prepareSoftmax(p, true) })
)

func prepareSoftmax(p *prep, logarithm bool) step {
	x, y := p.dense(p.in(0), F32, F64), p.dense(p.out(0))
	p.sameElem(x, y)
	p.sameShape(x, y)
	axis := p.axis(x, params[billb.Along](p).Axis)
	if y.n == 0 {
		return step{}
	}
	d, inner := x.shape[axis], billb.Product(x.shape[axis+1:])
	if set := p.set; inner == 1 && y.elem == F32 && !logarithm {
		return ranged(y.n/d, mulSat(d, 4), func(m *memory, lo, hi int) {
			src, dst := view[float32](x, m), view[float32](y, m)
			for at := lo * d; at < hi*d; at += d {
				set.Softmax(dst[at:at+d], src[at:at+d], tmp[float64](m, 0))
			}
		})
	}
	return ranged(y.n/d, mulSat(d, 16), func(m *memory, lo, hi int) {
		for line := lo; line < hi; line++ {
			first := line/inner*d*inner + line%inner
			most, sum := math.Inf(-1), 0.0
			for k := range d {
				most = max(most, floatAt(x, m, first+k*inner))
			}
			for k := range d {
				sum += math.Exp(floatAt(x, m, first+k*inner) - most)
			}
			for k := range d {
				v := floatAt(x, m, first+k*inner) - most
				if logarithm {
					v -= math.Log(sum)
				} else {
					v = math.Exp(v) / sum
				}
				setFloat(y, m, first+k*inner, v)
			}
		}
	})
}
