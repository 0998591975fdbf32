package runtime

import "github.com/billnet/billnet/runtime/billb"

var _ = executes(billb.OpSlice, func(p *prep) step {
	x, y := p.dense(p.in(0)), p.dense(p.out(0))
	p.sameElem(x, y)
	if x.rank() != y.rank() {
		p.fail("%s and %s, expected as many axes", x, y)
	}
	v := params[billb.Slice](p)
	p.perAxis("start", v.Start, x)
	own, stride, base := strides(x.shape), make([]int, x.rank()), 0
	for a, n := range y.shape {
		start, by := v.Start[a], v.Step[a]
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
	return p.reorder(y, x, newStrided(y.shape, stride, base))
})
