package train

import (
	"fmt"

	"github.com/billnet/billnet/ir"
	"github.com/billnet/billnet/train/vec"
)

// view is y[i] = x[base + i . strides]: a transpose, slice, or expansion. The
// gradient goes back the same way, adding up where elements repeat.
type view struct {
	x, y *value
	loop *broadcast
	base int
	step int // of x along a row
}

// view emits the view of x with the given strides as result i.
func (b *builder) view(i int, x *value, base int, strides []int) *value {
	y := b.result(i, x)
	y.kind = x.kind
	op := &view{x: x, y: y, base: base, loop: &broadcast{}}
	st := []int{}
	for a, d := range y.shape { // merge axes that x walks alike
		last := len(op.loop.dims) - 1
		switch {
		case d == 1:
		case last >= 0 && st[last] == d*strides[a]:
			op.loop.dims[last] *= d
			st[last] = strides[a]
		default:
			op.loop.dims = append(op.loop.dims, d)
			st = append(st, strides[a])
		}
	}
	if len(st) == 0 {
		op.loop.dims, st = []int{1}, []int{1}
	}
	op.loop.strides = [][]int{st}
	op.step = st[len(st)-1]
	b.emit(op, y)
	return y
}

func (op *view) forward(g *graph) error {
	width := op.loop.dims[len(op.loop.dims)-1]
	g.each(g.count(op.y), func(_, u int) {
		x, y := op.x.unit(u), op.y.unit(u)
		op.loop.rows(func(at int, off []int) {
			p := op.base + off[0]
			if op.step == 1 {
				copy(y[at:at+width], x[p:])
				return
			}
			for i := range width {
				y[at+i] = x[p]
				p += op.step
			}
		})
	})
	return nil
}

func (op *view) backward(g *graph) {
	width := op.loop.dims[len(op.loop.dims)-1]
	count := g.count(op.y)
	into := g.partial(op.x, count)
	g.each(count, func(_, u int) {
		gx, gy := into.unit(u), op.y.gradUnit(u)
		op.loop.rows(func(at int, off []int) {
			p := op.base + off[0]
			for _, v := range gy[at : at+width] {
				gx[p] += v
				p += op.step
			}
		})
	})
	into.finish(g)
}

var _ = register(func(b *builder, n *ir.Node, in []*value) ([]*value, error) {
	perm, own := n.Ints("perm"), rowMajor(in[0].shape)
	strides := make([]int, len(own))
	for a := range strides {
		if len(perm) == 0 {
			strides[a] = own[len(own)-1-a]
		} else {
			strides[a] = own[perm[a]]
		}
	}
	return []*value{b.view(0, in[0], 0, strides)}, nil
}, ir.Transpose)

var _ = register(func(b *builder, n *ir.Node, in []*value) ([]*value, error) {
	x := in[0]
	strides, base := rowMajor(x.shape), 0
	starts, axes, steps := n.Ints("starts"), n.Ints("axes"), n.Ints("steps")
	for i, s := range starts {
		a := i
		if len(axes) > 0 {
			a, _ = ir.Axis(axes[i], len(x.shape)) // checked by inference
		}
		by, d := 1, x.shape[a]
		if len(steps) > 0 {
			by = steps[i]
		}
		if s < 0 {
			s += d
		}
		if by > 0 {
			s = min(max(s, 0), d)
		} else {
			s = min(max(s, 0), d-1)
		}
		base += s * strides[a]
		strides[a] *= by
	}
	if n.Results[0].Type.Elems() == 0 {
		base = 0
	}
	return []*value{b.view(0, x, base, strides)}, nil
}, ir.Slice)

var _ = register(func(b *builder, n *ir.Node, in []*value) ([]*value, error) {
	a, err := ir.Axis(n.Int("axis"), len(in[0].shape))
	if err != nil {
		return nil, err
	}
	strides := rowMajor(in[0].shape)
	outs := make([]*value, len(n.Results))
	first := 0
	for i := range outs {
		outs[i] = b.view(i, in[0], first*strides[a], strides)
		first += outs[i].shape[a]
	}
	return outs, nil
}, ir.Split)

var _ = register(func(b *builder, n *ir.Node, in []*value) ([]*value, error) {
	out := n.Results[0].Type.Shape
	own, strides := rowMajor(in[0].shape), make([]int, len(out))
	for a, d := range in[0].shape {
		if d != 1 {
			strides[len(out)-len(own)+a] = own[a]
		}
	}
	return []*value{b.view(0, in[0], 0, strides)}, nil
}, ir.Expand)

// gather with constant indices takes elements along an axis.
type gather struct {
	x, y         *value
	index        []int
	outer, inner int
	axis         int // elements of x along the axis
}

var _ = register(func(b *builder, n *ir.Node, in []*value) ([]*value, error) {
	x, t := in[0], ir.ConstOf(n.Args[1])
	a, err := ir.Axis(n.Int("axis"), len(x.shape))
	if err != nil {
		return nil, err
	}
	if t == nil {
		return nil, fmt.Errorf("the indices are no constant")
	}
	op := &gather{x: x, y: b.result(0, x), outer: elems(x.shape[:a]), inner: elems(x.shape[a+1:]), axis: x.shape[a]}
	op.y.kind = x.kind
	for _, i := range t.Ints() {
		if i < 0 {
			i += int64(op.axis)
		}
		if i < 0 || i >= int64(op.axis) {
			return nil, fmt.Errorf("index %d is out of range for %d elements", i, op.axis)
		}
		op.index = append(op.index, int(i))
	}
	b.emit(op, op.y)
	return []*value{op.y}, nil
}, ir.Gather)

// rows calls f for every run of elements with its places in y and x.
func (op *gather) rows(f func(y, x int)) {
	at := 0
	for o := range op.outer {
		for _, i := range op.index {
			f(at, (o*op.axis+i)*op.inner)
			at += op.inner
		}
	}
}

func (op *gather) forward(g *graph) error {
	g.each(g.count(op.y), func(_, u int) {
		x, y := op.x.unit(u), op.y.unit(u)
		op.rows(func(i, j int) { copy(y[i:i+op.inner], x[j:]) })
	})
	return nil
}

func (op *gather) backward(g *graph) {
	count := g.count(op.y)
	into := g.partial(op.x, count)
	g.each(count, func(_, u int) {
		gx, gy := into.unit(u), op.y.gradUnit(u)
		op.rows(func(i, j int) { vec.Add(gx[j:j+op.inner], gy[i:i+op.inner]) })
	})
	into.finish(g)
}
