package runtime

import "github.com/billnet/billnet/runtime/billb"

// recurrence is what lstm, gru and rnn share: operands, sizes, directions,
// activations and the input sums of all steps. The matrix products are computed
// in the type of x, the rest of a step in float64: in f32 the result of every
// operation is rounded to float32, which gives what float32 arithmetic gives. (A
// sum, difference or product of two float32 that is first rounded to the 53 bits
// of a float64 rounds to the same 24 bits as the exact one.)
type recurrence struct {
	single                       bool // x is f32
	x, b, lens, h0               *operand
	y, yh                        *operand
	steps, batch, inputs, hidden int
	dirs, gates                  int
	batchFirst                   bool
	reverse                      [2]bool
	clip                         float64
	acts                         []activation // direction after direction
	wi, wh                       [2]factor
	zAt                          int // scratch: input sums [dirs][steps*batch][gates*hidden]
	hAt                          int // scratch: the state of a sequence, one slot each
	slot                         int
}

// factor is the right operand of a product in one of the float types.
type factor struct {
	f32 *matrix[float32]
	f64 *matrix[float64]
}

func newFactor(mem *area, x *operand, first, k, n, rowStep, colStep int) factor {
	if x.elem == F32 {
		return factor{f32: newMatrix[float32](mem, x, first, k, n, rowStep, colStep)}
	}
	return factor{f64: newMatrix[float64](mem, x, first, k, n, rowStep, colStep)}
}

// packed reports whether the factor is a constant, or none.
func (f factor) packed() bool {
	return f == factor{} || f.f32 != nil && f.f32.packed != nil || f.f64 != nil && f.f64.packed != nil
}

func (f factor) pack(m *memory, part, parts int) {
	switch {
	case f.f32 != nil:
		f.f32.pack(m, part, parts)
	case f.f64 != nil:
		f.f64.pack(m, part, parts)
	}
}

// rows sets rows of y to rows of x times the factor; both are its type's bytes.
func (f factor) rows(m *memory, y, x []byte, rows int) {
	if f.f32 != nil {
		f.f32.product(m, as[float32](y), f.f32.n, as[float32](x), f.f32.k, rows, 0, f.f32.count())
	} else {
		f.f64.product(m, as[float64](y), f.f64.n, as[float64](x), f.f64.k, rows, 0, f.f64.count())
	}
}

// row sets y to x times the factor. temp has room for both.
func (f factor) row(m *memory, y, x []float64, temp []float32) {
	if f.f32 == nil {
		f.rows(m, Bytes(y), Bytes(x), 1)
		return
	}
	x32, y32 := temp[:len(x)], temp[len(x):len(x)+len(y)]
	narrow(x32, x)
	f.rows(m, Bytes(y32), Bytes(x32), 1)
	widen(y, y32)
}

// newRecurrence checks the operands x w r b? lens? h0?, the outputs y? y_h? and
// the parameters that all have.
func newRecurrence(p *prep, mem *area, gates int, sequence *billb.Sequence, with *billb.Gates, defaults ...billb.Activation) *recurrence {
	x := p.dense(p.in(0), F32, F64)
	w, r := p.optIn(1), p.dense(p.in(2), x.elem)
	c := &recurrence{single: x.elem == F32, x: x, b: p.optIn(3), lens: p.optIn(4), h0: p.optIn(5), y: p.optOut(0), yh: p.optOut(1), gates: gates, dirs: 1}
	if x.rank() != 3 || r.rank() != 3 {
		p.fail("%s and %s, expected three axes each", x, r)
	}
	switch sequence.Direction {
	case billb.Reverse:
		c.reverse[0] = true
	case billb.Bidirectional:
		c.dirs, c.reverse[1] = 2, true
	}
	c.steps, c.batch, c.inputs, c.hidden = x.shape[0], x.shape[1], x.shape[2], r.shape[2]
	if c.batchFirst = sequence.BatchFirst; c.batchFirst {
		c.steps, c.batch = c.batch, c.steps
	}
	c.activations(p, with, defaults)
	rows := gates * c.hidden
	if w == nil {
		p.shaped(x, x.shape[0], x.shape[1], c.dirs*rows)
		c.inputs = 0
	} else {
		p.shaped(p.dense(w, x.elem), c.dirs, rows, c.inputs)
	}
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
		if w != nil {
			c.wi[d] = newFactor(mem, w, d*rows*c.inputs, c.inputs, rows, 1, c.inputs)
		}
		c.wh[d] = newFactor(mem, r, d*rows*c.hidden, c.hidden, rows, 1, c.hidden)
	}
	if w != nil {
		c.zAt = mem.take(mulSat(c.dirs, c.steps, c.batch, rows), x.elem.Width())
	}
	c.slot = roundUp(mulSat(8, c.vectors(), c.hidden), align)
	c.hAt = mem.take(c.dirs*c.batch, c.slot)
	return c
}

func (c *recurrence) checkState(p *prep, o *operand) {
	if o == nil {
		return
	}
	if p.dense(o, c.x.elem); c.batchFirst {
		p.shaped(o, c.batch, c.dirs, c.hidden)
	} else {
		p.shaped(o, c.dirs, c.batch, c.hidden)
	}
}

// activations sets the activation functions and their parameters.
func (c *recurrence) activations(p *prep, with *billb.Gates, defaults []billb.Activation) {
	want := c.dirs * len(defaults)
	if n := len(with.Activations); n != 0 && n != want {
		p.fail("%d activations, expected %d or none", n, want)
	}
	if n := len(with.Scales); n != 0 && n != want {
		p.fail("alpha and beta of %d activations, expected of %d or none", n, want)
	}
	if c.clip = with.Clip; !(c.clip >= 0) {
		p.fail("clip is %v, expected 0 or more", c.clip)
	}
	for i := range want {
		code := defaults[i%len(defaults)]
		if len(with.Activations) > 0 {
			code = with.Activations[i]
		}
		a := activation{code: code}
		if len(with.Scales) > 0 {
			a.alpha, a.beta = with.Scales[i].Alpha, with.Scales[i].Beta
		} else {
			a.alpha, a.beta = code.Defaults()
		}
		c.acts = append(c.acts, a)
	}
}

// step is the finished step: pack weights that are no constants, all input
// sums, then the sequences, which run does for direction d and sequence b.
func (c *recurrence) step(mem *area, run func(m *memory, d, b int)) step {
	if c.dirs*c.batch*c.hidden == 0 {
		return step{}
	}
	rows := c.gates * c.hidden
	s := step{scratch: mem.scratch, work: mulSat(c.dirs*c.batch, c.steps, rows, c.inputs+c.hidden)}
	if !c.wi[0].packed() || !c.wh[0].packed() {
		s.stages = append(s.stages, func(m *memory, part, parts int) {
			for d := range c.dirs {
				c.wi[d].pack(m, part, parts)
				c.wh[d].pack(m, part, parts)
			}
		})
	}
	if !c.sumsGiven() {
		s.stages = append(s.stages, c.computeSums)
	}
	s.stages = append(s.stages, func(m *memory, part, parts int) {
		lo, hi := share(c.dirs*c.batch, part, parts)
		for i := lo; i < hi; i++ {
			run(m, i/c.batch, i%c.batch)
		}
	})
	return s
}

// sumsGiven reports that x has the input sums, for want of w.
func (c *recurrence) sumsGiven() bool { return c.wi[0] == factor{} }

// computeSums sets the input sums of a part of all steps.
func (c *recurrence) computeSums(m *memory, part, parts int) {
	n := c.steps * c.batch
	lo, hi := share(n, part, parts)
	width := c.x.elem.Width()
	for d := range c.dirs {
		c.wi[d].rows(m, c.inputSums(m, d, lo), c.x.bytes(m)[lo*c.inputs*width:], hi-lo)
	}
}

// inputSums is the bytes of the sums w.x of direction d from row i of x on; of
// row i alone, where x has them.
func (c *recurrence) inputSums(m *memory, d, i int) []byte {
	row := c.gates * c.hidden * c.x.elem.Width()
	if c.sumsGiven() {
		return c.x.bytes(m)[(i*c.dirs+d)*row:][:row]
	}
	n := c.steps * c.batch
	return m.scratch[c.zAt+(d*n+i)*row : c.zAt+(d+1)*n*row]
}

// sequence is the working memory of a sequence.
type sequence struct {
	zx, z        []float64 // sums w.x and r.h of all gates
	h, c, s      []float64 // vectors of the hidden size, zero at first
	wb, rb, peep []float64 // biases of both sums and peepholes, nil where there are none
	temp         []float32
}

// vectors is the number of vectors of the hidden size in a slot.
func (c *recurrence) vectors() int { return 5*c.gates + 3 + 3 + 1 }

// sequence prepares the working memory of sequence b in direction d.
func (c *recurrence) sequence(m *memory, d, b int, peep *operand) sequence {
	v := as[float64](m.scratch[c.hAt+(d*c.batch+b)*c.slot:])[:c.vectors()*c.hidden]
	clear(v)
	take := func(n int) []float64 {
		t := v[: n*c.hidden : n*c.hidden]
		v = v[n*c.hidden:]
		return t
	}
	g := c.gates
	q := sequence{zx: take(g), z: take(g), h: take(1), c: take(1), s: take(1)}
	if c.b != nil {
		q.wb, q.rb = take(g), take(g)
		loadFloats(q.wb, c.b, m, 2*d*g*c.hidden)
		loadFloats(q.rb, c.b, m, (2*d+1)*g*c.hidden)
	}
	if peep != nil {
		q.peep = take(3)
		loadFloats(q.peep, peep, m, 3*d*c.hidden)
	}
	q.temp = as[float32](Bytes(v))
	c.loadState(m, q.h, c.h0, d, b)
	return q
}

// sums sets the sums of the gates for time t.
func (c *recurrence) sums(m *memory, q *sequence, t, d, b int) {
	z := c.inputSums(m, d, c.xRow(t, b))
	if c.single {
		widen(q.zx, as[float32](z))
	} else {
		copy(q.zx, as[float64](z))
	}
	c.wh[d].row(m, q.z, q.h, q.temp)
}

// round rounds the result of an operation to the precision of x.
func (c *recurrence) round(v float64) float64 {
	if c.single {
		return float64(float32(v))
	}
	return float64(v) // no fused multiply-add
}

// biased adds the biases of row k one after the other.
func (c *recurrence) biased(q *sequence, z float64, k int) float64 {
	if q.wb != nil {
		z = c.round(c.round(z+q.wb[k]) + q.rb[k])
	}
	return z
}

// length is the number of steps of sequence b. One out of range is a fault and
// counts as 0.
func (c *recurrence) length(m *memory, b int) int {
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
func (c *recurrence) time(d, i, n int) int {
	if c.reverse[d] {
		return n - 1 - i
	}
	return i
}

// Offsets of rows of x, y and the states.
func (c *recurrence) xRow(t, b int) int {
	if c.batchFirst {
		return b*c.steps + t
	}
	return t*c.batch + b
}

func (c *recurrence) yAt(t, d, b int) int {
	if c.batchFirst {
		return ((b*c.steps+t)*c.dirs + d) * c.hidden
	}
	return ((t*c.dirs+d)*c.batch + b) * c.hidden
}

func (c *recurrence) stateAt(d, b int) int {
	if c.batchFirst {
		return (b*c.dirs + d) * c.hidden
	}
	return (d*c.batch + b) * c.hidden
}

// loadState copies a sequence's initial state, if there is one.
func (c *recurrence) loadState(m *memory, dst []float64, o *operand, d, b int) {
	if o != nil {
		loadFloats(dst, o, m, c.stateAt(d, b))
	}
}

// storeState copies a sequence's last state to an output that is wanted.
func (c *recurrence) storeState(m *memory, o *operand, src []float64, d, b int) {
	if o != nil {
		storeFloats(o, m, c.stateAt(d, b), src)
	}
}

// storeY writes a step's hidden state.
func (c *recurrence) storeY(m *memory, h []float64, t, d, b int) {
	if c.y != nil {
		storeFloats(c.y, m, c.yAt(t, d, b), h)
	}
}

// finish writes zeros past the end of a sequence of n steps, and its last state.
func (c *recurrence) finish(m *memory, q *sequence, n, d, b int) {
	c.storeState(m, c.yh, q.h, d, b)
	clear(q.s)
	for t := n; t < c.steps; t++ {
		c.storeY(m, q.s, t, d, b)
	}
}

// activate applies an activation to a gate's input, limited to -clip..clip.
func (c *recurrence) activate(v float64, a *activation) float64 {
	if c.clip > 0 {
		v = max(-c.clip, min(c.clip, v))
	}
	return c.round(a.apply(v))
}
