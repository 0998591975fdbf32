package runtime

import "github.com/billnet/billnet/runtime/billb"

// comparison is an elementwise comparison. dst gets 0 or 1.
type comparison struct {
	code billb.Opcode
	f32  func(dst []byte, a, b []float32)
	f64  func(dst []byte, a, b []float64)
	i64  func(dst []byte, a, b []int64)
}

var comparisons = []comparison{
	{billb.OpEqual, equalLoop[float32], equalLoop[float64], equalLoop[int64]},
	{billb.OpGreater, greaterLoop[float32], greaterLoop[float64], greaterLoop[int64]},
	{billb.OpGreaterOrEqual, greaterEqualLoop[float32], greaterEqualLoop[float64], greaterEqualLoop[int64]},
	{billb.OpLess, lessLoop[float32], lessLoop[float64], lessLoop[int64]},
	{billb.OpLessOrEqual, lessEqualLoop[float32], lessEqualLoop[float64], lessEqualLoop[int64]},
}

func equalLoop[T Number](dst []byte, a, b []T) {
	for i := range dst {
		dst[i] = byte(truth(a[i] == b[i]))
	}
}

func greaterLoop[T Number](dst []byte, a, b []T) {
	for i := range dst {
		dst[i] = byte(truth(a[i] > b[i]))
	}
}

func greaterEqualLoop[T Number](dst []byte, a, b []T) {
	for i := range dst {
		dst[i] = byte(truth(a[i] >= b[i]))
	}
}

func lessLoop[T Number](dst []byte, a, b []T) { greaterLoop(dst, b, a) }

func lessEqualLoop[T Number](dst []byte, a, b []T) { greaterEqualLoop(dst, b, a) }

func init() {
	for i := range comparisons {
		executes(comparisons[i].code, comparisons[i].prepare)
	}
}

func (c *comparison) prepare(p *prep) step {
	a, b, y := p.in(0), p.in(1), p.bits(p.out(0))
	p.sameElem(a, b)
	w := p.broadcasting(y, a, b)
	var f func(m *memory, r run)
	switch a.elem {
	case F32:
		f = func(m *memory, r run) {
			walkPair(m, w, r, y.bytes(m), view[float32](a, m), view[float32](b, m), c.f32)
		}
	case F64:
		f = func(m *memory, r run) {
			walkPair(m, w, r, y.bytes(m), view[float64](a, m), view[float64](b, m), c.f64)
		}
	default:
		f = func(m *memory, r run) {
			av, bv := tmp[int64](m, 0), tmp[int64](m, 1)
			for i := 0; i < r.n; i += chunk {
				n := min(chunk, r.n-i)
				pickInts(av[:n], a, m, r.at[0]+i*w.inner[0], w.inner[0])
				pickInts(bv[:n], b, m, r.at[1]+i*w.inner[1], w.inner[1])
				c.i64(y.bytes(m)[r.first+i:r.first+i+n], av[:n], bv[:n])
			}
		}
	}
	if y.elem != SBit {
		return w.step(2, f)
	}
	return w.step(3, func(m *memory, r run) {
		f(m, r)
		signBits(y.bytes(m)[r.first : r.first+r.n])
	})
}

// signBits makes bytes of 0 and 1 -1 and +1.
func signBits(b []byte) {
	for i, v := range b {
		b[i] = 2*v - 1
	}
}
