package runtime

var _ = register(&opcode{
	code: OpSlice,
	name: "slice",
	doc: "y[i0,i1,...] = x[start0+i0*step0, start1+i1*step1, ...]; y's shape gives the counts. Integers: a start for every axis, then a step for every axis, " +
		"which may be negative.",
	in: "x", out: "y",
	prepare: func(p *prep) step {
		x, y := p.dense(p.in(0)), p.dense(p.out(0))
		p.sameElem(x, y)
		if x.rank() != y.rank() {
			p.fail("%s and %s, expected as many axes", x, y)
		}
		v := p.ints(2 * x.rank())
		own, stride, base := strides(x.shape), make([]int, x.rank()), 0
		for a, n := range y.shape {
			start, by := v[a], v[x.rank()+a]
			if n == 0 {
				continue
			}
			last := int64(start) + int64(n-1)*int64(by)
			if start < 0 || start >= x.shape[a] || last < 0 || last >= int64(x.shape[a]) {
				p.fail("axis %d: %d elements from %d by %d do not lie in %s", a, n, start, by, x)
			}
			base += start * own[a]
			stride[a] = own[a] * by
		}
		return reorder(y, x, newStrided(y.shape, stride, base))
	},
})
