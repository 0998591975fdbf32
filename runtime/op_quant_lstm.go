package runtime

import (
	"math"

	"github.com/billnet/billnet/runtime/billb"
)

var _ = executes(billb.OpQuantLSTMCell, prepareQuantLSTM)

// quantLSTM computes in float64. In f32 the result of every operation is rounded
// to float32, which gives what float32 arithmetic gives: a sum, difference or
// product of two float32 that is first rounded to the 53 bits of a float64 rounds
// to the same 24 bits as the exact one.
type quantLSTM struct {
	single                       bool // f32
	x, h0, c0, y, yh, yc         *operand
	steps, batch, inputs, hidden int
	batchFirst, reverse, coupled bool
	atH, atC                     []int // strides of h0 and c0 in [B,H]
	w, r, b                      [4][]float64
	q                            [billb.Quantizers]gridOf
}

// gridOf is a quantizer with its parameters.
type gridOf struct {
	quantizer
	scale, zero, bits float64
}

func (g *gridOf) of(x float64) float64 { return g.grid(x, g.scale, g.zero, g.bits) }

func prepareQuantLSTM(p *prep) step {
	x := p.dense(p.in(0), F32, F64)
	if x.rank() != 3 {
		p.fail("%s, expected three axes", x)
	}
	v := params[billb.QuantLSTM](p)
	l := &quantLSTM{single: x.elem == F32, x: x, y: p.optOut(0), yh: p.optOut(1), yc: p.optOut(2), batchFirst: v.BatchFirst, reverse: v.Reverse, coupled: v.CIFG}
	l.steps, l.batch, l.inputs = x.shape[0], x.shape[1], x.shape[2]
	if l.batchFirst {
		l.steps, l.batch = l.batch, l.steps
	}
	k := p.konst(4, x.elem)
	if len(k.Shape) != 2 || k.Shape[0] != k.Shape[1] {
		p.fail("constant w_hi has shape %s, expected [H,H]", billb.ShapeString(k.Shape))
	}
	l.hidden = k.Shape[0]
	state := []int{l.batch, l.hidden}
	for g := range 4 {
		l.w[g] = p.floatsOf(p.konstMatrix(g, l.hidden, l.inputs, x.elem))
		l.r[g] = p.floatsOf(p.konstMatrix(4+g, l.hidden, l.hidden, x.elem))
		b := p.konst(8+g, x.elem)
		s, ok := broadcast(b.Shape, []int{l.hidden})
		if !ok {
			p.fail("constant %s has shape %s, expected one that broadcasts to [%d]", operandName(p.op.Consts, 8+g), billb.ShapeString(b.Shape), l.hidden)
		}
		values := p.floatsOf(b)
		for j := range l.hidden {
			l.b[g] = append(l.b[g], values[j*s[0]])
		}
	}
	if len(p.instr.Const) != 12+3*billb.Quantizers {
		p.fail("%d constants, expected %d", len(p.instr.Const), 12+3*billb.Quantizers)
	}
	number := func(i int) float64 {
		c := p.konst(i, F32, F64, U8, I8, U16, I16, U32, I32, U64, I64)
		if billb.Product(c.Shape) != 1 {
			p.fail("constant %d has shape %s, expected one number", i, billb.ShapeString(c.Shape))
		}
		return p.floatsOf(c)[0]
	}
	for i := range l.q {
		q := quantizer{l.single, v.Quantizers[i].Signed, v.Quantizers[i].Narrow, v.Quantizers[i].Rounding}
		l.q[i] = gridOf{q, number(12 + 3*i), number(13 + 3*i), number(14 + 3*i)}
	}
	initial := func(i int) (*operand, []int) {
		o := p.dense(p.in(i), x.elem)
		s, ok := broadcast(o.shape, state)
		if !ok {
			p.fail("%s does not broadcast to %s", o, billb.ShapeString(state))
		}
		return o, s
	}
	l.h0, l.atH = initial(1)
	l.c0, l.atC = initial(2)
	for _, o := range []*operand{l.yh, l.yc} {
		if o != nil {
			p.shaped(p.dense(o, x.elem), state...)
		}
	}
	if l.y != nil {
		if l.batchFirst {
			p.shaped(p.dense(l.y, x.elem), l.batch, l.steps, l.hidden)
		} else {
			p.shaped(p.dense(l.y, x.elem), l.steps, l.batch, l.hidden)
		}
	}
	if l.batch*l.hidden == 0 {
		return step{}
	}
	mem := area{p: p}
	room := addSat(l.inputs, 3*l.hidden)
	slot := roundUp(mulSat(room, 8), align)
	at := mem.take(l.batch, slot)
	s := ranged(l.batch, mulSat(l.steps, 4*l.hidden, l.inputs+l.hidden+16), func(m *memory, lo, hi int) {
		for b := lo; b < hi; b++ {
			l.sequence(m, b, as[float64](m.scratch[at+b*slot:])[:room])
		}
	})
	s.scratch = mem.scratch
	return s
}

// floatsOf is a constant's elements.
func (p *prep) floatsOf(c *billb.Const) []float64 {
	n := billb.Product(c.Shape)
	p.charge(mulSat(n, 8))
	v := make([]float64, n)
	loadFloats(v, &operand{elem: c.Elem, n: n, fixed: p.denseData(c)}, nil, 0)
	return v
}

// round rounds the result of an operation to the precision of the cell.
func (l *quantLSTM) round(v float64) float64 {
	if l.single {
		return float64(float32(v))
	}
	return float64(v) // no fused multiply-add
}

// quantized is v on the grid of quantizer k.
func (l *quantLSTM) quantized(k int, v float64) float64 { return l.round(l.q[k].of(l.round(v))) }

// sequence runs sequence b with room for three vectors of the state and one
// input.
func (l *quantLSTM) sequence(m *memory, b int, room []float64) {
	n := l.hidden
	h, c, next, x := room[:n], room[n:2*n], room[2*n:3*n], room[3*n:]
	for j := range n {
		h[j] = floatAt(l.h0, m, b*l.atH[0]+j*l.atH[1])
		c[j] = floatAt(l.c0, m, b*l.atC[0]+j*l.atC[1])
	}
	for i := range l.steps {
		t := i
		if l.reverse {
			t = l.steps - 1 - i
		}
		row := t*l.batch + b
		if l.batchFirst {
			row = b*l.steps + t
		}
		loadFloats(x, l.x, m, row*l.inputs)
		for j := range n {
			gate := func(g, acc int) float64 {
				z := l.round(l.dot(l.w[g][j*l.inputs:], x) + l.dot(l.r[g][j*n:], h))
				return l.q[acc].of(l.round(z + l.b[g][j]))
			}
			input := l.quantized(6, sigmoid(gate(0, 2)))
			forget := l.round(l.round(l.q[6].of(1)) - input)
			if !l.coupled {
				forget = l.quantized(7, sigmoid(gate(1, 3)))
			}
			g := l.quantized(8, math.Tanh(gate(2, 4)))
			output := l.quantized(9, sigmoid(gate(3, 5)))
			kept, added := l.quantized(1, float64(forget*c[j])), l.quantized(1, float64(input*g))
			c[j] = l.quantized(1, kept+added)
			next[j] = l.quantized(0, float64(output*l.quantized(10, math.Tanh(c[j]))))
		}
		copy(h, next)
		if l.y != nil {
			storeFloats(l.y, m, row*n, h)
		}
	}
	if l.yh != nil {
		storeFloats(l.yh, m, b*n, h)
	}
	if l.yc != nil {
		storeFloats(l.yc, m, b*n, c)
	}
}

// dot sums in order from 0; v says how many.
func (l *quantLSTM) dot(w, v []float64) float64 {
	w = w[:len(v)]
	if l.single {
		var s float32
		for i, x := range v {
			s += float32(float32(w[i]) * float32(x))
		}
		return float64(s)
	}
	s := 0.0
	for i, x := range v {
		s += float64(w[i] * x)
	}
	return s
}
