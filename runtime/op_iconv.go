package runtime

import "github.com/billnet/billnet/runtime/kernels"

var _ = register(&opcode{
	code: OpIConv,
	name: "iconv",
	doc: "bconv's equation on integer planes: y is z as i16 or i32 planes, or with t the bit (z >= t[o]) != flip[o]. lo and hi promise the range of z of every channel, " +
		"which sums of the width acc must hold. Integers: stride t,h,w; pad before t,h,w; dilation t,h,w; groups; acc, 16 or 32.",
	in: "x", out: "y", consts: "w t? flip? lo hi",
	macs: func(s shapes) float64 { return perChannel(s, s.konst(0)) },
	prepare: func(p *prep) step {
		x, y := p.planes(p.in(0), U8, I8, I16, I32), p.planes(p.out(0))
		v := p.ints(11)
		c, w := p.convolution(x, y, v[:10])
		th := p.thresholds(1, y.geom.C)
		p.checkConvOut(y, th, I8, I16, I32)
		lo, hi := p.i32s(3, y.geom.C), p.i32s(4, y.geom.C)
		acc := kernels.I16
		if v[10] != 16 {
			acc = kernels.I32
			p.between("acc", v[10], 32, 32)
		}
		in, _ := x.elem.plane()
		out, _ := y.elem.plane()
		pl, err := kernels.NewIntConv(p.set, x.geom, in, y.geom, c, w, acc, lo, hi, th, out)
		p.check(err)
		return planStep(pl, mulSat(convWork(y, c, x), 8), y, x)
	},
})
