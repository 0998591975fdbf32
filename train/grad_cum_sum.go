package train

import (
	"github.com/billnet/billnet/ir"
	"github.com/billnet/billnet/train/vec"
)

// cumSum is running sums along an axis. Element p is in all sums from p on, so the
// gradient is running sums the other way. The sums are made in the order that the
// operation says, by distances 1, 2, 4, ....
type cumSum struct {
	x, y    *value
	axis    int // elements along the axis
	inner   int
	reverse bool
}

var _ = register(func(b *builder, n *ir.Node, in []*value) ([]*value, error) {
	x := in[0]
	a, err := ir.Axis(n.Int("axis"), len(x.shape))
	if err != nil {
		return nil, err
	}
	op := &cumSum{x: x, y: b.result(0, x), axis: x.shape[a], inner: elems(x.shape[a+1:]), reverse: n.Bool("reverse")}
	b.emit(op, op.y)
	return []*value{op.y}, nil
}, ir.CumSum)

// sum makes running sums in place, line by line.
func (op *cumSum) sum(x []float32, reverse bool) {
	line := op.axis * op.inner
	for ; len(x) >= line && line > 0; x = x[line:] {
		for d := op.inner; d < line; d *= 2 {
			if reverse {
				for i := 0; i < line-d; i += op.inner { // what is added is not yet changed
					vec.Add(x[i:i+op.inner], x[i+d:i+d+op.inner])
				}
				continue
			}
			for i := line - op.inner; i >= d; i -= op.inner {
				vec.Add(x[i:i+op.inner], x[i-d:i-d+op.inner])
			}
		}
	}
}

func (op *cumSum) forward(g *graph) error {
	g.each(g.count(op.y), func(_, u int) {
		y := op.y.unit(u)
		copy(y, op.x.unit(u))
		op.sum(y, op.reverse)
	})
	return nil
}

func (op *cumSum) backward(g *graph) {
	count := g.count(op.y)
	into := g.partial(op.x, count)
	g.each(count, func(_, u int) {
		gy := op.y.gradUnit(u)
		op.sum(gy, !op.reverse) // which nothing reads any more
		vec.Add(into.unit(u), gy)
	})
	into.finish(g)
}
