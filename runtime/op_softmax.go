package runtime

import "math"

var (
	_ = register(&opcode{
		code: OpSoftmax,
		name: "softmax",
		doc:  "y = exp(x - m)/sum(exp(x - m)) along an axis, m its largest element. f32 along the last axis is within 2 units in the last place of the exact value, the same on every machine; everything else is computed in float64 and rounded once. Integers: axis.",
		in:   "x", out: "y", inPlace: true,
		prepare: func(p *prep) step { return prepareSoftmax(p, false) },
	})
	_ = register(&opcode{
		code: OpLogSoftmax,
		name: "log_softmax",
		doc:  "y = (x - m) - log(sum(exp(x - m))) along an axis, m its largest element; computed in float64 and rounded once. Integers: axis.",
		in:   "x", out: "y", inPlace: true,
		prepare: func(p *prep) step { return prepareSoftmax(p, true) },
	})
)

func prepareSoftmax(p *prep, logarithm bool) step {
	x, y := p.dense(p.in(0), F32, F64), p.dense(p.out(0))
	p.sameElem(x, y)
	p.sameShape(x, y)
	axis := p.axis(x, p.ints(1)[0])
	if y.n == 0 {
		return step{}
	}
	d, inner := x.shape[axis], product(x.shape[axis+1:])
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

// floatAt is element i of an operand of any type.
func floatAt(o *operand, m *memory, i int) float64 {
	if o.elem == F32 {
		return float64(view[float32](o, m)[i])
	}
	var v [1]float64
	loadFloats(v[:], o, m, i)
	return v[0]
}

// setFloat stores element i of an operand of any type.
func setFloat(o *operand, m *memory, i int, x float64) {
	if o.elem == F32 {
		view[float32](o, m)[i] = float32(x)
		return
	}
	v := [1]float64{x}
	storeFloats(o, m, i, v[:])
}

// intAt is element i of an operand that is no float.
func intAt(o *operand, m *memory, i int) int64 {
	var v [1]int64
	loadInts(v[:], o, m, i)
	return v[0]
}
