package runtime

import "github.com/billnet/billnet/runtime/billb"

var _ = executes(billb.OpRecode, func(p *prep) step {
	x, y := p.in(0), p.out(0)
	p.sameShape(x, y)
	if !x.elem.IsTruth() || !y.elem.IsTruth() {
		p.fail("%s and %s, expected bit, sbit or bool", x, y)
	}
	if x.planes || y.planes {
		p.sameGeom(x, y)
		return move(y, x)
	}
	return ranged(y.n, 1, func(m *memory, lo, hi int) {
		src, dst := x.bytes(m)[lo:hi], y.bytes(m)[lo:hi]
		clear := clearByte(y.elem)
		for i, v := range src {
			dst[i] = clear
			if int8(v) > 0 {
				dst[i] = 1
			}
		}
	})
})

// clearByte is how a dense buffer holds a clear bit: -1 for sbit, else 0.
func clearByte(e Elem) byte {
	if e == SBit {
		return 0xff
	}
	return 0
}

// sameGeom requires planes of one geometry.
//
//go:noinline
func (p *prep) sameGeom(a, b *operand) {
	if !a.planes || !b.planes || a.geom != b.geom {
		p.fail("%s and %s, expected planes of one geometry", a, b)
	}
}
