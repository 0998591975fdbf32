package runtime

var _ = register(&opcode{
	code: OpCast,
	name: "cast",
	doc: "y = x as another element type. A float becomes an integer by truncation, saturating, NaN as 0; integers wrap; floats round to nearest, ties to even; bool is 0 " +
		"for 0 and 1 for everything else; an integer becomes a bit by its sign (set where positive).",
	in: "x", out: "y",
	inPlace: true,
	prepare: func(p *prep) step {
		x, y := p.dense(p.in(0)), p.dense(p.out(0))
		p.sameShape(x, y)
		if x.elem == y.elem {
			s := move(y, x)
			s.alias = false
			return s
		}
		return ranged(y.n, 2, func(m *memory, lo, hi int) {
			var ints [chunk]int64
			var floats [chunk]float64
			for ; lo < hi; lo += chunk {
				n := min(chunk, hi-lo)
				if x.elem.isFloat() {
					loadFloats(floats[:n], x, m, lo)
					storeFloats(y, m, lo, floats[:n])
				} else {
					loadInts(ints[:n], x, m, lo)
					storeInts(y, m, lo, ints[:n])
				}
			}
		})
	},
})
