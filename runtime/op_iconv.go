package runtime

import (
	"github.com/billnet/billnet/runtime/billb"
	"github.com/billnet/billnet/runtime/kernels"
)

var _ = executes(billb.OpIConv, func(p *prep) step {
	x, y := p.planes(p.in(0), U8, I8, I16, I32), p.planes(p.out(0))
	v := params[billb.IntConv](p)
	c, w := p.convolution(x, y, &v.Conv)
	th := p.thresholds(1, y.geom.C)
	p.checkConvOut(y, th, I8, I16, I32)
	lo, hi := p.i32s(3, y.geom.C), p.i32s(4, y.geom.C)
	acc := kernels.I16
	if v.Acc == 32 {
		acc = kernels.I32
	}
	in, _ := x.elem.Plane()
	out, _ := y.elem.Plane()
	pl, err := kernels.NewIntConv(p.set, x.geom, in, y.geom, c, w, acc, lo, hi, th, out)
	p.check(err)
	return planStep(pl, mulSat(convWork(y, c, x), 8), y, x)
})
