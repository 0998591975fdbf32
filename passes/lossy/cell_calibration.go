package lossy

import (
	"math"

	"github.com/billnet/billnet/ir"
	"github.com/billnet/billnet/passes"
	"github.com/billnet/billnet/passes/report"
)

// normRounds is how often the quantized cell runs over the clips to find the
// statistics of its own sums, which depend on the gates that they set.
const normRounds = 6

// calibrate sets the hard weights, the cell's unit and the norms, and begins
// the report.
func (l *recurrentLayer) calibrate(c *passes.Context, m *ir.Module, r *report.Quantization) error {
	x := l.node.Args[0]
	var sequences [][]float64 // [steps][in], one for every clip and sequence
	err := c.Observe(m, []*ir.Value{x}, func(_ int, _ *ir.Value, t *ir.Tensor) {
		for b := range l.batch {
			seq := make([]float64, 0, l.steps*l.in)
			for s := range l.steps {
				at := (s*l.batch + b) * l.in
				if l.layout {
					at = (b*l.steps + s) * l.in
				}
				seq = append(seq, floatRow(t, at, l.in)...)
			}
			sequences = append(sequences, seq)
		}
	})
	if err != nil {
		return err
	}
	var lost, total float64
	for _, d := range l.dirs {
		d.harden(l.ternary)
		for _, p := range []struct{ rows, hard [][]float64 }{{d.w, d.bw}, {d.r, d.br}} {
			e, t := hardError(p.rows, p.hard)
			lost, total = lost+e, total+t
		}
	}
	if total > 0 {
		r.Error = math.Sqrt(lost / total)
	}
	r.Weights, r.Gates, r.Cell, r.Steps = c.Word("weights"), l.bits, l.cellBits, l.steps
	var seen *activationRange
	if len(sequences) > 0 {
		seen = &activationRange{lo: math.Inf(1), hi: math.Inf(-1)}
	}
	hard := make([][]float64, len(sequences)) // what the quantized layer reads
	for _, seq := range sequences {
		for _, v := range seq {
			seen.lo, seen.hi = min(seen.lo, v), max(seen.hi, v)
		}
	}
	l.input, r.Input = inputOf(x, l.weightRatio(), seen)
	for i, seq := range sequences {
		for _, v := range seq {
			hard[i] = append(hard[i], l.input.level(v))
		}
	}

	most := 0.0 // |c| of the float layer
	floats := make([]*rowMoments, len(l.dirs))
	for k, d := range l.dirs {
		floats[k] = newRowMoments(len(d.w))
		for i, seq := range sequences {
			most = max(most, l.runFloat(d, seq, i%l.batch, floats[k]))
		}
	}
	if len(sequences) == 0 {
		most = min(float64(l.steps), 4)
	}
	switch l.m = 1; {
	case l.bits > 1 && l.gru:
		l.m = l.limit()
	case l.bits > 1:
		l.m = max(1, int(float64(l.limit())/max(most, 1)))
	}
	set, gates := 0.0, 0.0
	for k, d := range l.dirs {
		d.norm = l.normOfWeights(d, floats[k], len(sequences) > 0)
		for round := 0; round <= normRounds && len(sequences) > 0; round++ {
			z := newRowMoments(len(d.w))
			set, gates = 0, 0
			for i, seq := range hard {
				s, g, _ := l.runHard(d, seq, i%l.batch, z)
				set, gates = set+s, gates+g
			}
			if round == normRounds {
				break // the norm as it is gives these gates
			}
			for row := range d.w {
				d.norm.mean[row], d.norm.variance[row] = z.of(row)
			}
		}
	}
	if gates > 0 {
		r.Density = set / gates
	}
	return nil
}

// weightRatio is the mean magnitude of the input weights over that of the
// recurrent ones.
func (l *recurrentLayer) weightRatio() float64 {
	var in, recurrent float64
	for _, d := range l.dirs {
		for r := range d.w {
			in += meanMagnitude(d.w[r])
			recurrent += meanMagnitude(d.r[r])
		}
	}
	return in / recurrent
}

// normOfWeights is the norm that the weights suggest: inputs spread over their
// range, recurrent ones -1, 0 and 1. The float layer's statistics come from the
// clips where there are any.
func (l *recurrentLayer) normOfWeights(d *recurrentDirection, floats *rowMoments, observed bool) gateNorm {
	rows := len(d.w)
	g := gateNorm{make([]float64, rows), make([]float64, rows), make([]float64, rows), make([]float64, rows)}
	mu, spread, times := l.input.mu, l.input.variance, float64(l.input.times)
	const recurrent = 0.5
	for r := range rows {
		var mean, variance, fmean, fvar float64
		for j, b := range d.bw[r] {
			mean, variance = mean+b*mu, variance+b*b*spread
			fmean, fvar = fmean+d.w[r][j]*mu, fvar+d.w[r][j]*d.w[r][j]*spread
		}
		for j, b := range d.br[r] {
			variance += times * times * b * b * recurrent
			fvar += d.r[r][j] * d.r[r][j] * recurrent
		}
		scale := 1.0
		if l.gru && isCandidate(r, rows, l.hidden) {
			scale = float64(int(1)<<l.bits - 1)
		}
		g.mean[r], g.variance[r] = mean*scale, variance*scale*scale
		fmean += d.b[r] + d.rb[r]
		if observed {
			fmean, fvar = floats.of(r)
		}
		g.match(r, fmean, fvar, !l.gru && r/l.hidden == 1)
	}
	return g
}

// times calls step with the input of every step in the direction's order.
func (l *recurrentLayer) times(d *recurrentDirection, seq []float64, step func(x []float64)) {
	for i := range l.steps {
		t := i
		if d.reverse {
			t = l.steps - 1 - i
		}
		step(seq[t*l.in : (t+1)*l.in])
	}
}

func dot(a, b []float64) float64 {
	s := 0.0
	for i, v := range a {
		s += v * b[i]
	}
	return s
}

func sigmoid(x float64) float64 { return 1 / (1 + math.Exp(-x)) }

// runFloat runs the source's cell over a sequence, adds the inputs of its
// activations to the moments, and returns the largest |c|.
func (l *recurrentLayer) runFloat(d *recurrentDirection, seq []float64, sequence int, m *rowMoments) (most float64) {
	hn := l.hidden
	h, c := append([]float64{}, d.h0[sequence]...), append([]float64{}, d.c0[sequence]...)
	a, reset := make([]float64, len(d.w)), make([]float64, hn)
	l.times(d, seq, func(x []float64) {
		for r := range a {
			if a[r] = dot(d.w[r], x) + d.b[r]; !l.gru || r < 2*hn {
				a[r] += dot(d.r[r], h) + d.rb[r]
			}
		}
		for j := range hn {
			if reset[j] = h[j]; l.gru {
				reset[j] *= sigmoid(a[hn+j])
			}
		}
		for j := 0; l.gru && j < hn; j++ {
			r := 2*hn + j
			if l.linear {
				a[r] += sigmoid(a[hn+j]) * (dot(d.r[r], h) + d.rb[r])
			} else {
				a[r] += dot(d.r[r], reset) + d.rb[r]
			}
		}
		for r, v := range a {
			m.add(r, v)
		}
		for j := range hn {
			if l.gru {
				u := sigmoid(a[j])
				h[j] = (1-u)*math.Tanh(a[2*hn+j]) + u*h[j]
				continue
			}
			c[j] = sigmoid(a[hn+j])*c[j] + sigmoid(a[j])*math.Tanh(a[3*hn+j])
			h[j] = sigmoid(a[2*hn+j]) * math.Tanh(c[j])
			most = max(most, math.Abs(c[j]))
		}
	})
	return most
}

// runHard runs the quantized cell, with hardCell's equations, adds its sums to
// the moments, and returns how far its gates were open, how many they were, and
// the last h.
func (l *recurrentLayer) runHard(d *recurrentDirection, seq []float64, sequence int, m *rowMoments) (open, gates float64, h []float64) {
	hn, n := l.hidden, float64(int(1)<<l.bits-1)
	limit := float64(l.limit())
	start := func(rows []float64, unit, most float64) []float64 {
		out := make([]float64, len(rows))
		for i, v := range rows {
			out[i] = min(max(math.RoundToEven(v*unit), -most), most)
		}
		return out
	}
	h = start(d.h0[sequence], 1, 1)
	c := start(d.c0[sequence], float64(l.m), limit)
	if l.gru {
		c = start(d.h0[sequence], float64(l.m), float64(l.m))
	}
	grid := d.norm.grid(int(n), l.gru, hn)
	level := func(r int, z float64) float64 {
		if l.bits > 1 {
			return min(max(math.RoundToEven((z+float64(grid.Shift[r]))/float64(grid.Scale[r])), 0), n)
		}
		if d.norm.at(r, z) > 0 {
			return 1
		}
		return 0
	}
	// gate is the level of a gate of the equation.
	gate := func(r int, z float64) float64 {
		m.add(r, z)
		q := level(r, z)
		open, gates = open+q/n, gates+1
		return q
	}
	candidate := func(r int, z float64) float64 {
		m.add(r, z)
		return 2*level(r, z) - n
	}
	round := func(v, by float64) float64 {
		if by == 1 {
			return v
		}
		return math.RoundToEven(v / by)
	}
	unit, times := n*n/float64(l.m), float64(l.input.times)
	z, prev := make([]float64, len(d.w)), make([]float64, hn)
	l.times(d, seq, func(x []float64) {
		copy(prev, h)
		for r := range z {
			z[r] = dot(d.bw[r], x)
			if !l.gru || r < 2*hn {
				z[r] += times * dot(d.br[r], prev)
			}
		}
		if !l.gru {
			for j := range hn {
				i, f, g := gate(j, z[j]), gate(hn+j, z[hn+j]), candidate(3*hn+j, z[3*hn+j])
				c[j] = min(max(round(f*c[j], n)+round(i*g, unit), -limit), limit)
				o := 2*hn + j
				m.add(o, z[o])
				gates++
				if h[j] = 0; d.norm.at(o, z[o]) > 0 {
					open++
					if h[j] = -1; c[j] >= 0 {
						h[j] = 1
					}
				}
			}
			return
		}
		u, reset := make([]float64, hn), make([]float64, hn)
		for j := range hn {
			u[j], reset[j] = gate(j, z[j]), gate(hn+j, z[hn+j])
		}
		masked := make([]float64, hn)
		for j := range hn {
			masked[j] = reset[j] * prev[j]
		}
		for j := range hn {
			r := 2*hn + j
			if l.linear {
				z[r] = n*z[r] + reset[j]*times*dot(d.br[r], prev)
			} else {
				z[r] = n*z[r] + times*dot(d.br[r], masked)
			}
			g := candidate(r, z[r])
			c[j] = min(max(round((n-u[j])*g, unit)+round(u[j]*c[j], n), -limit), limit)
			h[j] = min(max(math.RoundToEven(c[j]/float64(l.m)), -1), 1)
		}
	})
	return open, gates, h
}
