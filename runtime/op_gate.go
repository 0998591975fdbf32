package runtime

import (
	"encoding/binary"

	"github.com/billnet/billnet/runtime/billb"
	"github.com/billnet/billnet/runtime/kernels"
)

// gate is a boolean function of two bits that are kept eight or more a word.
type gate struct {
	op   kernels.GateOp // on planes of one geometry
	word func(a, b uint64) uint64
}

var (
	gateOr  = gate{kernels.Or, func(a, b uint64) uint64 { return a | b }}
	gateAnd = gate{kernels.And, func(a, b uint64) uint64 { return a & b }}
	gateXor = gate{kernels.Xor, func(a, b uint64) uint64 { return a ^ b }}
)

var (
	_ = executes(billb.OpBitOr, func(p *prep) step { return p.gate(gateOr) })
	_ = executes(billb.OpBitAnd, func(p *prep) step { return p.gate(gateAnd) })
	_ = executes(billb.OpBitXor, func(p *prep) step { return p.gate(gateXor) })
	_ = executes(billb.OpBitNot, func(p *prep) step { return p.inverted() })
	_ = executes(billb.OpOr, func(p *prep) step { return p.gate(gateOr) })
	_ = executes(billb.OpAnd, func(p *prep) step { return p.gate(gateAnd) })
	_ = executes(billb.OpXor, func(p *prep) step { return p.gate(gateXor) })
	_ = executes(billb.OpNot, func(p *prep) step { return p.inverted() })
	_ = executes(billb.OpMux, func(p *prep) step {
		return p.selection(kernels.SelMux, func(s, a, b uint64) uint64 { return a ^ s&(a^b) })
	})
	_ = executes(billb.OpMuxOr, func(p *prep) step {
		return p.selection(kernels.SelOr, func(s, f, x uint64) uint64 { return f | s&x })
	})
)

// bits requires bit or sbit planes, or dense bits or bools.
func (p *prep) bits(o *operand) *operand {
	if !o.elem.IsTruth() {
		p.fail("%s, expected bit, sbit or bool", o)
	}
	return o
}

func (p *prep) gate(g gate) step {
	a, b, y := p.bits(p.in(0)), p.bits(p.in(1)), p.bits(p.out(0))
	p.sameElem(a, y)
	if !y.planes {
		p.sameElem(b, y)
		return denseBits(p, y, func(a, b, _ uint64) uint64 { return g.word(a, b) }, a, b)
	}
	p.sameGeom(a, y)
	if !b.planes {
		return channelGate(p, g, y, a, b)
	}
	p.sameElem(b, y)
	p.sameGeom(b, y)
	pl, err := kernels.NewGate(p.set, g.op, y.geom)
	p.check(err)
	return stageOf(y.size, func(m *memory, part, parts int) { pl.Run(0, part, parts, y.bytes(m), a.bytes(m), b.bytes(m), nil) })
}

// inverted is the step of bit_not.
func (p *prep) inverted() step {
	a, y := p.bits(p.in(0)), p.bits(p.out(0))
	p.sameElem(a, y)
	p.sameShape(a, y)
	if y.planes {
		p.sameGeom(a, y)
		pl, err := kernels.NewGate(p.set, kernels.Not, y.geom)
		p.check(err)
		return stageOf(y.size, func(m *memory, part, parts int) { pl.Run(0, part, parts, y.bytes(m), nil, a.bytes(m), nil) })
	}
	p.dense(a)
	flip := 1 ^ clearByte(y.elem) // bool, bit: 0 and 1; sbit: -1 and 1
	return ranged(y.n, 1, func(m *memory, lo, hi int) {
		src, dst := a.bytes(m)[lo:hi], y.bytes(m)[lo:hi]
		for i, v := range src {
			dst[i] = v ^ flip
		}
	})
}

func (p *prep) selection(op kernels.GateOp, word func(s, a, b uint64) uint64) step {
	s, a, b, y := p.bits(p.in(0)), p.bits(p.in(1)), p.bits(p.in(2)), p.bits(p.out(0))
	p.sameElem(a, y)
	p.sameElem(b, y)
	if !y.planes {
		return denseBits(p, y, word, s, a, b)
	}
	p.sameGeom(a, y)
	p.sameGeom(b, y)
	if s.planes {
		// The zeros around the maps stay zero under both functions.
		p.sameGeom(s, y)
		return ranged(y.size/8, 1, func(m *memory, lo, hi int) {
			sv, av, bv, dst := s.bytes(m), a.bytes(m), b.bytes(m), y.bytes(m)
			for i := 8 * lo; i < 8*hi; i += 8 {
				v := word(binary.LittleEndian.Uint64(sv[i:]), binary.LittleEndian.Uint64(av[i:]), binary.LittleEndian.Uint64(bv[i:]))
				binary.LittleEndian.PutUint64(dst[i:], v)
			}
		})
	}
	p.channelVector(s, y)
	pl, err := kernels.NewGate(p.set, op, y.geom)
	p.check(err)
	slot := roundUp((s.n+7)/8, align)
	st := stageOf(y.size, func(m *memory, part, parts int) {
		sel := m.scratch[part*slot:][:slot]
		packChannels(sel, s.bytes(m))
		pl.Run(0, part, parts, y.bytes(m), a.bytes(m), b.bytes(m), sel)
	})
	st.scratch = func(parts int) int { return parts * slot }
	return st
}

// channelVector requires a dense operand of one bit for every channel of y.
func (p *prep) channelVector(s, y *operand) {
	if p.dense(s); s.n != y.geom.C {
		p.fail("%s, expected one bit for each of %d channels", s, y.geom.C)
	}
}

// packChannels sets bit j of byte b for channel 8b+j.
func packChannels(dst, bits []byte) {
	clear(dst)
	for i, v := range bits {
		if int8(v) > 0 {
			dst[i/8] |= 1 << (i % 8)
		}
	}
}

// channelGate is a gate of planes a and a dense bit for every channel. It works
// row by row, so that the zeros around the map stay.
func channelGate(p *prep, g gate, y, a, s *operand) step {
	p.channelVector(s, y)
	geom := y.geom
	bytesC, phases := (geom.C+7)/8, geom.Phases()
	slot := roundUp(bytesC, align)
	st := stageOf(y.size, func(m *memory, part, parts int) {
		sel := m.scratch[part*slot:][:slot]
		packChannels(sel, s.bytes(m))
		src, dst := a.bytes(m), y.bytes(m)
		if part == 0 {
			copy(dst[:geom.Plane(0)], src)
			copy(dst[geom.Plane(bytesC*phases):], src[geom.Plane(bytesC*phases):])
		}
		lo, hi := share(bytesC*phases, part, parts)
		for pl := lo; pl < hi; pl++ {
			from, to := geom.Plane(pl), geom.Plane(pl+1)
			if &dst[0] != &src[0] {
				copy(dst[from:to], src[from:to])
			}
			phase := pl % phases
			pt, ph, pw := phase/(geom.PH*geom.PW), phase/geom.PW%geom.PH, phase%geom.PW
			for t := pt; t < geom.T; t += geom.PT {
				for h := ph; h < geom.H; h += geom.PH {
					at := from + t/geom.PT*geom.Frame() + h/geom.PH*geom.Pitch()
					row := dst[at : at+(geom.W-pw+geom.PW-1)/geom.PW]
					for i, v := range row {
						row[i] = byte(g.word(uint64(v), uint64(sel[pl/phases])))
					}
				}
			}
		}
	})
	st.scratch = func(parts int) int { return parts * slot }
	return st
}

// denseBits is a boolean function of dense operands that broadcast to y. f gets
// 0 or 1 of each operand and returns its result in the lowest bit.
func denseBits(p *prep, y *operand, f func(a, b, c uint64) uint64, xs ...*operand) step {
	w := p.broadcasting(y, xs...)
	clear := clearByte(y.elem)
	return w.step(2*len(xs), func(m *memory, r run) {
		dst := y.bytes(m)[r.first : r.first+r.n]
		var v [3]uint64
		for i := range dst {
			for k, x := range xs {
				v[k] = uint64(truth(int8(x.bytes(m)[r.at[k]+i*w.inner[k]]) > 0))
			}
			dst[i] = clear
			if f(v[0], v[1], v[2])&1 == 1 {
				dst[i] = 1
			}
		}
	})
}
