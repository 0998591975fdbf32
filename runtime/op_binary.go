package runtime

import (
	"math"

	"github.com/billnet/billnet/runtime/billb"
	"github.com/billnet/billnet/runtime/kernels"
)

// pairwise is an elementwise operation of two operands of one element type.
type pairwise struct {
	code    billb.Opcode
	f32     func(dst, a, b []float32)
	f64     func(dst, a, b []float64)
	i64     func(dst, a, b []int64)
	divides bool // an integer b of 0 ends the run with an error
}

var pairwises = []pairwise{
	{billb.OpAdd, addLoop[float32], addLoop[float64], addLoop[int64], false},
	{billb.OpSub, subLoop[float32], subLoop[float64], subLoop[int64], false},
	{billb.OpMul, mulLoop[float32], mulLoop[float64], mulLoop[int64], false},
	{billb.OpDiv, divLoop[float32], divLoop[float64], divLoop[int64], true},
	{billb.OpMod, modLoop[float32], modLoop[float64], remainders(false), true},
	{billb.OpFMod, modLoop[float32], modLoop[float64], remainders(true), true},
	{billb.OpMin, minLoop[float32], minLoop[float64], minLoop[int64], false},
	{billb.OpMax, maxLoop[float32], maxLoop[float64], maxLoop[int64], false},
	{billb.OpPRelu, preluLoop[float32], preluLoop[float64], preluLoop[int64], false},
}

func addLoop[T Number](dst, a, b []T) {
	a, b = a[:len(dst)], b[:len(dst)]
	for i := range dst {
		dst[i] = a[i] + b[i]
	}
}

func subLoop[T Number](dst, a, b []T) {
	a, b = a[:len(dst)], b[:len(dst)]
	for i := range dst {
		dst[i] = a[i] - b[i]
	}
}

func mulLoop[T Number](dst, a, b []T) {
	a, b = a[:len(dst)], b[:len(dst)]
	for i := range dst {
		dst[i] = a[i] * b[i]
	}
}

func divLoop[T Number](dst, a, b []T) {
	a, b = a[:len(dst)], b[:len(dst)]
	for i := range dst {
		dst[i] = a[i] / b[i]
	}
}

func modLoop[T float](dst, a, b []T) {
	a, b = a[:len(dst)], b[:len(dst)]
	for i := range dst {
		dst[i] = T(math.Mod(float64(a[i]), float64(b[i])))
	}
}

// remainders is the loop of remainders with the sign of a (fmod) or of b.
func remainders(fmod bool) func(dst, a, b []int64) {
	return func(dst, a, b []int64) {
		for i, x := range a[:len(dst)] {
			r := int64(0)
			if b[i] != -1 { // the least integer has no quotient
				r = x % b[i]
			}
			if !fmod && r != 0 && (r < 0) != (b[i] < 0) {
				r += b[i]
			}
			dst[i] = r
		}
	}
}

func minLoop[T Number](dst, a, b []T) {
	a, b = a[:len(dst)], b[:len(dst)]
	for i := range dst {
		dst[i] = min(a[i], b[i])
	}
}

func maxLoop[T Number](dst, a, b []T) {
	a, b = a[:len(dst)], b[:len(dst)]
	for i := range dst {
		dst[i] = max(a[i], b[i])
	}
}

func preluLoop[T Number](dst, a, b []T) {
	a, b = a[:len(dst)], b[:len(dst)]
	for i, v := range a {
		if v < 0 {
			v *= b[i]
		}
		dst[i] = v
	}
}

func init() {
	for i := range pairwises {
		executes(pairwises[i].code, pairwises[i].prepare)
	}
}

func (o *pairwise) prepare(p *prep) step {
	a, b, y := p.in(0), p.in(1), p.out(0)
	p.sameElem(a, y)
	p.sameElem(b, y)
	if !y.elem.IsFloat() && !y.elem.IsInt() {
		p.fail("%s, expected a float or integer type", y)
	}
	w, set := p.broadcasting(y, a, b), p.set
	switch y.elem {
	case F32:
		op, ok := operators[o.code]
		f := o.f32
		if ok {
			f = func(dst, a, b []float32) { set.Combine(op.both, dst, a, b) }
		}
		return w.step(1, func(m *memory, r run) {
			if !ok {
				walkPair(m, w, r, view[float32](y, m), view[float32](a, m), view[float32](b, m), f)
				return
			}
			o.walkSingle(set, &op, f, m, w, r, view[float32](y, m), view[float32](a, m), view[float32](b, m))
		})
	case F64:
		return w.step(1, func(m *memory, r run) {
			walkPair(m, w, r, view[float64](y, m), view[float64](a, m), view[float64](b, m), o.f64)
		})
	}
	return w.step(4, func(m *memory, r run) {
		av, bv := tmp[int64](m, 0), tmp[int64](m, 1)
		for i := 0; i < r.n; i += chunk {
			n := min(chunk, r.n-i)
			pickInts(av[:n], a, m, r.at[0]+i*w.inner[0], w.inner[0])
			pickInts(bv[:n], b, m, r.at[1]+i*w.inner[1], w.inner[1])
			if o.divides {
				for j, v := range bv[:n] {
					if v == 0 {
						m.fault.set("element %d of the result is a division by zero", r.first+i+j)
						bv[j] = 1
					}
				}
			}
			o.i64(av[:n], av[:n], bv[:n])
			storeInts(y, m, r.first+i, av[:n])
		}
	})
}

// operator is the vector kernels of an operation on float32: of two operands and, if there is one, where b is one number.
type operator struct {
	both kernels.Operator
	one  kernels.Function
	ones bool // there is one
}

var operators = map[billb.Opcode]operator{
	billb.OpAdd:   {kernels.Add, kernels.Plus, true},
	billb.OpSub:   {both: kernels.Sub},
	billb.OpMul:   {kernels.Mul, kernels.Times, true},
	billb.OpDiv:   {kernels.Div, kernels.Over, true},
	billb.OpPRelu: {kernels.PRelu, kernels.LeakyRelu, true},
	billb.OpMax:   {both: kernels.Max},
	billb.OpMin:   {both: kernels.Min},
}

// walkSingle computes one piece of float32.
func (o *pairwise) walkSingle(s *kernels.Set, op *operator, f func(dst, a, b []float32), m *memory, w *walker, r run, dst, a, b []float32) {
	dst = dst[r.first : r.first+r.n]
	switch {
	case w.inner[0] == 1 && w.inner[1] == 1:
		s.Combine(op.both, dst, a[r.at[0]:][:r.n], b[r.at[1]:][:r.n])
	case op.ones && w.inner[0] == 1 && w.inner[1] == 0:
		s.Map(op.one, dst, a[r.at[0]:][:r.n], b[r.at[1]], 0)
	case o.code == billb.OpSub && w.inner[0] == 1 && w.inner[1] == 0: // x - b is x + (-b), bit for bit
		s.Map(kernels.Plus, dst, a[r.at[0]:][:r.n], -b[r.at[1]], 0)
	case (o.code == billb.OpAdd || o.code == billb.OpMul) && w.inner[0] == 0 && w.inner[1] == 1:
		s.Map(op.one, dst, b[r.at[1]:][:r.n], a[r.at[0]], 0)
	default:
		r.first = 0
		walkPair(m, w, r, dst, a, b, f)
	}
}

// walkPair computes one piece of native elements.
func walkPair[T, R Number](m *memory, w *walker, r run, dst []R, a, b []T, f func(dst []R, a, b []T)) {
	for i := 0; i < r.n; i += chunk {
		n := min(chunk, r.n-i)
		f(dst[r.first+i:r.first+i+n],
			pick(a, r.at[0]+i*w.inner[0], w.inner[0], n, tmp[T](m, 0)),
			pick(b, r.at[1]+i*w.inner[1], w.inner[1], n, tmp[T](m, 1)))
	}
}

var _ = executes(billb.OpPow, func(p *prep) step {
	a, b, y := p.in(0), p.in(1), p.out(0)
	p.sameElem(a, y)
	for _, o := range []*operand{a, b} {
		if !o.elem.IsFloat() && !o.elem.IsInt() {
			p.fail("%s, expected a float or integer type", o)
		}
	}
	w := p.broadcasting(y, a, b)
	if a.elem.IsInt() && b.elem.IsInt() {
		return w.step(16, func(m *memory, r run) {
			var av, bv [chunk]int64
			for i := 0; i < r.n; i += chunk {
				n := min(chunk, r.n-i)
				pickInts(av[:n], a, m, r.at[0]+i*w.inner[0], w.inner[0])
				pickInts(bv[:n], b, m, r.at[1]+i*w.inner[1], w.inner[1])
				for j, x := range av[:n] {
					if x == 0 && bv[j] < 0 {
						m.fault.set("element %d of the result is 0 to the power %d", r.first+i+j, bv[j])
					}
					av[j] = powInt(x, bv[j])
				}
				storeInts(y, m, r.first+i, av[:n])
			}
		})
	}
	set, single := p.set, a.elem == F32 && b.elem == F32
	return w.step(32, func(m *memory, r run) {
		if single && w.inner[0] == 1 && w.inner[1] == 0 {
			dst, src := view[float32](y, m)[r.first:][:r.n], view[float32](a, m)[r.at[0]:][:r.n]
			if powSingle(set, dst, src, view[float32](b, m)[r.at[1]]) {
				return
			}
		}
		var av, bv [chunk]float64
		for i := 0; i < r.n; i += chunk {
			n := min(chunk, r.n-i)
			pickFloats(av[:n], a, m, r.at[0]+i*w.inner[0], w.inner[0])
			pickFloats(bv[:n], b, m, r.at[1]+i*w.inner[1], w.inner[1])
			for j, x := range av[:n] {
				av[j] = math.Pow(x, bv[j])
			}
			storeFloats(y, m, r.first+i, av[:n])
		}
	})
})

// powSingle is x^n by products, where n is 2 or 3.
func powSingle(set *kernels.Set, dst, x []float32, n float32) bool {
	switch n {
	case 2:
		set.Combine(kernels.Mul, dst, x, x)
	case 3: // dst may be x
		for i, v := range x {
			d := float64(v)
			dst[i] = float32(float64(d*d) * d)
		}
	default:
		return false
	}
	return true
}

// powInt is x^n modulo 2^64, truncated toward zero for a negative n.
func powInt(x, n int64) int64 {
	if n < 0 {
		switch {
		case x == 1 || x == -1 && n%2 == 0:
			return 1
		case x == -1:
			return -1
		}
		return 0
	}
	y := int64(1)
	for ; n > 0; n >>= 1 {
		if n&1 == 1 {
			y *= x
		}
		x *= x
	}
	return y
}
