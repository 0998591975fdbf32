package runtime

import "github.com/billnet/billnet/runtime/kernels"

var _ = register(&opcode{
	code: OpThreshold,
	name: "threshold",
	doc: "y = (x >= t[c]) != flip[c], c the index on the channel axis. x is dense and no float, or i16 or i32 planes with y bit planes of the same shape. " +
		"For dense operands t may have one element. Integers: axis (1 for planes).",
	in: "x", out: "y", consts: "t flip?",
	inPlace: true,
	prepare: func(p *prep) step {
		x, y := p.in(0), p.bits(p.out(0))
		p.sameShape(x, y)
		axis := p.axis(x, p.ints(1)[0])
		n := x.shape[axis]
		if x.planes || y.planes {
			p.planes(x, I16, I32)
			p.planes(y)
			p.between("axis", axis, 1, 1)
			e, _ := x.elem.plane()
			pl, err := kernels.NewThreshold(p.set, x.geom, e, y.geom, p.thresholds(0, n))
			p.check(err)
			if x.off == y.off {
				p.fail("%s and %s lie at the same place", x, y)
			}
			return planStep(pl, x.size, y, x)
		}
		if x.elem.isFloat() {
			p.fail("%s, expected integers", x)
		}
		if k := p.konst(0, I32); product(k.Shape) == 1 {
			n = 1
		}
		th := p.thresholds(0, n)
		inner := product(x.shape[axis+1:])
		unset := clearByte(y.elem)
		return ranged(y.n, 4, func(m *memory, lo, hi int) {
			dst := y.bytes(m)
			var v [chunk]int64
			for ; lo < hi; lo += chunk {
				k := min(chunk, hi-lo)
				loadInts(v[:k], x, m, lo)
				for i, z := range v[:k] {
					c := (lo + i) / inner % n
					dst[lo+i] = unset
					if (z >= int64(th.T[c])) != flipped(th, c) {
						dst[lo+i] = 1
					}
				}
			}
		})
	},
})

func flipped(th *kernels.Threshold, c int) bool {
	return th.Flip != nil && th.Flip[c/8]>>(c%8)&1 == 1
}
