package runtime

import "github.com/billnet/billnet/runtime/billb"

var _ = executes(billb.OpBLSTM, func(p *prep) step {
	x := p.dense(p.in(0), Bit, SBit, Tern)
	if x.rank() != 3 {
		p.fail("%s, expected [N,T,I]", x)
	}
	l := &blstm{x: x, batch: x.shape[0], steps: x.shape[1], inputs: x.shape[2]}
	k := p.konst(1, SBit, Tern)
	if len(k.Shape) != 2 || k.Shape[0] != 4*k.Shape[1] {
		p.fail("constant wh has shape %s, expected [4H,H]", billb.ShapeString(k.Shape))
	}
	h := k.Shape[1]
	l.hidden = h
	l.wi = p.matrixWords(p.konstMatrix(0, 4*h, l.inputs, SBit, Tern), 4*h, l.inputs)
	l.wh = p.matrixWords(k, 4*h, h)
	l.t = p.i32s(2, 4*h)
	l.flip = make([]bool, 4*h)
	if c := p.konstOf(3, 4*h, Bit); c != nil {
		for i := range l.flip {
			l.flip[i] = c.Data[i/8]>>(i%8)&1 == 1
		}
	}
	l.sign0 = int32(params[billb.BLSTM](p).Sign0)
	state := func(o *operand, e Elem) *operand {
		if o != nil && p.dense(o, e).n != l.batch*h {
			p.fail("%s, expected %d elements", o, l.batch*h)
		}
		return o
	}
	l.h0, l.c0 = state(p.optIn(1), Tern), state(p.optIn(2), I16)
	l.y, l.h, l.c = p.optOut(0), state(p.optOut(1), Tern), state(p.optOut(2), I16)
	if l.y != nil {
		p.shaped(p.dense(l.y, Tern), l.batch, l.steps, h)
	}
	mem := area{p: p}
	l.zAt = mem.take(l.batch*l.steps, 16*h)
	l.xAt = mem.take(l.batch*l.steps, 16*l.wi.words)
	l.stateAt = mem.take(l.batch, roundUp(16*l.wh.words+20*h, align))
	return step{
		stages:  []func(*memory, int, int){l.inputSums, l.recur},
		work:    mulSat(l.batch*l.steps, 4*h, l.wi.words+l.wh.words),
		scratch: mem.scratch,
	}
})

type blstm struct {
	x, h0, c0, y, h, c           *operand
	batch, steps, inputs, hidden int
	wi, wh                       *matrixWords
	t                            []int32
	flip                         []bool
	sign0                        int32
	zAt, xAt, stateAt            int // scratch: wi.x of all steps, packed x, the recurrence's state
}

// inputSums computes wi.x for the steps of a part.
func (l *blstm) inputSums(m *memory, part, parts int) {
	words, rows := l.wi.words, l.wi.rows
	lo, hi := share(l.batch*l.steps, part, parts)
	for s := lo; s < hi; s++ {
		packed := as[uint64](m.scratch[l.xAt+16*words*s:][:16*words])
		packWords(packed[:words], packed[words:], l.x.bytes(m)[s*l.inputs:(s+1)*l.inputs])
		z := as[int32](m.scratch[l.zAt+4*rows*s:][:4*rows])
		l.wi.product(z, 0, packed[:words], packed[words:])
	}
}

// recur runs the sequences of a part.
func (l *blstm) recur(m *memory, part, parts int) {
	h := l.hidden
	words, rows := l.wh.words, l.wh.rows
	size := roundUp(16*words+4*rows+4*h, align)
	lo, hi := share(l.batch, part, parts)
	for b := lo; b < hi; b++ {
		state := m.scratch[l.stateAt+size*b:][:size]
		packed := as[uint64](state[:16*words])
		sign, nonzero := packed[:words], packed[words:]
		zh := as[int32](state[16*words:][:4*rows])
		cell := as[int16](state[16*words+4*rows:][:2*h])
		hidden := state[16*words+4*rows+2*h:][:h]
		clear(state)
		if l.h0 != nil {
			copy(hidden, l.h0.bytes(m)[b*h:])
		}
		if l.c0 != nil {
			copy(cell, view[int16](l.c0, m)[b*h:])
		}
		for s := range l.steps {
			packWords(sign, nonzero, hidden)
			l.wh.product(zh, 0, sign, nonzero)
			zx := as[int32](m.scratch[l.zAt+4*rows*(b*l.steps+s):][:4*rows])
			for r, t := range l.t {
				zh[r] = int32(truth((zh[r]+zx[r] >= t) != l.flip[r]))
			}
			i, f, o, g := zh[:h], zh[h:2*h], zh[2*h:3*h], zh[3*h:4*h]
			for k := range h {
				c := f[k]*int32(cell[k]) + i[k]*(2*g[k]-1)
				c = max(-32767, min(32767, c))
				cell[k] = int16(c)
				hidden[k] = byte(o[k] * l.sign(c))
			}
			if l.y != nil {
				copy(l.y.bytes(m)[(b*l.steps+s)*h:], hidden)
			}
		}
		if l.h != nil {
			copy(l.h.bytes(m)[b*h:], hidden)
		}
		if l.c != nil {
			copy(view[int16](l.c, m)[b*h:], cell)
		}
	}
}

func (l *blstm) sign(c int32) int32 {
	switch {
	case c > 0:
		return 1
	case c < 0:
		return -1
	}
	return l.sign0
}
