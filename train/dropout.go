package train

import "math/rand/v2"

// dropout keeps an element with probability 1 - p in training and divides it by
// that; inference leaves it alone. Its choices depend on the seed, the training
// step, the place in the graph and the unit.
type dropout struct {
	x, y  *value
	p     float64
	place uint64
	keep  []float32 // 0 or 1/(1-p)
}

func (b *builder) dropout(x *value, p float64) *value {
	op := &dropout{x: x, y: b.alloc(x.shape, x.batched, x.diff), p: p, place: uint64(len(b.g.steps))}
	op.keep = make([]float32, len(op.y.data))
	b.emit(op, op.y)
	return op.y
}

func (op *dropout) forward(g *graph) error {
	if !g.training {
		copy(g.all(op.y), op.x.data)
		return nil
	}
	g.each(g.count(op.y), func(_, u int) {
		r := rand.New(rand.NewPCG(g.seed^op.place<<32, g.round<<20|uint64(u)))
		x, y, keep := op.x.unit(u), op.y.unit(u), op.y.part(op.keep, u)
		for i, v := range x {
			keep[i] = 0
			if r.Float64() >= op.p {
				keep[i] = float32(1 / (1 - op.p))
			}
			y[i] = v * keep[i]
		}
	})
	return nil
}

func (op *dropout) backward(g *graph) {
	g.gradOf(op.x)
	g.each(g.count(op.y), func(_, u int) {
		gx, gy, keep := op.x.gradUnit(u), op.y.gradUnit(u), op.y.part(op.keep, u)
		for i, v := range gy {
			gx[i] += v * keep[i]
		}
	})
}
