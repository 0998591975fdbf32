package train

import (
	"math"

	"github.com/billnet/billnet/ir"
)

// softmax along an axis: dx = y*(dy - sum dy*y); log_softmax: dx = dy -
// exp(y)*sum dy.
type softmax struct {
	x, y               *value
	outer, axis, inner int
	log                bool
}

var _ = register(func(b *builder, n *ir.Node, in []*value) ([]*value, error) {
	x := in[0]
	a, err := ir.Axis(n.Int("axis"), len(x.shape))
	if err != nil {
		return nil, err
	}
	op := &softmax{x: x, y: b.result(0, x), outer: elems(x.shape[:a]), axis: x.shape[a], inner: elems(x.shape[a+1:]), log: n.Is(ir.LogSoftmax)}
	b.emit(op, op.y)
	return []*value{op.y}, nil
}, ir.Softmax, ir.LogSoftmax)

// lines calls f for every line along the axis with its first element.
func (op *softmax) lines(f func(first int)) {
	for o := range op.outer {
		for i := range op.inner {
			f(o*op.axis*op.inner + i)
		}
	}
}

func (op *softmax) forward(g *graph) error {
	g.each(g.count(op.y), func(_, u int) {
		x, y := op.x.unit(u), op.y.unit(u)
		op.lines(func(first int) {
			top := math.Inf(-1)
			for k := range op.axis {
				top = max(top, float64(x[first+k*op.inner]))
			}
			total := 0.0
			for k := range op.axis {
				total += math.Exp(float64(x[first+k*op.inner]) - top)
			}
			for k := range op.axis {
				p := first + k*op.inner
				z := float64(x[p]) - top
				if op.log {
					y[p] = float32(z - math.Log(total))
				} else {
					y[p] = float32(math.Exp(z) / total)
				}
			}
		})
	})
	return nil
}

func (op *softmax) backward(g *graph) {
	count := g.count(op.y)
	into := g.partial(op.x, count)
	g.each(count, func(_, u int) {
		gx, gy, y := into.unit(u), op.y.gradUnit(u), op.y.unit(u)
		op.lines(func(first int) {
			var s float32
			for k := range op.axis {
				p := first + k*op.inner
				if op.log {
					s += gy[p]
				} else {
					s += gy[p] * y[p]
				}
			}
			for k := range op.axis {
				p := first + k*op.inner
				if op.log {
					gx[p] += gy[p] - float32(math.Exp(float64(y[p])))*s
				} else {
					gx[p] += y[p] * (gy[p] - s)
				}
			}
		})
	})
	into.finish(g)
}
