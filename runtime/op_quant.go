package runtime

import (
	"math"

	"github.com/billnet/billnet/runtime/billb"
)

func roundBy(r billb.Rounding, x float64) float64 {
	switch r {
	case billb.Ceil:
		return math.Ceil(x)
	case billb.Floor:
		return math.Floor(x)
	case billb.Up:
		return math.Copysign(math.Ceil(math.Abs(x)), x)
	case billb.Down:
		return math.Trunc(x)
	case billb.HalfUp:
		return math.Copysign(math.Floor(math.Abs(x)+0.5), x)
	case billb.HalfDown:
		return math.Copysign(math.Ceil(math.Abs(x)-0.5), x)
	}
	return math.RoundToEven(x)
}

// quantizer rounds numbers to a scaled integer grid, every operation rounded to
// float32 where single says so.
type quantizer struct {
	single, signed, narrow bool
	rounding               billb.Rounding
}

// cut rounds to the element type.
func (q *quantizer) cut(v float64) float64 {
	if q.single {
		return float64(float32(v))
	}
	return v
}

// clamp limits v to the integer range of a number of bits; NaN stays.
func (q *quantizer) clamp(v, bits float64) float64 {
	lo, hi := 0.0, math.Exp2(bits)-1
	if q.signed {
		half := math.Exp2(bits - 1)
		if lo, hi = -half, half-1; q.narrow {
			lo++
		}
	} else if q.narrow {
		hi--
	}
	if v > hi {
		v = hi
	}
	if v < lo {
		v = lo
	}
	return v
}

// grid is the point of the grid nearest to x.
func (q *quantizer) grid(x, scale, zero, bits float64) float64 {
	v := q.cut(q.cut(x/scale) + zero)
	switch {
	case bits != 1 || !q.signed:
		v = roundBy(q.rounding, q.clamp(v, bits))
	case v >= 0:
		v = 1
	default:
		v = -1
	}
	return q.cut(q.cut(v-zero) * scale)
}

// requantize is the integer nearest to v plus a zero point, saturated to the
// type; NaN gives the zero point.
func requantize(e Elem, v float64, zero int64) int64 {
	if v != v {
		v = 0
	}
	v = math.RoundToEven(v) + float64(zero)
	lo, hi := e.Range()
	switch {
	case v <= float64(lo):
		return lo
	case v >= float64(hi):
		return hi
	}
	return int64(v)
}

// quantizing is a step that computes y element by element from operands that
// broadcast to it, as float64; one that is left out is NaN.
func (p *prep) quantizing(y *operand, f func(v *[maxWalk]float64) float64, xs ...*operand) step {
	var present []*operand
	var slot []int
	for i, x := range xs {
		if x != nil {
			present, slot = append(present, x), append(slot, i)
		}
	}
	w := p.broadcasting(y, present...)
	return w.step(16, func(m *memory, r run) {
		out := tmp[float64](m, 0)
		for i := 0; i < r.n; i += chunk {
			n := min(chunk, r.n-i)
			for j := range n {
				v := (*[maxWalk]float64)(tmp[float64](m, 1))
				for k := range v {
					v[k] = math.NaN()
				}
				for k, x := range present {
					v[slot[k]] = floatAt(x, m, r.at[k]+(i+j)*w.inner[k])
				}
				out[j] = f(v)
			}
			storeFloats(y, m, r.first+i, out[:n])
		}
	})
}

// rows is a step that visits y in runs of one scale and zero point, which operands that broadcast to it hold; zero may be nil.
func (p *prep) rows(y, x, scale, zero *operand, f func(m *memory, first, n, from int, scale float32, zero int32)) step {
	xs := []*operand{x, scale}
	if zero != nil {
		xs = append(xs, zero)
	}
	w := p.broadcasting(y, xs...)
	return w.step(1, func(m *memory, r run) {
		single := w.inner[1] == 0 && (zero == nil || w.inner[2] == 0) && w.inner[0] <= 1
		n := r.n
		if !single {
			n = 1
		}
		for i := 0; i < r.n; i += n {
			z := int32(0)
			if zero != nil {
				z = int32(intAt(zero, m, r.at[2]+i*w.inner[2]))
			}
			f(m, r.first+i, n, r.at[0]+i*w.inner[0], view[float32](scale, m)[r.at[1]+i*w.inner[1]], z)
		}
	})
}

func (p *prep) quantizeBytes(y, x, scale, zero *operand) step {
	least, most := y.elem.Range()
	set := p.set
	return p.rows(y, x, scale, zero, func(m *memory, first, n, from int, scale float32, zero int32) {
		set.Quantize(y.bytes(m)[first:][:n], view[float32](x, m)[from:], scale, zero, int32(least), int32(most))
	})
}

func (p *prep) dequantizeBytes(y, x, scale, zero *operand) step {
	set := p.set
	return p.rows(y, x, scale, zero, func(m *memory, first, n, from int, scale float32, zero int32) {
		set.Dequantize(view[float32](y, m)[first:][:n], x.bytes(m)[from:], x.elem == I8, scale, zero)
	})
}

// quantOperands checks x and y, floats of one type, and returns the quantizer.
func (p *prep) quantOperands(x, y *operand) *quantizer {
	p.sameElem(p.dense(x, F32, F64), p.dense(y))
	p.sameShape(x, y)
	v := params[billb.Quantizer](p)
	return &quantizer{y.elem == F32, v.Signed, v.Narrow, v.Rounding}
}

var (
	_ = executes(billb.OpBipolarQuant, func(p *prep) step {
		x, y := p.in(0), p.out(0)
		p.sameElem(p.dense(x, F32, F64), p.dense(y))
		p.sameShape(x, y)
		return p.quantizing(y, func(v *[maxWalk]float64) float64 {
			if v[0] >= 0 {
				return v[1]
			}
			return -v[1]
		}, x, p.in(1))
	})
	_ = executes(billb.OpQuant, func(p *prep) step {
		q := p.quantOperands(p.in(0), p.out(0))
		return p.quantizing(p.out(0), func(v *[maxWalk]float64) float64 { return q.grid(v[0], v[1], v[2], v[3]) }, p.in(0), p.in(1), p.in(2), p.in(3))
	})
	_ = executes(billb.OpTruncQuant, func(p *prep) step {
		q := p.quantOperands(p.in(0), p.out(0))
		rescale := p.optIn(4) != nil
		return p.quantizing(p.out(0), func(v *[maxWalk]float64) float64 {
			x, scale, zero, inBits, outScale, outBits := v[0], v[1], v[2], v[3], v[4], v[5]
			y := math.RoundToEven(q.cut(q.cut(x/scale) + zero))
			if !rescale {
				y = roundBy(q.rounding, q.cut(y/q.cut(math.Exp2(inBits-outBits))))
				return q.cut(q.cut(y-zero) * scale)
			}
			s := math.Exp2(math.RoundToEven(math.Log2(outScale / scale)))
			y = roundBy(q.rounding, q.clamp(q.cut(y/s), outBits))
			return q.cut(q.cut(y-q.cut(zero/s)) * outScale)
		}, p.in(0), p.in(1), p.in(2), p.in(3), p.optIn(4), p.in(5))
	})
	_ = executes(billb.OpQuantizeLinear, func(p *prep) step {
		x, scale, zero, y := p.dense(p.in(0)), p.dense(p.in(1), F32, F64), p.optIn(2), p.dense(p.out(0))
		p.sameShape(x, y)
		if !y.elem.IsInt() || !x.elem.IsFloat() && x.elem != I32 {
			p.fail("%s and %s, expected a float or i32, and an integer type", x, y)
		}
		q := &quantizer{single: x.elem == F32 || x.elem == I32 && scale.elem == F32}
		if zero != nil {
			p.sameElem(zero, y)
		}
		if x.elem == F32 && scale.elem == F32 && (y.elem == U8 || y.elem == I8) {
			return p.quantizeBytes(y, x, scale, zero)
		}
		return p.quantizing(y, func(v *[maxWalk]float64) float64 {
			z := int64(0)
			if v[2] == v[2] {
				z = int64(v[2])
			}
			return float64(requantize(y.elem, q.cut(q.cut(v[0])/v[1]), z))
		}, x, scale, zero)
	})
	_ = executes(billb.OpDequantizeLinear, func(p *prep) step {
		x, scale, zero, y := p.dense(p.in(0)), p.dense(p.in(1), F32, F64), p.optIn(2), p.dense(p.out(0))
		p.sameShape(x, y)
		p.sameElem(scale, y)
		if !x.elem.IsInt() {
			p.fail("%s, expected an integer type", x)
		}
		q := &quantizer{single: y.elem == F32}
		if zero != nil {
			p.sameElem(zero, x)
		}
		if y.elem == F32 && (x.elem == U8 || x.elem == I8) {
			return p.dequantizeBytes(y, x, scale, zero)
		}
		return p.quantizing(y, func(v *[maxWalk]float64) float64 {
			x := v[0]
			if v[2] == v[2] {
				x -= v[2]
			}
			return q.cut(x) * v[1]
		}, x, scale, zero)
	})
	_ = executes(billb.OpRequantize, func(p *prep) step {
		s, factor, zero, y := p.dense(p.in(0)), p.dense(p.in(1), F32), p.optIn(2), p.dense(p.out(0))
		p.sameShape(s, y)
		if !s.elem.IsInt() || !y.elem.IsInt() {
			p.fail("%s and %s, expected integer types", s, y)
		}
		if zero != nil {
			p.sameElem(zero, y)
		}
		return p.quantizing(y, func(v *[maxWalk]float64) float64 {
			z := int64(0)
			if v[2] == v[2] {
				z = int64(v[2])
			}
			return float64(requantize(y.elem, float64(float32(float32(v[0])*float32(v[1]))), z))
		}, s, factor, zero)
	})
)
