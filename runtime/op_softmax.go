package runtime

import (
	"math"

	"github.com/billnet/billnet/runtime/billb"
	"github.com/billnet/billnet/runtime/kernels"
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
	if set := p.set; y.elem == F32 && (inner == 1 || !logarithm) {
		return ranged(y.n/d, mulSat(d, 4), func(m *memory, lo, hi int) {
			src, dst := view[float32](x, m), view[float32](y, m)
			lanes, room := tmp[float64](m, 0), as[float32](m.temp[chunk*8:])[:kernels.SoftmaxRoom]
			for lo < hi {
				n, first, line, step := hi-lo, lo*d, d, 1
				if inner > 1 { // up to the last line that begins beside this one
					n, first, line, step = min(hi-lo, inner-lo%inner), lo/inner*d*inner+lo%inner, 1, inner
				}
				if logarithm {
					n = 1
					set.LogSoftmax(dst[first:first+d], src[first:first+d], lanes, room)
				} else {
					set.SoftmaxLines(dst[first:], src[first:], n, d, line, step, lanes, room)
				}
				lo += n
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
