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
	// On small maps most of a plane is padding, and a run of positions is a whole register at least.
	frame := c.window.out[1]*c.window.out[2] + (c.window.out[1]-1)*(c.kernel[2]-1)*c.dil[2]/c.window.stride[2]
	if roundUp(frame, 16) > 2*c.window.out[1]*c.window.out[2] {
		return step{}, false
	}
	p.charge(mulSat(w.n, 4))
	s := kernels.DotShape{
		Batch: c.batch, Groups: c.groups, In: c.groups * c.inC, Out: c.groups * c.outC,
		Size: c.in, Result: c.window.out, Kernel: c.kernel, Stride: c.window.stride, Pad: c.pad, Dil: c.dil,
	}
	plan, err := kernels.NewPlaneConv(p.set, s, view[float32](w, nil))
	if err != nil || plan.Scratch(1) > defaultLimit {
		return step{}, false
	}
	set, bias := p.set, c.bias
	return step{
		work: mulSat(y.n, c.k), scratch: plan.Scratch,
		stages: []func(*memory, int, int){
			func(m *memory, part, parts int) { plan.Load(part, parts, view[float32](x, m), m.scratch) },
			func(m *memory, part, parts int) {
				lo, hi := share(plan.Units(), part, parts)
				b, dst := &m.planes, view[float32](y, m)
				for u := lo; u < hi; u++ {
					for i := range plan.Blocks() {
						plan.Block(b, u, i, part, m.scratch)
						for r := range b.Rows {
							out := dst[b.At[r]:][:len(b.Y[r])]
							if bias == nil {
								copy(out, b.Y[r])
							} else {
								set.Map(kernels.Plus, out, b.Y[r], view[float32](bias, m)[b.Channel[r]], 0)
							}
						}
					}
				}
			},
		},
	}, true
}
