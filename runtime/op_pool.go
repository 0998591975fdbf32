package runtime

import "math"

var (
	_ = register(&opcode{
		code: OpMaxPool,
		name: "max_pool",
		doc: "Largest element under a window of dense x [N,C,...] with one to three spatial axes, any type; padding is ignored, NaN wins. A window that lies in the padding gives " +
			"the smallest value of the type, -inf for floats. Integers: kernel, strides, pads before, pads after, dilations.",
		in: "x", out: "y",
		prepare: func(p *prep) step { return preparePool(p, poolMax) },
	})
	_ = register(&opcode{
		code: OpMinPool,
		name: "min_pool",
		doc:  "Smallest element under a window, as max_pool. Integers: kernel, strides, pads before, pads after, dilations.",
		in:   "x", out: "y",
		prepare: func(p *prep) step { return preparePool(p, poolMin) },
	})
	_ = register(&opcode{
		code: OpAveragePool,
		name: "average_pool",
		doc: "Mean under a window of dense floats: the sum of the taps in row-major order, divided by the number of taps that are not in the padding, or with count_include_pad " +
			"not outside of it. Integers: kernel, strides, pads before, pads after, dilations, count_include_pad.",
		in: "x", out: "y",
		prepare: func(p *prep) step { return preparePool(p, poolAverage) },
	})
)

type poolKind int

const (
	poolMax poolKind = iota
	poolMin
	poolAverage
)

func preparePool(p *prep, kind poolKind) step {
	x, y := p.dense(p.in(0)), p.dense(p.out(0))
	p.sameElem(x, y)
	k, extra := x.rank()-2, 0
	if kind == poolAverage {
		extra = 1
		p.dense(y, F32, F64)
	}
	if k < 1 {
		p.fail("%s, expected [N,C,...]", x)
	}
	v := p.ints(5*k + extra)
	w := p.newWindow(x, y, v[:k], v[k:5*k])
	if x.shape[0] != y.shape[0] || x.shape[1] != y.shape[1] {
		p.fail("%s and %s, expected equal batches and channels", x, y)
	}
	padded := extra == 1 && p.between("count_include_pad", v[5*k], 0, 1) == 1
	in, out, taps := w.sizes()
	work := min(mulSat(out, taps), mulSat(out, max(in, 1)))
	switch y.elem {
	case F32:
		return ranged(x.shape[0]*x.shape[1], work, func(m *memory, lo, hi int) {
			poolMaps(w, kind, padded, view[float32](y, m), view[float32](x, m), lo, hi, float32(math.Inf(-1)), float32(math.Inf(1)))
		})
	case F64:
		return ranged(x.shape[0]*x.shape[1], work, func(m *memory, lo, hi int) {
			poolMaps(w, kind, padded, view[float64](y, m), view[float64](x, m), lo, hi, math.Inf(-1), math.Inf(1))
		})
	case U8, Bool, Bit:
		return poolInts[uint8](w, kind, y, x, work)
	case I8, SBit, Tern:
		return poolInts[int8](w, kind, y, x, work)
	case U16:
		return poolInts[uint16](w, kind, y, x, work)
	case I16:
		return poolInts[int16](w, kind, y, x, work)
	case U32:
		return poolInts[uint32](w, kind, y, x, work)
	case I32:
		return poolInts[int32](w, kind, y, x, work)
	case U64:
		return poolInts[uint64](w, kind, y, x, work)
	}
	return poolInts[int64](w, kind, y, x, work)
}

func poolInts[T Number](w *window, kind poolKind, y, x *operand, work int) step {
	least, most := x.elem.intRange()
	return ranged(x.shape[0]*x.shape[1], work, func(m *memory, lo, hi int) {
		poolMaps(w, kind, false, view[T](y, m), view[T](x, m), lo, hi, T(least), T(most))
	})
}

// poolMaps pools maps lo to hi.
func poolMaps[T Number](w *window, kind poolKind, padded bool, y, x []T, lo, hi int, least, most T) {
	in, out, _ := w.sizes()
	for i := lo; i < hi; i++ {
		src, dst := x[i*in:(i+1)*in], y[i*out:(i+1)*out]
		at := 0
		for ot := range w.out[0] {
			t0, t1 := w.inside(0, ot)
			for oh := range w.out[1] {
				h0, h1 := w.inside(1, oh)
				for ow := range w.out[2] {
					w0, w1 := w.inside(2, ow)
					acc := T(0)
					switch kind {
					case poolMax:
						acc = least
					case poolMin:
						acc = most
					}
					for kt := t0; kt < t1; kt++ {
						t := ot*w.stride[0] + kt*w.dil[0] - w.pad[0]
						for kh := h0; kh < h1; kh++ {
							h := oh*w.stride[1] + kh*w.dil[1] - w.pad[1]
							p := (t*w.in[1]+h)*w.in[2] + ow*w.stride[2] + w0*w.dil[2] - w.pad[2]
							for range w1 - w0 {
								switch v := src[p]; kind {
								case poolMax:
									acc = max(acc, v)
								case poolMin:
									acc = min(acc, v)
								default:
									acc += v
								}
								p += w.dil[2]
							}
						}
					}
					if kind == poolAverage {
						count := (t1 - t0) * (h1 - h0) * (w1 - w0)
						if padded {
							count = w.within(0, ot) * w.within(1, oh) * w.within(2, ow)
						}
						if count > 0 {
							acc /= T(count)
						}
					}
					dst[at] = acc
					at++
				}
			}
		}
	}
}

// within is the number of taps that do not lie behind the padding after.
func (w *window) within(a, p int) int {
	start := p*w.stride[a] - w.pad[a]
	return min(w.kernel[a], (w.in[a]+w.after[a]-1-start)/w.dil[a]+1)
}
