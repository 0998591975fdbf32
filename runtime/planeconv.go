package runtime

import (
	"github.com/billnet/billnet/runtime/billb"
	"github.com/billnet/billnet/runtime/kernels"
)

// preparePlaneConv is a convolution of f32 with constant weights by the vector kernels; false where they do not serve. It sums
// in the order of the others and gives their bits.
func preparePlaneConv(p *prep, c *convShape) (step, bool) {
	x, w, y := p.in(0), p.in(1), p.out(0)
	if p.set.ISA() == kernels.Generic || w.fixed == nil || billb.Product(x.shape) == 0 || c.k == 0 {
		return step{}, false
	}
	if c.inC == 1 && c.outC == 1 {
		if s, ok := prepareDepthConv(p, c); ok {
			return s, true
		}
	}
	// On small maps much of a plane is padding, and a run of positions is a whole register at least; gathering pays where many outputs
	// share it.
	places := c.window.out[1] * c.window.out[2]
	frame := roundUp(places+(c.window.out[1]-1)*(c.kernel[2]-1)*c.dil[2]/c.window.stride[2], 16)
	if gathered := roundUp(c.outSize, 16) / c.window.out[0]; frame > 2*places || c.outC >= 32 && 4*frame > 5*gathered {
		return step{}, false
	}
	p.charge(mulSat(w.n, 4))
	plan, err := kernels.NewPlaneConv(p.set, c.dotShape(), view[float32](w, nil))
	if err != nil || plan.Scratch(1) > defaultLimit {
		return step{}, false
	}
	bias := c.bias
	return step{
		work: mulSat(y.n, c.k), scratch: plan.Scratch,
		stages: []func(*memory, int, int){
			func(m *memory, part, parts int) { plan.Load(part, parts, view[float32](x, m), m.scratch) },
			func(m *memory, part, parts int) {
				var b []float32
				if bias != nil {
					b = view[float32](bias, m)
				}
				lo, hi := share(plan.Units(), part, parts)
				for u := lo; u < hi; u++ {
					plan.Run(u, part, view[float32](y, m), b, m.scratch)
				}
			},
		},
	}, true
}

// prepareDepthConv is the same for groups of one channel.
func prepareDepthConv(p *prep, c *convShape) (step, bool) {
	x, w, y := p.in(0), p.in(1), p.out(0)
	p.charge(mulSat(w.n+64, 4))
	plan, err := kernels.NewDepthConv(p.set, c.dotShape(), view[float32](w, nil))
	if err != nil || plan.Scratch(1) > defaultLimit {
		return step{}, false
	}
	bias := c.bias
	s := stageOf(mulSat(y.n, c.k), func(m *memory, part, parts int) {
		var b []float32
		if bias != nil {
			b = view[float32](bias, m)
		}
		lo, hi := share(plan.Units(), part, parts)
		for u := lo; u < hi; u++ {
			plan.Run(u, part, view[float32](y, m), view[float32](x, m), b, m.scratch)
		}
	})
	s.scratch = plan.Scratch
	return s, true
}

// dotShape is the geometry as the kernels package has it.
//
//go:noinline
func (c *convShape) dotShape() kernels.DotShape {
	return kernels.DotShape{
		Batch: c.batch, Groups: c.groups, In: c.groups * c.inC, Out: c.groups * c.outC,
		Size: c.in, Result: c.window.out, Kernel: c.kernel, Stride: c.window.stride, Pad: c.pad, Dil: c.dil,
	}
}
