package runtime

// recurrence is what lstm and gru share: operands, sizes, directions,
// activations and the input sums of all steps.
type recurrence[T float] struct {
	x, b, lens, h0               *operand
	y, yh                        *operand
	steps, batch, inputs, hidden int
	dirs, gates                  int
	batchFirst                   bool
	reverse                      [2]bool
	clip                         float64
	acts                         []activation // direction after direction
	wi, wh                       [2]*matrix[T]
	zAt                          int // scratch: input sums [dirs][steps*batch][gates*hidden]
	hAt                          int // scratch: hidden state and recurrent sums, one slot a sequence
	slot                         int
}

// newRecurrence checks the operands x w r b? lens? h0? and the outputs y? y_h?,
// and the first numbers: integers direction, layout, then extra ones of the
// operation, then activation codes; floats clip, then alphas and betas.
func newRecurrence[T float](p *prep, mem *area, gates, extra int, defaults []int) (rec *recurrence[T], more []int) {
	x := p.dense(p.in(0), F32, F64)
	w, r := p.dense(p.in(1), x.elem), p.dense(p.in(2), x.elem)
	c := &recurrence[T]{x: x, b: p.optIn(3), lens: p.optIn(4), h0: p.optIn(5), y: p.optOut(0), yh: p.optOut(1), gates: gates, dirs: 1}
	if x.rank() != 3 || w.rank() != 3 || r.rank() != 3 {
		p.fail("%s, %s and %s, expected three axes each", x, w, r)
	}
	v := p.ints(len(p.instr.Ints))
	if len(v) < 2+extra {
		p.fail("%d integers, expected at least %d", len(v), 2+extra)
	}
	switch p.between("direction", v[0], 0, 2) {
	case 1:
		c.reverse[0] = true
	case 2:
		c.dirs, c.reverse[1] = 2, true
	}
	c.steps, c.batch, c.inputs, c.hidden = x.shape[0], x.shape[1], x.shape[2], r.shape[2]
	if c.batchFirst = p.between("layout", v[1], 0, 1) == 1; c.batchFirst {
		c.steps, c.batch = c.batch, c.steps
	}
	c.activations(p, v[2+extra:], defaults)
	rows := gates * c.hidden
	p.shaped(w, c.dirs, rows, c.inputs)
	p.shaped(r, c.dirs, rows, c.hidden)
	if c.b != nil {
		p.shaped(p.dense(c.b, x.elem), c.dirs, 2*rows)
	}
	if c.lens != nil {
		p.shaped(p.dense(c.lens, I32, I64), c.batch)
	}
	c.checkState(p, c.h0)
	c.checkState(p, c.yh)
	if c.y != nil {
		shape := []int{c.steps, c.dirs, c.batch, c.hidden}
		if c.batchFirst {
			shape = []int{c.batch, c.steps, c.dirs, c.hidden}
		}
		p.shaped(p.dense(c.y, x.elem), shape...)
	}
	for d := range c.dirs {
		c.wi[d] = newMatrix[T](mem, w, d*rows*c.inputs, c.inputs, rows, 1, c.inputs)
		c.wh[d] = newMatrix[T](mem, r, d*rows*c.hidden, c.hidden, rows, 1, c.hidden)
	}
	c.zAt = mem.take(mulSat(c.dirs, c.steps, c.batch, rows), x.elem.Width())
	c.slot = roundUp((gates+3)*c.hidden*x.elem.Width(), align)
	c.hAt = mem.take(c.dirs*c.batch, c.slot)
	return c, v[2 : 2+extra]
}

func (c *recurrence[T]) checkState(p *prep, o *operand) {
	if o == nil {
		return
	}
	if p.dense(o, c.x.elem); c.batchFirst {
		p.shaped(o, c.batch, c.dirs, c.hidden)
	} else {
		p.shaped(o, c.dirs, c.batch, c.hidden)
	}
}

// activations reads the activation codes and their parameters.
func (c *recurrence[T]) activations(p *prep, codes, defaults []int) {
	want := c.dirs * len(defaults)
	f := p.floats(len(p.instr.Floats))
	if len(codes) != 0 && len(codes) != want {
		p.fail("%d activation codes, expected %d or none", len(codes), want)
	}
	if len(f) != 1 && len(f) != 1+2*want {
		p.fail("%d floats, expected clip, or clip with alpha and beta of %d activations", len(f), want)
	}
	if c.clip = f[0]; !(c.clip >= 0) {
		p.fail("clip is %v, expected 0 or more", c.clip)
	}
	for i := range want {
		code := defaults[i%len(defaults)]
		if len(codes) > 0 {
			code = p.between("activation", codes[i], 0, activationCount-1)
		}
		a := activation{code, activationDefaults[code][0], activationDefaults[code][1]}
		if len(f) > 1 {
			a.alpha, a.beta = f[1+2*i], f[2+2*i]
		}
		c.acts = append(c.acts, a)
	}
}

// step is the finished step: pack weights that are no constants, all input
// sums, then the sequences, which run does for direction d and sequence b.
func (c *recurrence[T]) step(mem *area, run func(m *memory, d, b int)) step {
	if c.dirs*c.batch*c.hidden == 0 {
		return step{}
	}
	rows := c.gates * c.hidden
	s := step{scratch: mem.scratch, work: mulSat(c.dirs*c.batch, c.steps, rows, c.inputs+c.hidden)}
	if c.wi[0].packed == nil || c.wh[0].packed == nil {
		s.stages = append(s.stages, func(m *memory, part, parts int) {
			for d := range c.dirs {
				c.wi[d].pack(m, part, parts)
				c.wh[d].pack(m, part, parts)
			}
		})
	}
	s.stages = append(s.stages, func(m *memory, part, parts int) {
		n := c.steps * c.batch
		lo, hi := share(n, part, parts)
		for d := range c.dirs {
			c.wi[d].product(m, c.inputSums(m, d, lo), rows, view[T](c.x, m)[lo*c.inputs:], c.inputs, hi-lo, 0, c.wi[d].count())
		}
	}, func(m *memory, part, parts int) {
		lo, hi := share(c.dirs*c.batch, part, parts)
		for i := lo; i < hi; i++ {
			run(m, i/c.batch, i%c.batch)
		}
	})
	return s
}

// inputSums is the sums w.x of direction d from row i of x on.
func (c *recurrence[T]) inputSums(m *memory, d, i int) []T {
	rows := c.gates * c.hidden
	n := c.steps * c.batch * rows
	all := as[T](m.scratch[c.zAt:])[: c.dirs*n : c.dirs*n]
	return all[d*n+i*rows : (d+1)*n]
}

// recurrentSums sets z to the sums r.h of direction d.
func (c *recurrence[T]) recurrentSums(m *memory, d int, z, h []T) {
	c.wh[d].product(m, z, len(z), h, len(h), 1, 0, c.wh[d].count())
}

// state is the working memory of a sequence: the sums of all gates and three
// vectors of the hidden size, zeroed.
func (c *recurrence[T]) state(m *memory, d, b int) (z, h, s1, s2 []T) {
	n := (c.gates + 3) * c.hidden
	v := as[T](m.scratch[c.hAt+(d*c.batch+b)*c.slot:])[:n]
	clear(v)
	g := c.gates * c.hidden
	return v[:g], v[g : g+c.hidden], v[g+c.hidden : g+2*c.hidden], v[g+2*c.hidden:]
}

// length is the number of steps of sequence b. One out of range is a fault and
// counts as 0.
func (c *recurrence[T]) length(m *memory, b int) int {
	if c.lens == nil {
		return c.steps
	}
	n := indexAt(c.lens, m, b)
	if n < 0 || n > int64(c.steps) {
		m.fault.set("lens element %d is %d, expected 0 to %d", b, n, c.steps)
		return 0
	}
	return int(n)
}

// time is the time of step i of a sequence of n steps.
func (c *recurrence[T]) time(d, i, n int) int {
	if c.reverse[d] {
		return n - 1 - i
	}
	return i
}

// Offsets of rows of x, y and the states.
func (c *recurrence[T]) xRow(t, b int) int {
	if c.batchFirst {
		return b*c.steps + t
	}
	return t*c.batch + b
}

func (c *recurrence[T]) yAt(t, d, b int) int {
	if c.batchFirst {
		return ((b*c.steps+t)*c.dirs + d) * c.hidden
	}
	return ((t*c.dirs+d)*c.batch + b) * c.hidden
}

func (c *recurrence[T]) stateAt(d, b int) int {
	if c.batchFirst {
		return (b*c.dirs + d) * c.hidden
	}
	return (d*c.batch + b) * c.hidden
}

// loadState copies a sequence's initial state, if there is one.
func (c *recurrence[T]) loadState(m *memory, dst []T, o *operand, d, b int) {
	if o != nil {
		copy(dst, view[T](o, m)[c.stateAt(d, b):])
	}
}

// storeState copies a sequence's last state to an output that is wanted.
func (c *recurrence[T]) storeState(m *memory, o *operand, src []T, d, b int) {
	if o != nil {
		copy(view[T](o, m)[c.stateAt(d, b):], src)
	}
}

// storeY writes a step's hidden state, or zeros past the sequence's end.
func (c *recurrence[T]) storeY(m *memory, h []T, t, d, b int) {
	if c.y == nil {
		return
	}
	dst := view[T](c.y, m)[c.yAt(t, d, b):][:c.hidden]
	if h == nil {
		clear(dst)
		return
	}
	copy(dst, h)
}

// activate applies an activation to a gate's input, limited to -clip..clip.
func (c *recurrence[T]) activate(x T, a *activation) T {
	v := float64(x)
	if c.clip > 0 {
		v = max(-c.clip, min(c.clip, v))
	}
	return T(a.apply(v))
}
