package runtime

import (
	"encoding/binary"
	"math"

	"github.com/billnet/billnet/runtime/billb"
)

var _ = executes(billb.OpAffine, func(p *prep) step {
	z, y := p.dense(p.in(0)), p.dense(p.out(0), F32, F64)
	p.sameShape(z, y)
	axis := p.axis(z, params[billb.Along](p).Axis)
	c, inner := z.shape[axis], billb.Product(z.shape[axis+1:])
	num, den, bias := p.f64s(0, c, 1), p.f64s(1, c, 1), p.f64s(2, c, 0)
	if z.elem == I32 && y.elem == F32 && y.n > 0 {
		return p.affineRows(y, z, c, inner, num, den, bias)
	}
	return ranged(y.n, 4, func(m *memory, lo, hi int) {
		var v [chunk]float64
		for ; lo < hi; lo += chunk {
			n := min(chunk, hi-lo)
			loadFloats(v[:n], z, m, lo)
			for i := range v[:n] {
				k := (lo + i) / inner % c
				v[i] = float64(float64(v[i]*num[k])/den[k]) + bias[k]
			}
			storeFloats(y, m, lo, v[:n])
		}
	})
})

// affineRows scales integers row by row: a row is what follows the axis, or the axis itself where it is the last.
func (p *prep) affineRows(y, z *operand, c, inner int, num, den, bias []float64) step {
	rows, n, set := y.n/inner, inner, p.set
	if inner == 1 {
		rows, n = y.n/c, c
	}
	return ranged(rows, n, func(m *memory, lo, hi int) {
		dst, src := view[float32](y, m), view[int32](z, m)
		for r := lo; r < hi; r++ {
			k := r % c
			if inner == 1 {
				k = 0
			}
			set.Affine(dst[r*n:(r+1)*n], src[r*n:(r+1)*n], num[k:], den[k:], bias[k:], inner > 1)
		}
	})
}

// f64s is an F64 constant operand of n elements, one for all, or def for all.
func (p *prep) f64s(i, n int, def float64) []float64 {
	p.charge(mulSat(n, 8))
	v := make([]float64, n)
	c := p.konst(i, F64)
	if c != nil && billb.Product(c.Shape) != 1 && billb.Product(c.Shape) != n {
		p.fail("constant %s has shape %s, expected %d elements or 1", operandName(p.op.Consts, i), billb.ShapeString(c.Shape), n)
	}
	for j := range v {
		switch {
		case c == nil:
			v[j] = def
		case len(c.Data) == 8:
			v[j] = math.Float64frombits(binary.LittleEndian.Uint64(c.Data))
		default:
			v[j] = math.Float64frombits(binary.LittleEndian.Uint64(c.Data[8*j:]))
		}
	}
	return v
}
