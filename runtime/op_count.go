package runtime

import "github.com/billnet/billnet/runtime/kernels"

var _ = register(&opcode{
	code: OpCount,
	name: "count",
	doc: "Sum of every channel of bit planes: for bit the number of ones, for sbit that of +1 less that of -1. Integers: mode. 0: over t, h and w, y has C elements; 1: over h and w, y is [C,T]; " +
		"2: over h and w, y is [T,C]. y is dense i32 of any shape with as many elements.",
	in: "x", out: "y",
	prepare: func(p *prep) step {
		x, y := p.planes(p.in(0), Bit, SBit), p.dense(p.out(0), I32)
		mode := p.between("mode", p.ints(1)[0], 0, 2)
		pl, err := kernels.NewCount(p.set, x.geom, mode > 0)
		p.check(err)
		if y.n != pl.Len() {
			p.fail("%s, expected %d elements", y, pl.Len())
		}
		t, c, positions := x.geom.T, x.geom.C, x.geom.H*x.geom.W
		if mode == 0 {
			positions *= t
		}
		s := stageOf(x.size, func(m *memory, part, parts int) { pl.Run(0, part, parts, view[int32](y, m), x.bytes(m)) })
		if mode == 1 {
			s = stageOf(x.size, func(m *memory, part, parts int) { pl.Run(0, part, parts, as[int32](m.scratch[:y.size]), x.bytes(m)) })
			s.scratch = func(int) int { return y.size }
			s.stages = append(s.stages, func(m *memory, part, parts int) {
				lo, hi := share(y.n, part, parts)
				src, dst := as[int32](m.scratch[:y.size]), view[int32](y, m)
				for i := lo; i < hi; i++ {
					dst[i] = src[i%t*c+i/t]
				}
			})
		}
		if x.elem == SBit {
			s.stages = append(s.stages, func(m *memory, part, parts int) {
				lo, hi := share(y.n, part, parts)
				dst := view[int32](y, m)[lo:hi]
				for i, n := range dst {
					dst[i] = 2*n - int32(positions)
				}
			})
		}
		return s
	},
})
