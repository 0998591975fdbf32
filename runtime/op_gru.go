package runtime

var _ = register(&opcode{
	code: OpGRU,
	name: "gru",
	doc: "Gated recurrent unit as ONNX defines it; gates in the order z r h. Shapes as lstm's. Integers: direction, layout, linear_before_reset, then activation codes, two a " +
		"direction, or none for sigmoid tanh. Floats: clip, then alpha and beta of every activation, or none for the defaults. Codes as lstm's.",
	in: "x w r b? lens? h0?", out: "y? y_h?",
	prepare: func(p *prep) step {
		if p.in(0).elem == F64 {
			return prepareGRU[float64](p)
		}
		return prepareGRU[float32](p)
	},
})

func prepareGRU[T float](p *prep) step {
	mem := area{p: p}
	rec, more := newRecurrence[T](p, &mem, 3, 1, []int{actSigmoid, actTanh})
	linear := p.between("linear_before_reset", more[0], 0, 1) == 1
	hn := rec.hidden
	// The candidate's recurrent weights by themselves: they multiply another
	// vector than the gates' do.
	var candidate [2]*matrix[T]
	for d := range rec.dirs {
		candidate[d] = newMatrix[T](&mem, p.in(2), (3*d+2)*hn*hn, hn, hn, 1, hn)
	}
	s := rec.step(&mem, func(m *memory, d, b int) {
		zh, h, reset, _ := rec.state(m, d, b)
		rec.loadState(m, h, rec.h0, d, b)
		var wb, rb []T
		if rec.b != nil {
			wb = view[T](rec.b, m)[6*d*hn:][:3*hn]
			rb = view[T](rec.b, m)[6*d*hn+3*hn:][:3*hn]
		}
		acts := rec.acts[2*d:]
		n := rec.length(m, b)
		for i := range n {
			t := rec.time(d, i, n)
			rec.recurrentSums(m, d, zh, h)
			zx := rec.inputSums(m, d, rec.xRow(t, b))[:3*hn]
			// biased adds the biases of row k one after the other.
			biased := func(z T, k int) T {
				if wb != nil {
					z = z + wb[k] + rb[k]
				}
				return z
			}
			for j := range hn {
				reset[j] = rec.activate(biased(zx[hn+j]+zh[hn+j], hn+j), &acts[0])
			}
			sums := zh[2*hn:]
			if linear {
				for j := range hn {
					if k := 2*hn + j; wb != nil {
						sums[j] = T(reset[j]*(sums[j]+rb[k])) + wb[k]
					} else {
						sums[j] = T(reset[j] * sums[j])
					}
				}
			} else {
				for j := range hn {
					reset[j] *= h[j]
				}
				candidate[d].product(m, sums, hn, reset, hn, 1, 0, candidate[d].count())
				for j := range hn {
					if k := 2*hn + j; wb != nil {
						sums[j] = sums[j] + rb[k] + wb[k]
					}
				}
			}
			for j := range hn {
				z := rec.activate(biased(zx[j]+zh[j], j), &acts[0])
				g := rec.activate(zx[2*hn+j]+sums[j], &acts[1])
				h[j] = T((1-z)*g) + T(z*h[j])
			}
			rec.storeY(m, h, t, d, b)
		}
		for t := n; t < rec.steps; t++ {
			rec.storeY(m, nil, t, d, b)
		}
		rec.storeState(m, rec.yh, h, d, b)
	})
	if len(s.stages) > 0 && candidate[0].packed == nil {
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
	prepare: func(p *prep) step {
		if p.in(0).elem == F64 {
			return prepareRNN[float64](p)
		}
		return prepareRNN[float32](p)
	},
})

func prepareRNN[T float](p *prep) step {
	mem := area{p: p}
	rec, _ := newRecurrence[T](p, &mem, 1, 0, []int{actTanh})
	hn := rec.hidden
	return rec.step(&mem, func(m *memory, d, b int) {
		zh, h, _, _ := rec.state(m, d, b)
		rec.loadState(m, h, rec.h0, d, b)
		n := rec.length(m, b)
		for i := range n {
			t := rec.time(d, i, n)
			rec.recurrentSums(m, d, zh, h)
			zx := rec.inputSums(m, d, rec.xRow(t, b))
			for j := range hn {
				z := zx[j] + zh[j]
				if rec.b != nil {
					bias := view[T](rec.b, m)[2*d*hn:]
					z = z + bias[j] + bias[hn+j]
				}
				h[j] = rec.activate(z, &rec.acts[d])
			}
			rec.storeY(m, h, t, d, b)
		}
		for t := n; t < rec.steps; t++ {
			rec.storeY(m, nil, t, d, b)
		}
		rec.storeState(m, rec.yh, h, d, b)
	})
}
