package runtime

import "github.com/billnet/billnet/runtime/billb"

var _ = executes(billb.OpLSTM, prepareLSTM)

func prepareLSTM(p *prep) step {
	mem := area{p: p}
	v := params[billb.LSTM](p)
	rec := newRecurrence(p, &mem, 4, &v.Sequence, &v.Gates, billb.Sigmoid, billb.Tanh, billb.Tanh)
	c0, peep, yc := p.optIn(6), p.optIn(7), p.optOut(2)
	rec.checkState(p, c0)
	rec.checkState(p, yc)
	hn := rec.hidden
	if peep != nil {
		p.shaped(p.dense(peep, rec.x.elem), rec.dirs, 3*hn)
	}
	return rec.step(&mem, func(m *memory, d, b int) {
		q := rec.sequence(m, d, b, peep)
		h, c := q.h, q.c
		rec.loadState(m, c, c0, d, b)
		acts := rec.acts[3*d:]
		n := rec.length(m, b)
		for i := range n {
			t := rec.time(d, i, n)
			rec.sums(m, &q, t, d, b)
			// pre is the input of gate g's activation, s the state behind its peephole.
			pre := func(g, j int, s float64) float64 {
				k := g*hn + j
				z := rec.round(q.zx[k] + q.z[k])
				if q.peep != nil && g < 3 {
					z = rec.round(z + rec.round(float64(q.peep[k]*s)))
				}
				return rec.biased(&q, z, k)
			}
			for j := range hn {
				input := rec.activate(pre(0, j, c[j]), &acts[0])
				forget := rec.round(1 - input)
				if !v.InputForget {
					forget = rec.activate(pre(2, j, c[j]), &acts[0])
				}
				cell := rec.activate(pre(3, j, 0), &acts[1])
				c[j] = rec.round(rec.round(float64(forget*c[j])) + rec.round(float64(input*cell)))
				output := rec.activate(pre(1, j, c[j]), &acts[0])
				h[j] = rec.round(output * rec.round(acts[2].apply(c[j])))
			}
			rec.storeY(m, h, t, d, b)
		}
		rec.finish(m, &q, n, d, b)
		rec.storeState(m, yc, c, d, b)
	})
}
