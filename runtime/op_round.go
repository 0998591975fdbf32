package runtime

var _ = register(&opcode{
	code: OpRound,
	name: "round",
	doc:  "y = x rounded to a narrower float type (nearest, ties to even), still stored as f32. Integers: 16 for f16, 17 for bf16.",
	in:   "x", out: "y", inPlace: true,
	prepare: func(p *prep) step {
		x, y := p.dense(p.in(0), F32), p.dense(p.out(0), F32)
		p.sameShape(x, y)
		half := p.between("format", p.ints(1)[0], 16, 17) == 16
		return ranged(y.n, 4, func(m *memory, lo, hi int) {
			src, dst := view[float32](x, m)[lo:hi], view[float32](y, m)[lo:hi]
			for i, v := range src {
				if half {
					dst[i] = roundF16(v)
				} else {
					dst[i] = roundBF16(v)
				}
			}
		})
	},
})
