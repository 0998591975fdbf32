package train

import (
	"github.com/billnet/billnet/ir"
	"github.com/billnet/billnet/train/vec"
)

// reduction is the sum over axes, times a factor: 1, or 1/N for the mean, which
// divides. The gradient of every element is that of its sum, times the factor.
type reduction struct {
	x, y  *value
	loop  *broadcast // over x, with y stretching to it
	count float32    // elements of a mean; 0: a sum
}

var _ = register(func(b *builder, n *ir.Node, in []*value) ([]*value, error) {
	mask, err := ir.Axes(n.Ints("axes"), len(in[0].shape))
	if err != nil {
		return nil, err
	}
	return []*value{b.reduce(in[0], mask, n.Is(ir.ReduceMean))}, nil
}, ir.ReduceMean, ir.ReduceSum)

var _ = register(func(b *builder, n *ir.Node, in []*value) ([]*value, error) {
	mask := make([]bool, len(in[0].shape))
	for a := range mask {
		mask[a] = a >= 2
	}
	return []*value{b.reduce(in[0], mask, true)}, nil
}, ir.GlobalAveragePool)

func (b *builder) reduce(x *value, mask []bool, mean bool) *value {
	kept := append([]int{}, x.shape...)
	for a := range kept {
		if mask[a] {
			kept[a] = 1
		}
	}
	op := &reduction{x: x, y: b.result(0, x), loop: newBroadcast(x.shape, [][]int{kept})}
	if mean {
		op.count = float32(float64(x.size) / float64(max(op.y.size, 1)))
	}
	b.emit(op, op.y)
	return op.y
}

func (op *reduction) forward(g *graph) error {
	last := len(op.loop.dims) - 1
	width, step := op.loop.dims[last], op.loop.strides[0][last]
	exact := op.x.kind != number && op.x.size < 1<<24 // sums of integers are the same in any order
	g.each(g.count(op.y), func(_, u int) {
		x, y := op.x.unit(u), op.y.unit(u)
		clear(y)
		op.loop.rows(func(at int, off []int) {
			row := x[at : at+width]
			if step != 0 {
				vec.Add(y[off[0]:off[0]+width], row)
				return
			}
			if exact {
				y[off[0]] += vec.Sum(row)
				return
			}
			s := y[off[0]]
			for _, v := range row {
				s += v
			}
			y[off[0]] = s
		})
		if op.count > 0 {
			for i := range y {
				y[i] /= op.count
			}
		}
	})
	return nil
}

func (op *reduction) backward(g *graph) {
	last := len(op.loop.dims) - 1
	width, step := op.loop.dims[last], op.loop.strides[0][last]
	scale := float32(1)
	if op.count > 0 {
		scale = 1 / op.count
	}
	g.gradOf(op.x)
	g.each(g.count(op.y), func(_, u int) {
		gx, gy := op.x.gradUnit(u), op.y.gradUnit(u)
		op.loop.rows(func(at int, off []int) {
			row := gx[at : at+width]
			if step != 0 {
				vec.AddScaled(row, gy[off[0]:off[0]+width], scale)
				return
			}
			vec.Shift(row, scale*gy[off[0]])
		})
	})
}
