package runtime

import (
	"slices"

	"github.com/billnet/billnet/runtime/billb"
	"github.com/billnet/billnet/runtime/kernels"
)

var _ = executes(billb.OpBConv, func(p *prep) step {
	x, y, v := p.planes(p.in(0), Bit, SBit), p.planes(p.out(0)), params[billb.Conv](p)
	c, _ := p.convolution(x, y, v)
	th := p.thresholds(1, y.geom.C)
	p.checkConvOut(y, th, I8, I16, I32)
	e, _ := y.elem.Plane()
	return p.ternaryConv(x, p.konst(0, SBit, Tern), c.Groups, func(x *operand, w *billb.Const) step {
		pl, err := kernels.NewBitConv(p.set, x.geom, y.geom, c, x.elem == SBit, weights(w), th, e)
		p.check(err)
		return planStep(pl, convWork(y, c, x), y, x)
	})
})

// convolution reads a convolution's weights, constant 0, [O,C/groups,kt,kh,kw].
func (p *prep) convolution(x, y *operand, v *billb.Conv) (kernels.Conv, kernels.Weights) {
	k := p.konst(0, SBit, Tern)
	c := kernels.Conv{OutC: y.geom.C, Groups: v.Groups, Stride: v.Stride, Pad: v.Pad, Dil: v.Dilation}
	if x.geom.C%c.Groups != 0 {
		p.fail("%d groups do not divide %d channels", c.Groups, x.geom.C)
	}
	if len(k.Shape) != 5 || k.Shape[0] != y.geom.C || k.Shape[1] != x.geom.C/c.Groups {
		p.fail("weights have shape %s, expected [%d,%d,kt,kh,kw]", billb.ShapeString(k.Shape), y.geom.C, x.geom.C/c.Groups)
	}
	c.Kernel = [3]int(k.Shape[2:])
	p.chargePlan(x, y, c)
	return c, weights(k)
}

// weights is a constant as the kernels take it.
func weights(k *billb.Const) kernels.Weights {
	if k.Elem == Tern {
		half := len(k.Data) / 2
		return kernels.Weights{Sign: k.Data[:half], Nonzero: k.Data[half:]}
	}
	return kernels.Weights{Sign: k.Data}
}

// thresholds reads the constants t, number i, and flip, which follows, of n
// channels; nil when t is left out.
func (p *prep) thresholds(i, n int) *kernels.Threshold {
	t, flip := p.i32s(i, n), p.konstOf(i+1, n, Bit)
	if t == nil {
		if flip != nil {
			p.fail("flip is given without t")
		}
		return nil
	}
	th := &kernels.Threshold{T: t}
	if flip != nil {
		th.Flip = flip.Data
	}
	return th
}

// checkConvOut requires bits with thresholds and one of the integers without.
func (p *prep) checkConvOut(y *operand, th *kernels.Threshold, ints ...Elem) {
	if th != nil && !y.elem.IsBit() {
		p.fail("%s, expected bit or sbit: thresholds are given", y)
	}
	if th == nil && !slices.Contains(ints, y.elem) {
		p.fail("%s, expected %v: no thresholds are given", y, ints)
	}
}

// convWork is the work of a convolution in operations on eight channels.
func convWork(y *operand, c kernels.Conv, x *operand) int {
	return mulSat(y.n, max(1, x.geom.C/c.Groups/8), c.Kernel[0], c.Kernel[1], c.Kernel[2])
}

// chargePlan charges what the plan of a convolution keeps: terms of weights, and
// where taps read. A term of bits is a byte of channels for eight outputs.
func (p *prep) chargePlan(x, y *operand, c kernels.Conv) {
	taps, phases := mulSat(c.Kernel[0], c.Kernel[1], c.Kernel[2]), y.geom.Phases()
	in, out := x.geom.C/c.Groups, c.OutC/c.Groups
	if x.elem.IsBit() {
		under := min(x.geom.C, mulSat(7/max(out, 1)+2, in)) // eight outputs
		p.charge(mulSat((c.OutC+7)/8, under/8+2, taps, addSat(160, mulSat(8, phases))))
	} else {
		weights := mulSat(c.OutC, (in+3)/4, taps)
		p.charge(addSat(mulSat(32, weights, phases), mulSat(64, taps, phases)))
	}
	p.charge(addSat(mulSat(256, c.OutC), mulSat(64, x.geom.C, taps)))
}
