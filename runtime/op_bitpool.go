package runtime

import (
	"github.com/billnet/billnet/runtime/billb"
	"github.com/billnet/billnet/runtime/kernels"
)

var (
	_ = executes(billb.OpBitMaxPool, func(p *prep) step { return bitPool(p, false) })
	_ = executes(billb.OpBitMinPool, func(p *prep) step { return bitPool(p, true) })
)

func bitPool(p *prep, and bool) step {
	x, y := p.planes(p.in(0), Bit, SBit), p.planes(p.out(0), Bit, SBit)
	p.sameElem(x, y)
	v := params[billb.BitPool](p)
	p.charge(mulSat(64, v.Kernel[0], v.Kernel[1], v.Kernel[2], y.geom.Phases()))
	pl, err := kernels.NewPool(p.set, x.geom, y.geom, and, v.Kernel, v.Stride, v.Pad, v.Dilation)
	p.check(err)
	return planStep(pl, mulSat(y.size, v.Kernel[0], v.Kernel[1], v.Kernel[2]), y, x)
}
