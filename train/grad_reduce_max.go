package train

import (
	"math"

	"github.com/billnet/billnet/ir"
)

// extremum is the largest or smallest element over axes; its gradient goes to
// the first element that has it.
type extremum struct {
	x, y  *value
	into  []int // result of every element of x
	least bool
	taken []int32 // of every result
}

var _ = register(func(b *builder, n *ir.Node, in []*value) ([]*value, error) {
	x := in[0]
	mask, err := ir.Axes(n.Ints("axes"), len(x.shape))
	if err != nil {
		return nil, err
	}
	kept := append([]int{}, x.shape...)
	for a := range kept {
		if mask[a] {
			kept[a] = 1
		}
	}
	op := &extremum{x: x, y: b.result(0, x), into: offsets(x.shape, kept), least: n.Is(ir.ReduceMin)}
	op.y.kind = x.kind
	op.taken = make([]int32, len(op.y.data))
	b.emit(op, op.y)
	return []*value{op.y}, nil
}, ir.ReduceMax, ir.ReduceMin)

func (op *extremum) forward(g *graph) error {
	g.each(g.count(op.y), func(_, u int) {
		x, y, taken := op.x.unit(u), op.y.unit(u), op.taken[u*op.y.size:(u+1)*op.y.size]
		for i := range y {
			y[i], taken[i] = float32(choose(op.least, math.Inf(1), math.Inf(-1))), -1
		}
		for i, v := range x {
			if o := op.into[i]; v > y[o] != op.least && v != y[o] || v != v {
				y[o], taken[o] = v, int32(i)
			}
		}
	})
	return nil
}

func (op *extremum) backward(g *graph) {
	count := g.count(op.y)
	into := g.partial(op.x, count)
	g.each(count, func(_, u int) {
		gx, gy := into.unit(u), op.y.gradUnit(u)
		for o, i := range op.taken[u*op.y.size : (u+1)*op.y.size] {
			if i >= 0 {
				gx[i] += gy[o]
			}
		}
	})
	into.finish(g)
}
