package runtime

import "math"

var _ = register(&opcode{
	code: OpBatchNorm,
	name: "batch_norm",
	doc: "y = (x - mean[c])/sqrt(var[c] + eps)*scale[c] + bias[c] over axis 1, every operation rounded to x's type, in this order. Parameters are f32 or f64 of C elements. " +
		"Floats: eps.",
	in: "x scale bias mean var", out: "y", inPlace: true,
	prepare: func(p *prep) step {
		x, y := p.dense(p.in(0), F32, F64), p.dense(p.out(0))
		p.sameElem(x, y)
		p.sameShape(x, y)
		if x.rank() < 2 {
			p.fail("%s, expected at least two axes", x)
		}
		var params [4]*operand
		c, inner := x.shape[1], product(x.shape[2:])
		for i := range params {
			params[i] = p.dense(p.in(i+1), F32, F64)
			if params[i].n != c {
				p.fail("%s, expected %d elements", params[i], c)
			}
		}
		eps, set := p.floats(1)[0], p.set
		if y.n == 0 {
			return step{}
		}
		return ranged(y.n/inner, mulSat(inner, 4), func(m *memory, lo, hi int) {
			for r := lo; r < hi; r++ {
				k := r % c
				scale, bias, mean, variance := floatAt(params[0], m, k), floatAt(params[1], m, k), floatAt(params[2], m, k), floatAt(params[3], m, k)
				if y.elem == F64 {
					normalize(view[float64](y, m)[r*inner:][:inner], view[float64](x, m)[r*inner:], scale, bias, mean, math.Sqrt(variance+eps))
					continue
				}
				s := float32(math.Sqrt(float64(float32(variance) + float32(eps))))
				set.Normalize(view[float32](y, m)[r*inner:][:inner], view[float32](x, m)[r*inner:], float32(mean), s, float32(scale), float32(bias))
			}
		})
	},
})

func normalize(dst, src []float64, scale, bias, mean, s float64) {
	for i := range dst {
		dst[i] = float64((src[i]-mean)/s*scale) + bias
	}
}
