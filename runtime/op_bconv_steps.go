package runtime

import (
	"github.com/billnet/billnet/runtime/billb"
	"github.com/billnet/billnet/runtime/kernels"
)

var _ = executes(billb.OpBConvSteps, func(p *prep) step {
	x, y, v := p.planes(p.in(0), Bit, SBit), p.dense(p.out(0)), params[billb.ConvSteps](p)
	w := p.konst(0, SBit, Tern)
	if len(w.Shape) != 5 {
		p.fail("weights have shape %s, expected [O,C/groups,kt,kh,kw]", billb.ShapeString(w.Shape))
	}
	window := &billb.Window{Stride: v.Stride[:], PadBefore: v.PadBefore[:], PadAfter: v.PadAfter[:], Dilation: v.Dilation[:]}
	c := p.convShape(p.spatial(x), p.spatial(y), w.Shape, v.Groups, window)
	if y.n == 0 {
		return step{}
	}
	out := kernels.Geom{C: y.shape[1], T: c.out[0], H: c.out[1], W: c.out[2], PT: 1, PH: 1, PW: 1}
	conv := kernels.Conv{OutC: out.C, Groups: v.Groups, Kernel: c.kernel, Stride: v.Stride, Pad: v.PadBefore, Dil: v.Dilation}
	return p.ternaryConv(x, w, v.Groups, func(x *operand, w *billb.Const) step {
		c := *c
		c.inC = w.Shape[1]
		work := mulSat(y.n, max(1, c.inC/8)+4*len(v.Steps.Steps), c.taps)
		if d := p.bitRows(x, w, &c); d != nil {
			return dotStep(d, x, work, p.newSteps(y, &v.Steps, d.Contiguous(), out.C, c.outSize, 1, 1, I32, c.inC*c.taps).runDot)
		}
		p.chargePlan(x, &operand{geom: out}, conv)
		pl, err := kernels.NewBitConv(p.set, x.geom, out, conv, x.elem == SBit, weights(w), nil, kernels.I32)
		p.check(err)
		return sumsStep(pl, x, out, work, p.newSteps(y, &v.Steps, false, out.C, c.outSize, 1, 1, I32, c.inC*c.taps))
	})
})

// bitRows plans the convolution with its output channels along the register, where that goes over fewer bits than planes do, or
// returns nil. Planes have 64 positions and 8 channels at a time.
func (p *prep) bitRows(x *operand, w *billb.Const, c *convShape) *kernels.BitDot {
	s := kernels.DotShape{
		Batch: 1, Groups: c.groups, In: c.groups * c.inC, Out: c.groups * c.outC,
		Size: c.in, Result: c.out, Kernel: c.kernel, Stride: c.window.stride, Pad: c.pad, Dil: c.dil,
	}
	p.charge(mulSat(c.groups, roundUp(c.outC, 64), roundUp(c.inC, 64)/8, c.taps))
	p.charge(mulSat(roundUp(c.outSize, 4), addSat(c.taps*4, 8)))
	classes := 1 // of positions: along an axis, the taps outside change at most so often
	for a, k := range c.kernel {
		classes = mulSat(classes, min(c.out[a], 2*k+2))
	}
	p.charge(mulSat(classes, c.groups, roundUp(c.outC, 64), 2))
	d, err := kernels.NewBitDot(p.set, x.geom, s, x.elem == SBit, weights(w))
	if err != nil || d.Scratch(1) > defaultLimit {
		return nil
	}
	// Counts on planes run at half the speed when sums of 32 bits are to be made of them.
	const slower = 2
	if planes := float64(roundUp(c.outSize, 64)) * float64(c.groups*roundUp(c.outC, 8)) * float64(roundUp(c.inC, 8)*c.taps); d.Cost() > slower*planes {
		return nil
	}
	return d
}

// sumsStep is a convolution whose sums lie on planes in scratch memory before the steps follow.
func sumsStep(pl *kernels.BitConv, x *operand, out kernels.Geom, work int, list *steps) step {
	size := out.Bytes(kernels.I32)
	s := step{work: work, scratch: func(parts int) int { return addSat(size, pl.Scratch(parts)) }}
	for i := range pl.Stages() {
		s.stages = append(s.stages, func(m *memory, part, parts int) {
			pl.Run(i, part, parts, m.scratch[:size], x.bytes(m), m.scratch[size:])
		})
	}
	n := out.T * out.H * out.W
	s.stages = append(s.stages, func(m *memory, part, parts int) {
		b := &m.dot
		lo, hi := share(out.C, part, parts)
		for c := lo; c < hi; c++ {
			*b = kernels.DotBlock{Rows: 1, Step: 1}
			b.Z[0], b.Channel[0], b.At[0] = as[int32](m.scratch[4*out.Plane(c):])[:n], c, c*n
			list.runDot(m, b, 0)
		}
	})
	return s
}
