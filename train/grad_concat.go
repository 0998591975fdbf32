package train

import (
	"fmt"

	"github.com/billnet/billnet/ir"
	"github.com/billnet/billnet/train/vec"
)

// concat puts operands one after the other along an axis; each gets its part of
// the gradient. pad is the same with constants around its operand.
type concat struct {
	in    []*value
	y     *value
	at    []int // where each begins in a row of y
	width []int // elements of a row
	row   int   // of y
	outer int
}

var _ = register(func(b *builder, n *ir.Node, in []*value) ([]*value, error) {
	y := b.result(0, in...)
	a, err := ir.Axis(n.Int("axis"), len(y.shape))
	if err != nil {
		return nil, err
	}
	op := &concat{in: in, y: y, outer: elems(y.shape[:a]), row: elems(y.shape[a:])}
	y.kind = in[0].kind
	first := 0
	for _, v := range in {
		w := elems(v.shape[a:])
		op.at, op.width = append(op.at, first), append(op.width, w)
		first += w
		if v.kind != y.kind {
			y.kind = number
		}
	}
	b.emit(op, y)
	return []*value{y}, nil
}, ir.Concat)

func (op *concat) forward(g *graph) error {
	g.each(g.count(op.y), func(_, u int) {
		y := op.y.unit(u)
		for i, v := range op.in {
			x := v.unit(u)
			for o := range op.outer {
				copy(y[o*op.row+op.at[i]:][:op.width[i]], x[o*op.width[i]:])
			}
		}
	})
	return nil
}

func (op *concat) backward(g *graph) {
	count := g.count(op.y)
	for i, v := range op.in {
		into := g.partial(v, count)
		g.each(count, func(_, u int) {
			gx, gy := into.unit(u), op.y.gradUnit(u)
			if gx == nil {
				return
			}
			for o := range op.outer {
				vec.Add(gx[o*op.width[i]:(o+1)*op.width[i]], gy[o*op.row+op.at[i]:])
			}
		})
		into.finish(g)
	}
}

// pad writes x into the middle of constants.
type pad struct {
	x, y  *value
	first int
	loop  *broadcast
	value float32
}

var _ = register(func(b *builder, n *ir.Node, in []*value) ([]*value, error) {
	x := in[0]
	if n.Str("mode") != "constant" {
		return nil, fmt.Errorf("padding in mode %q has no gradient rule, expected constant", n.Str("mode"))
	}
	op := &pad{x: x, y: b.result(0, x)}
	if n.Arg(1) != nil {
		c := ir.ConstOf(n.Args[1])
		if c == nil {
			return nil, fmt.Errorf("the padding value is no constant")
		}
		op.value = float32(c.Float(0))
	}
	own := rowMajor(op.y.shape)
	pads, axes := n.Ints("pads"), n.Ints("axes")
	for i := range len(pads) / 2 {
		a := i
		if len(axes) > 0 {
			a, _ = ir.Axis(axes[i], len(x.shape))
		}
		if pads[i] < 0 || pads[len(pads)/2+i] < 0 {
			return nil, fmt.Errorf("pads %v cut off elements, which has no gradient rule; use slice", pads)
		}
		op.first += pads[i] * own[a]
	}
	op.loop = &broadcast{dims: append([]int{}, x.shape...), strides: [][]int{own}}
	if len(x.shape) == 0 {
		op.loop = &broadcast{dims: []int{1}, strides: [][]int{{0}}}
	}
	b.emit(op, op.y)
	return []*value{op.y}, nil
}, ir.Pad)

func (op *pad) forward(g *graph) error {
	width := op.loop.dims[len(op.loop.dims)-1]
	g.each(g.count(op.y), func(_, u int) {
		x, y := op.x.unit(u), op.y.unit(u)
		for i := range y {
			y[i] = op.value
		}
		op.loop.rows(func(at int, off []int) { copy(y[op.first+off[0]:][:width], x[at:]) })
	})
	return nil
}

func (op *pad) backward(g *graph) {
	width := op.loop.dims[len(op.loop.dims)-1]
	count := g.count(op.y)
	into := g.partial(op.x, count)
	g.each(count, func(_, u int) {
		gx, gy := into.unit(u), op.y.gradUnit(u)
		op.loop.rows(func(at int, off []int) { vec.Add(gx[at:at+width], gy[op.first+off[0]:]) })
	})
	into.finish(g)
}
