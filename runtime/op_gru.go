package runtime

import "github.com/billnet/billnet/runtime/billb"

var _ = executes(billb.OpGRU, prepareGRU)

func prepareGRU(p *prep) step {
	mem := area{p: p}
	v := params[billb.GRU](p)
	rec := newRecurrence(p, &mem, 3, &v.Sequence, &v.Gates, billb.Sigmoid, billb.Tanh)
	hn := rec.hidden
	// The candidate's recurrent weights by themselves: they multiply another
	// vector than the gates' do.
	var candidate [2]factor
	for d := range rec.dirs {
		candidate[d] = newFactor(&mem, p.in(2), (3*d+2)*hn*hn, hn, hn, 1, hn)
	}
	s := rec.step(&mem, func(m *memory, d, b int) {
		q := rec.sequence(m, d, b, nil)
		h, reset, sums := q.h, q.c, q.z[2*hn:]
		acts := rec.acts[2*d:]
		n := rec.length(m, b)
		for i := range n {
			t := rec.time(d, i, n)
			rec.sums(m, &q, t, d, b)
			// gate is the value of gate g.
			gate := func(g, j int) float64 {
				k := g*hn + j
				return rec.activate(rec.biased(&q, rec.round(q.zx[k]+q.z[k]), k), &acts[0])
			}
			for j := range hn {
				reset[j] = gate(1, j)
			}
			if !v.LinearBeforeReset {
				for j := range hn {
					reset[j] = rec.round(reset[j] * h[j])
				}
				candidate[d].row(m, sums, reset, q.temp)
			}
			for j := range hn {
				k := 2*hn + j
				if q.rb != nil {
					sums[j] = rec.round(sums[j] + q.rb[k])
				}
				if v.LinearBeforeReset {
					sums[j] = rec.round(float64(reset[j] * sums[j]))
				}
				if q.wb != nil {
					sums[j] = rec.round(sums[j] + q.wb[k])
				}
			}
			for j := range hn {
				z := gate(0, j)
				g := rec.activate(rec.round(q.zx[2*hn+j]+sums[j]), &acts[1])
				h[j] = rec.round(rec.round(float64(rec.round(1-z)*g)) + rec.round(float64(z*h[j])))
			}
			rec.storeY(m, h, t, d, b)
		}
		rec.finish(m, &q, n, d, b)
	})
	if len(s.stages) > 0 && !candidate[0].packed() {
		first := s.stages[0]
		s.stages[0] = func(m *memory, part, parts int) {
			first(m, part, parts)
			for d := range rec.dirs {
				candidate[d].pack(m, part, parts)
			}
		}
	}
	return s
}

var _ = executes(billb.OpRNN, prepareRNN)

func prepareRNN(p *prep) step {
	mem := area{p: p}
	v := params[billb.RNN](p)
	rec := newRecurrence(p, &mem, 1, &v.Sequence, &v.Gates, billb.Tanh)
	hn := rec.hidden
	return rec.step(&mem, func(m *memory, d, b int) {
		q := rec.sequence(m, d, b, nil)
		n := rec.length(m, b)
		for i := range n {
			t := rec.time(d, i, n)
			rec.sums(m, &q, t, d, b)
			for j := range hn {
				q.h[j] = rec.activate(rec.biased(&q, rec.round(q.zx[j]+q.z[j]), j), &rec.acts[d])
			}
			rec.storeY(m, q.h, t, d, b)
		}
		rec.finish(m, &q, n, d, b)
	})
}
