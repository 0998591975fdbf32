package runtime

import "github.com/billnet/billnet/runtime/kernels"

var (
	_ = register(&opcode{
		code: OpBitMaxPool,
		name: "bit_max_pool",
		doc:  "OR of the bits under a window; padding is ignored. Integers: kernel t,h,w; stride t,h,w; pad before t,h,w; dilation t,h,w.",
		in:   "x", out: "y",
		prepare: func(p *prep) step { return bitPool(p, false) },
	})
	_ = register(&opcode{
		code: OpBitMinPool,
		name: "bit_min_pool",
		doc:  "AND of the bits under a window; padding is ignored. Integers: kernel t,h,w; stride t,h,w; pad before t,h,w; dilation t,h,w.",
		in:   "x", out: "y",
		prepare: func(p *prep) step { return bitPool(p, true) },
	})
)

func bitPool(p *prep, and bool) step {
	x, y := p.planes(p.in(0), Bit, SBit), p.planes(p.out(0), Bit, SBit)
	p.sameElem(x, y)
	v := p.ints(12)
	kernel := [3]int(v[0:3])
	pl, err := kernels.NewPool(p.set, x.geom, y.geom, and, kernel, [3]int(v[3:6]), [3]int(v[6:9]), [3]int(v[9:12]))
	p.check(err)
	return planStep(pl, mulSat(y.size, kernel[0], kernel[1], kernel[2]), y, x)
}
