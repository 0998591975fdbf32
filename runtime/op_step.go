package runtime

import (
	"math"

	"github.com/billnet/billnet/runtime/billb"
	"github.com/billnet/billnet/runtime/kernels"
)

var _ = executes(billb.OpStep, func(p *prep) step {
	x, y := p.dense(p.in(0), F32, F64), p.bits(p.dense(p.out(0)))
	p.sameShape(x, y)
	v := params[billb.Step](p)
	if x.elem == F64 {
		return stepOf(x, y, v, math.SmallestNonzeroFloat64)
	}
	return stepOf[float32](x, y, v, kernels.AboveZero)
})

// stepOf sets the bits of elements that are above 0, at least aboveZero that is, or at least 0 where the step is not strict.
func stepOf[T real](x, y *operand, v *billb.Step, aboveZero T) step {
	least, nan := T(0), truth(v.NaN)
	if v.Strict {
		least = aboveZero
	}
	return ranged(y.n, 1, func(m *memory, lo, hi int) {
		dst := y.bytes(m)[lo:hi]
		for i, v := range view[T](x, m)[lo:hi] {
			dst[i] = byte(truth(v >= least) | truth(!(v < least))&nan) // NaN is neither
		}
		if y.elem == SBit {
			signBits(dst)
		}
	})
}
