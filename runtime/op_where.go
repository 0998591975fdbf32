package runtime

import "github.com/billnet/billnet/runtime/billb"

var _ = executes(billb.OpWhere, func(p *prep) step {
	c, a, b, y := p.bits(p.in(0)), p.in(1), p.in(2), p.out(0)
	p.sameElem(a, y)
	p.sameElem(b, y)
	w := p.broadcasting(y, c, a, b)
	switch y.elem.Width() {
	case 1:
		return whereStep[uint8](w, y, c, a, b)
	case 2:
		return whereStep[uint16](w, y, c, a, b)
	case 4:
		return whereStep[uint32](w, y, c, a, b)
	}
	return whereStep[uint64](w, y, c, a, b)
})

func whereStep[T Number](w *walker, y, c, a, b *operand) step {
	return w.step(2, func(m *memory, r run) {
		dst, cv, av, bv := view[T](y, m), c.bytes(m), view[T](a, m), view[T](b, m)
		for i := 0; i < r.n; i += chunk {
			n := min(chunk, r.n-i)
			set := pick(cv, r.at[0]+i*w.inner[0], w.inner[0], n, tmp[byte](m, 0))
			x := pick(av, r.at[1]+i*w.inner[1], w.inner[1], n, tmp[T](m, 1))
			z := pick(bv, r.at[2]+i*w.inner[2], w.inner[2], n, tmp[T](m, 2))
			out := dst[r.first+i : r.first+i+n]
			for j, s := range set {
				v := z[j]
				if int8(s) > 0 {
					v = x[j]
				}
				out[j] = v
			}
		}
	})
}
