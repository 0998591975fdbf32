package runtime

import "github.com/billnet/billnet/runtime/billb"

var _ = executes(billb.OpTranspose, func(p *prep) step {
	x, y := p.dense(p.in(0)), p.dense(p.out(0))
	p.sameElem(x, y)
	perm := params[billb.Transpose](p).Perm
	p.perAxis("perm", perm, x)
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
	return p.reorder(y, x, newStrided(shape, stride, 0))
})
