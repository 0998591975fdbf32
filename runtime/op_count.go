package runtime

import (
	"github.com/billnet/billnet/runtime/billb"
	"github.com/billnet/billnet/runtime/kernels"
)

var _ = executes(billb.OpCount, func(p *prep) step {
	x, y := p.planes(p.in(0), Bit, SBit), p.dense(p.out(0), I32)
	mode := params[billb.Count](p).Mode
	pl, err := kernels.NewCount(p.set, x.geom, mode != billb.CountC)
	p.check(err)
	if y.n != pl.Len() {
		p.fail("%s, expected %d elements", y, pl.Len())
	}
	t, c, positions := x.geom.T, x.geom.C, x.geom.H*x.geom.W
	if mode == billb.CountC {
		positions *= t
	}
	s := stageOf(x.size, func(m *memory, part, parts int) { pl.Run(0, part, parts, view[int32](y, m), x.bytes(m)) })
	if mode == billb.CountCT {
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
})
