package runtime

import (
	"math"

	"github.com/billnet/billnet/runtime/billb"
	"github.com/billnet/billnet/runtime/kernels"
)

var _ = executes(billb.OpClip, func(p *prep) step {
	x, lo, hi, y := p.dense(p.in(0)), p.optIn(1), p.optIn(2), p.dense(p.out(0))
	p.sameElem(x, y)
	p.sameShape(x, y)
	for _, b := range []*operand{lo, hi} {
		if b != nil {
			if p.sameElem(p.dense(b), y); b.n != 1 {
				p.fail("%s, expected one element", b)
			}
		}
	}
	switch {
	case y.elem == F32:
		set := p.set
		return ranged(y.n, 1, func(m *memory, from, to int) {
			least, most := float32(-math.MaxFloat32), float32(math.MaxFloat32)
			if lo != nil {
				least = view[float32](lo, m)[0]
			}
			if hi != nil {
				most = view[float32](hi, m)[0]
			}
			set.Map(kernels.Clip, view[float32](y, m)[from:to], view[float32](x, m)[from:to], least, most)
		})
	case y.elem == F64:
		return clipStep(y, x, lo, hi, -math.MaxFloat64, math.MaxFloat64, 1, loadFloats, func(m *memory, at int, v []float64) { storeFloats(y, m, at, v) })
	case y.elem.IsInt():
		return clipStep(y, x, lo, hi, math.MinInt64, math.MaxInt64, 4, loadInts, func(m *memory, at int, v []int64) { storeInts(y, m, at, v) })
	}
	p.fail("%s, expected a float or integer type", y)
	return step{}
})

// clipStep limits x; least and most stand for bounds that are left out.
func clipStep[T Number](y, x, lo, hi *operand, least, most T, cost int, load func(dst []T, o *operand, m *memory, at int), store func(m *memory, at int, v []T)) step {
	return ranged(y.n, cost, func(m *memory, from, to int) {
		v, bounds := tmp[T](m, 0), tmp[T](m, 1)[:2]
		bounds[0], bounds[1] = least, most
		if lo != nil {
			load(bounds[:1], lo, m, 0)
		}
		if hi != nil {
			load(bounds[1:], hi, m, 0)
		}
		least, most := bounds[0], bounds[1]
		for ; from < to; from += chunk {
			n := min(chunk, to-from)
			load(v[:n], x, m, from)
			for i, e := range v[:n] {
				if e < least {
					v[i] = least
				}
			}
			for i, e := range v[:n] {
				if e > most {
					v[i] = most
				}
			}
			store(m, from, v[:n])
		}
	})
}
