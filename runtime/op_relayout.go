package runtime

import (
	"github.com/billnet/billnet/runtime/billb"
	"github.com/billnet/billnet/runtime/kernels"
)

var _ = executes(billb.OpRelayout, func(p *prep) step {
	x, y := p.in(0), p.out(0)
	p.sameElem(x, y)
	p.sameShape(x, y)
	e, _ := y.elem.Plane()
	switch {
	case x.planes && y.planes:
		pl, err := kernels.NewRelayout(p.set, x.geom, y.geom, e)
		p.check(err)
		return planStep(pl, y.size, y, x)
	case !x.planes && !y.planes:
		p.fail("%s and %s are both dense, expected planes on one side", x, y)
	case x.elem == U8 && y.planes:
		pl, err := kernels.NewLoad(p.set, y.geom)
		p.check(err)
		return stageOf(y.size, func(m *memory, part, parts int) { pl.Run(0, part, parts, y.bytes(m), x.bytes(m)) })
	case e == kernels.Bit && y.planes:
		return packBits(p, y, x)
	case e == kernels.Bit:
		return unpackBits(p, y, x)
	}
	return moveDense(y, x)
})

// moveDense stores dense integers as planes, or planes as dense integers.
func moveDense(y, x *operand) step {
	toPlanes, width := y.planes, y.elem.Width()
	g := x.geom
	if toPlanes {
		g = y.geom
	}
	return stageOf(x.size, func(m *memory, part, parts int) {
		src, dst := x.bytes(m), y.bytes(m)
		lo, hi := share(g.C, part, parts)
		if toPlanes {
			clear(dst[g.Plane(lo*g.Phases())*width : g.Plane(hi*g.Phases())*width])
			if part == 0 {
				clear(dst[:g.Plane(0)*width])
				clear(dst[g.Plane(g.C*g.Phases())*width:])
			}
		}
		eachRow(g, lo, hi, func(at, step, dense, n int) {
			if toPlanes {
				moveElements(dst[at*width:], src[dense*width:], width, 1, step, n)
			} else {
				moveElements(dst[dense*width:], src[at*width:], width, step, 1, n)
			}
		})
	})
}

// moveElements copies n elements of a width of 1, 2 or 4 bytes, which lie to and from elements apart.
func moveElements(dst, src []byte, width, to, from, n int) {
	if to == 1 && from == 1 {
		copy(dst[:n*width], src)
		return
	}
	for i := range n {
		d, s := dst[i*to*width:], src[i*from*width:]
		switch width {
		case 1:
			d[0] = s[0]
		case 2:
			*(*[2]byte)(d) = *(*[2]byte)(s)
		default:
			*(*[4]byte)(d) = *(*[4]byte)(s)
		}
	}
}

// eachRow calls f for every stored row of channels lo to hi of integer planes:
// its n elements begin at element at, and belong to the elements dense,
// dense+step, ... of [C][T][H][W].
func eachRow(g kernels.Geom, lo, hi int, f func(at, step, dense, n int)) {
	for c := lo; c < hi; c++ {
		for t := range g.T {
			for h := range g.H {
				for w := range min(g.PW, g.W) {
					at, _ := g.Index(kernels.U8, c, t, h, w)
					f(at, g.PW, ((c*g.T+t)*g.H+h)*g.W+w, (g.W-w+g.PW-1)/g.PW)
				}
			}
		}
	}
}

// packBits stores dense bits as planes.
func packBits(p *prep, y, x *operand) step {
	pl, err := kernels.NewPack(y.geom)
	p.check(err)
	return stageOf(y.size, func(m *memory, part, parts int) { pl.Run(part, parts, y.bytes(m), x.bytes(m), x.elem == SBit) })
}

// unpackBits stores planes as dense bits.
func unpackBits(p *prep, y, x *operand) step {
	pl, err := kernels.NewPack(x.geom)
	p.check(err)
	s := stageOf(8*x.size, func(m *memory, part, parts int) { pl.Unpack(part, parts, y.bytes(m), x.bytes(m)) })
	if y.elem == SBit {
		s.stages = append(s.stages, func(m *memory, part, parts int) {
			lo, hi := share(y.n, part, parts)
			dst := y.bytes(m)[lo:hi]
			for i, v := range dst {
				dst[i] = 2*v - 1
			}
		})
	}
	return s
}
