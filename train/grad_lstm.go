package train

import (
	"fmt"
	"math"
	"slices"

	"github.com/billnet/billnet/ir"
	"github.com/billnet/billnet/train/vec"
)

// lstm is the long short-term memory of the operation lstm, trained by
// backpropagation through time. With gates i, o, f, g, cell c and s = tanh(c),
// from the last step to the first:
//
//	do = dh*s*o(1-o)      dc += dh*o*(1-s^2)
//	di = dc*g*i(1-i)      df = dc*c'*f(1-f)      dg = dc*i*(1-g^2)
//	dh' = dz R            dc' = dc*f             for the step before
//
// and dx = dz W, dW = dz' x, dR = dz' h', db = sum dz over all steps, where z are
// the inputs of the gates in the order i o f g. All units are one batch.
type lstm struct {
	x, w, r, b, h0, c0 *value
	y, yh, yc          *value
	steps, seqs        int // sequences of one unit
	in, hidden, dirs   int
	batchFirst         bool
	reverse            [2]bool
	state              [2]lstmState
}

// lstmState is what the forward pass of a direction keeps for the backward
// pass, step after step in the order of time that the direction has.
type lstmState struct {
	x, gates, h, c, s []float32 // h and c begin with the initial state
	dz                []float32
}

var _ = register(func(b *builder, n *ir.Node, in []*value) ([]*value, error) {
	arg := func(i int) *value {
		if i < len(in) {
			return in[i]
		}
		return nil
	}
	for _, limit := range []struct {
		bad  bool
		what string
	}{
		{n.Float("clip") != 0, "clip"}, {n.Bool("input_forget"), "input_forget"}, {arg(4) != nil, "sequence lengths"}, {arg(7) != nil, "peephole weights"},
		{!standardActivations(n.Strs("activations")), "activations other than Sigmoid, Tanh, Tanh"},
	} {
		if limit.bad {
			return nil, fmt.Errorf("an LSTM with %s has no gradient rule", limit.what)
		}
	}
	op := &lstm{x: in[0], w: in[1], r: in[2], b: arg(3), h0: arg(5), c0: arg(6), hidden: in[2].shape[2], in: in[0].shape[2], dirs: in[1].shape[0], batchFirst: n.Int("layout") == 1}
	op.steps, op.seqs = op.x.shape[0], op.x.shape[1]
	if op.batchFirst {
		op.steps, op.seqs = op.seqs, op.steps
	}
	op.reverse[0] = n.Str("direction") == "reverse"
	op.reverse[1] = true
	for _, v := range []*value{op.w, op.r, op.b} {
		if v != nil && v.batched {
			return nil, fmt.Errorf("the weights depend on the input")
		}
	}
	op.y, op.yh, op.yc = b.result(0, in...), b.result(1, in...), b.result(2, in...)
	for d := range op.dirs {
		q := b.g.units * op.seqs
		s, h := op.steps, op.hidden
		op.state[d] = lstmState{x: make([]float32, s*q*op.in+slack), gates: make([]float32, s*q*4*h+slack), h: make([]float32, (s+1)*q*h+slack),
			c: make([]float32, (s+1)*q*h+slack), s: make([]float32, s*q*h), dz: make([]float32, s*q*4*h+slack)}
	}
	outs := []*value{op.y, op.yh, op.yc}
	b.emit(op, outs...)
	return outs, nil
}, ir.LSTM)

func standardActivations(names []string) bool {
	for i, want := range slices.Repeat([]string{"Sigmoid", "Tanh", "Tanh"}, len(names)/3) {
		if names[i] != want {
			return false
		}
	}
	return len(names)%3 == 0
}

// sequences calls f for every sequence q with its unit and place in it.
func (op *lstm) sequences(g *graph, f func(q, u, b int)) {
	for u := range g.count(op.y) {
		for b := range op.seqs {
			f(u*op.seqs+b, u, b)
		}
	}
}

// Places of a step's input and output and of a state within a unit.
func (op *lstm) xAt(t, b int) int {
	if op.batchFirst {
		return (b*op.steps + t) * op.in
	}
	return (t*op.seqs + b) * op.in
}

func (op *lstm) yAt(t, d, b int) int {
	if op.batchFirst {
		return ((b*op.steps+t)*op.dirs + d) * op.hidden
	}
	return ((t*op.dirs+d)*op.seqs + b) * op.hidden
}

func (op *lstm) stateAt(d, b int) int {
	if op.batchFirst {
		return (b*op.dirs + d) * op.hidden
	}
	return (d*op.seqs + b) * op.hidden
}

// time is the step of the sequence that step i of direction d works on.
func (op *lstm) time(d, i int) int {
	if op.reverse[d] {
		return op.steps - 1 - i
	}
	return i
}

// weights returns W and R of direction d.
func (op *lstm) weights(d int) (w, r matrix) {
	rows := 4 * op.hidden
	return dense(op.w.data[d*rows*op.in:], rows, op.in), dense(op.r.data[d*rows*op.hidden:], rows, op.hidden)
}

func (op *lstm) forward(g *graph) error {
	h, q := op.hidden, g.count(op.y)*op.seqs
	for d := range op.dirs {
		st := &op.state[d]
		op.sequences(g, func(s, u, b int) {
			x := op.x.unit(u)
			for i := range op.steps {
				copy(st.x[(i*q+s)*op.in:][:op.in], x[op.xAt(op.time(d, i), b):])
			}
			for _, init := range []struct {
				v  *value
				to []float32
			}{{op.h0, st.h}, {op.c0, st.c}} {
				to := init.to[s*h : (s+1)*h]
				clear(to)
				if init.v != nil {
					copy(to, init.v.unit(u)[op.stateAt(d, b):])
				}
			}
		})
		w, r := op.weights(d)
		g.multiply(dense(st.gates, op.steps*q, 4*h), dense(st.x, op.steps*q, op.in), w.t(), false)
		for i := range op.steps {
			z := st.gates[i*q*4*h : (i+1)*q*4*h]
			hp, cp := st.h[i*q*h:(i+1)*q*h], st.c[i*q*h:(i+1)*q*h]
			hn, cn := st.h[(i+1)*q*h:(i+2)*q*h], st.c[(i+1)*q*h:(i+2)*q*h]
			g.multiply(dense(z, q, 4*h), dense(hp, q, h), r.t(), true)
			g.each(q, func(_, s int) {
				z := z[s*4*h : (s+1)*4*h]
				if op.b != nil {
					bias := op.b.data[8*d*h : 8*(d+1)*h]
					for j := range z {
						z[j] += bias[j] + bias[4*h+j]
					}
				}
				for j := range h {
					in, out, forget, write := logistic(z[j]), logistic(z[h+j]), logistic(z[2*h+j]), float32(math.Tanh(float64(z[3*h+j])))
					z[j], z[h+j], z[2*h+j], z[3*h+j] = in, out, forget, write
					c := forget*cp[s*h+j] + in*write
					t := float32(math.Tanh(float64(c)))
					cn[s*h+j], st.s[(i*q+s)*h+j], hn[s*h+j] = c, t, out*t
				}
			})
		}
		op.sequences(g, func(s, u, b int) {
			for i := range op.steps {
				copy(op.y.unit(u)[op.yAt(op.time(d, i), d, b):][:h], st.h[((i+1)*q+s)*h:])
			}
			copy(op.yh.unit(u)[op.stateAt(d, b):][:h], st.h[(op.steps*q+s)*h:])
			copy(op.yc.unit(u)[op.stateAt(d, b):][:h], st.c[(op.steps*q+s)*h:])
		})
	}
	return nil
}

func (op *lstm) backward(g *graph) {
	h, q := op.hidden, g.count(op.y)*op.seqs
	dx, dw, dr := g.gradOf(op.x), g.gradOf(op.w), g.gradOf(op.r)
	for d := range op.dirs {
		st := &op.state[d]
		dh, dc := g.zeros(q*h), g.zeros(q*h)
		op.sequences(g, func(s, u, b int) {
			for _, last := range []struct {
				v  *value
				to []float32
			}{{op.yh, dh}, {op.yc, dc}} {
				if last.v.grad != nil {
					copy(last.to[s*h:(s+1)*h], last.v.gradUnit(u)[op.stateAt(d, b):])
				}
			}
		})
		w, r := op.weights(d)
		for i := op.steps - 1; i >= 0; i-- {
			if op.y.grad != nil {
				op.sequences(g, func(s, u, b int) {
					vec.Add(dh[s*h:(s+1)*h], op.y.gradUnit(u)[op.yAt(op.time(d, i), d, b):])
				})
			}
			cp := st.c[i*q*h : (i+1)*q*h]
			dz := st.dz[i*q*4*h : (i+1)*q*4*h]
			g.each(q, func(_, s int) {
				z, dz := st.gates[(i*q+s)*4*h:(i*q+s+1)*4*h], dz[s*4*h:(s+1)*4*h]
				for j := range h {
					k := s*h + j
					in, out, forget, write, t := z[j], z[h+j], z[2*h+j], z[3*h+j], st.s[i*q*h+k]
					c := dc[k] + dh[k]*out*(1-t*t)
					dz[j] = c * write * in * (1 - in)
					dz[h+j] = dh[k] * t * out * (1 - out)
					dz[2*h+j] = c * cp[k] * forget * (1 - forget)
					dz[3*h+j] = c * in * (1 - write*write)
					dc[k] = c * forget
				}
			})
			g.multiply(dense(dh, q, h), dense(dz, q, 4*h), r, false)
		}
		dz := dense(st.dz, op.steps*q, 4*h)
		if dw != nil {
			g.multiply(dense(dw[d*4*h*op.in:], 4*h, op.in), dz.t(), dense(st.x, op.steps*q, op.in), true)
		}
		if dr != nil {
			g.multiply(dense(dr[d*4*h*h:], 4*h, h), dz.t(), dense(st.h, op.steps*q, h), true)
		}
		if op.b != nil && op.b.diff {
			db := g.gradOf(op.b)[8*d*h : 8*(d+1)*h]
			for row := range op.steps * q {
				vec.Add(db[:4*h], st.dz[row*4*h:])
				vec.Add(db[4*h:], st.dz[row*4*h:])
			}
		}
		if dx != nil {
			flat := g.zeros(op.steps * q * op.in)
			g.multiply(dense(flat, op.steps*q, op.in), dz, w, false)
			op.sequences(g, func(s, u, b int) {
				for i := range op.steps {
					vec.Add(op.x.gradUnit(u)[op.xAt(op.time(d, i), b):][:op.in], flat[(i*q+s)*op.in:])
				}
			})
			g.release(flat)
		}
		for _, init := range []struct {
			v    *value
			from []float32
		}{{op.h0, dh}, {op.c0, dc}} {
			if init.v != nil && init.v.diff {
				g.gradOf(init.v)
				op.sequences(g, func(s, u, b int) {
					vec.Add(init.v.gradUnit(u)[op.stateAt(d, b):][:h], init.from[s*h:])
				})
			}
		}
		g.release(dh)
		g.release(dc)
	}
}
