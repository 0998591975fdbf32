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
	switch y.elem.Width() {
	case 1:
		return moveDense[uint8](y, x)
	case 2:
		return moveDense[uint16](y, x)
	}
	return moveDense[uint32](y, x)
})

// moveDense stores dense integers as planes, or planes as dense integers.
func moveDense[T Number](y, x *operand) step {
	toPlanes := y.planes
	g := x.geom
	if toPlanes {
		g = y.geom
	}
	return stageOf(x.size, func(m *memory, part, parts int) {
		src, dst := view[T](x, m), view[T](y, m)
		lo, hi := share(g.C, part, parts)
		if toPlanes {
			clear(dst[g.Plane(lo*g.Phases()):g.Plane(hi*g.Phases())])
			if part == 0 {
				clear(dst[:g.Plane(0)])
				clear(dst[g.Plane(g.C*g.Phases()):])
			}
		}
		eachRow(g, lo, hi, func(at, step, dense, n int) {
			if toPlanes {
				row := dst[at:]
				for i := range n {
					row[i] = src[dense+i*step]
				}
			} else {
				row := src[at:]
				for i := range n {
					dst[dense+i*step] = row[i]
				}
			}
		})
	})
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
