package runtime

var _ = register(&opcode{
	code: OpGRU,
	name: "gru",
	doc: "Gated recurrent unit as ONNX defines it; gates in the order z r h. Shapes as lstm's. Integers: direction, layout, linear_before_reset, then activation codes, two a " +
		"direction, or none for sigmoid tanh. Floats: clip, then alpha and beta of every activation, or none for the defaults. Codes as lstm's.",
	in: "x w r b? lens? h0?", out: "y? y_h?",
	macs: perStepOfAll, prepare: prepareGRU,
})

func prepareGRU(p *prep) step {
	mem := area{p: p}
	rec, more := newRecurrence(p, &mem, 3, 1, []int{actSigmoid, actTanh})
	linear := p.between("linear_before_reset", more[0], 0, 1) == 1
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
			if !linear {
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
				if linear {
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

var _ = register(&opcode{
	code: OpRNN,
	name: "rnn",
	doc: "Plain recurrence as ONNX defines it: h = f(W x + R h + Wb + Rb). Shapes as lstm's. Integers: direction, layout, then activation codes, one a direction, or none for " +
		"tanh. Floats: clip, then alpha and beta of every activation, or none for the defaults. Codes as lstm's.",
	in: "x w r b? lens? h0?", out: "y? y_h?",
	macs: perStepOfAll, prepare: prepareRNN,
})

func prepareRNN(p *prep) step {
	mem := area{p: p}
	rec, _ := newRecurrence(p, &mem, 1, 0, []int{actTanh})
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
