package runtime

var _ = register(&opcode{
	code: OpTranspose,
	name: "transpose",
	doc:  "Axis i of y is axis perm[i] of x. Integers: perm.",
	in:   "x", out: "y",
	prepare: func(p *prep) step {
		x, y := p.dense(p.in(0)), p.dense(p.out(0))
		p.sameElem(x, y)
		perm := p.ints(x.rank())
		shape, stride := make([]int, len(perm)), make([]int, len(perm))
		own, seen := strides(x.shape), make([]bool, len(perm))
		for i, a := range perm {
			if p.axis(x, a); seen[a] {
				p.fail("axis %d occurs twice in permutation %v", a, perm)
			}
			seen[a] = true
			shape[i], stride[i] = x.shape[a], own[a]
		}
		p.shaped(y, shape...)
		return reorder(y, x, newStrided(shape, stride, 0))
	},
})
