package runtime

var _ = register(&opcode{
	code: OpStep,
	name: "step",
	doc:  "The binary activation: y is set where x > 0 (strict) or x >= 0 (not strict); NaN gives the bit nan. Integers: strict, nan.",
	in:   "x", out: "y",
	prepare: func(p *prep) step {
		x, y := p.dense(p.in(0), F32, F64), p.bits(p.dense(p.out(0)))
		p.sameShape(x, y)
		v := p.ints(2)
		strict, nan := p.between("strict", v[0], 0, 1) == 1, p.between("nan", v[1], 0, 1) == 1
		unset := clearByte(y.elem)
		return ranged(y.n, 2, func(m *memory, lo, hi int) {
			dst := y.bytes(m)
			var f [chunk]float64
			for ; lo < hi; lo += chunk {
				n := min(chunk, hi-lo)
				loadFloats(f[:n], x, m, lo)
				for i, v := range f[:n] {
					dst[lo+i] = unset
					if v > 0 || v == 0 && !strict || v != v && nan {
						dst[lo+i] = 1
					}
				}
			}
		})
	},
})
