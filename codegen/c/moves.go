package c

import (
	"fmt"

	"github.com/billnet/billnet/runtime/billb"
)

// Layers that move elements of dense tensors.

// move copies elements: y at one place, x at another, over a shape.
func (l *layer) move(shape []int, y tensor, yp place, x tensor, xp place) {
	index, loops := l.nest(shape, yp, xp)
	l.line("%s[%s] = %s[%s];", y.name, index[0], x.name, index[1])
	l.end(loops)
}

// reshape copies where the memory is not shared.
func reshape(g *generator, l *layer) {
	if b := l.in.In[0]; b >= 0 && g.root(b) == g.root(l.in.Out[0]) {
		l.nothing = true
		return
	}
	l.equation = "y = x"
	x, y := g.input(l, 0, "x"), g.output(l, "y")
	l.line("memcpy(y, x, %d);", y.n()*y.elem.Width())
	_ = x
}

func transpose(g *generator, l *layer) {
	perm := l.in.Params.(*billb.Transpose).Perm
	l.equation = fmt.Sprintf("y = x with its axes in the order %v", perm)
	x, y := g.input(l, 0, "x"), g.output(l, "y")
	s := strides(x.shape)
	at := make([]int, len(perm))
	for i, p := range perm {
		at[i] = s[p]
	}
	l.move(y.shape, y, place{stride: strides(y.shape)}, x, place{stride: at})
}

func slice(g *generator, l *layer) {
	v := l.in.Params.(*billb.Slice)
	l.equation = fmt.Sprintf("y[i,...] = x[start+i*step,...], start %v, step %v", v.Start, v.Step)
	x, y := g.input(l, 0, "x"), g.output(l, "y")
	p := place{stride: strides(x.shape)}
	for i := range p.stride {
		p.offset += v.Start[i] * p.stride[i]
		p.stride[i] *= v.Step[i]
	}
	l.move(y.shape, y, place{stride: strides(y.shape)}, x, p)
}

func expand(g *generator, l *layer) {
	l.equation = "y = x, repeated along axes of size 1"
	x, y := g.input(l, 0, "x"), g.output(l, "y")
	l.move(y.shape, y, place{stride: strides(y.shape)}, x, place{stride: broadcast(x.shape, y.shape)})
}

func tile(g *generator, l *layer) {
	l.equation = "y = x, repeated along every axis"
	x, y := g.input(l, 0, "x"), g.output(l, "y")
	var shape, xs, ys []int
	xstride, ystride := strides(x.shape), strides(y.shape)
	for i, n := range x.shape {
		shape = append(shape, y.shape[i]/n, n)
		xs = append(xs, 0, xstride[i])
		ys = append(ys, n*ystride[i], ystride[i])
	}
	l.move(shape, y, place{stride: ys}, x, place{stride: xs})
}

func concat(g *generator, l *layer) {
	axis := l.in.Params.(*billb.Along).Axis
	l.equation = fmt.Sprintf("y = the operands one after the other along axis %d", axis)
	y := g.output(l, "y")
	at := 0
	for k := range l.in.In {
		x := g.input(l, k, fmt.Sprintf("x%d", k))
		s := strides(y.shape)
		l.move(x.shape, y, place{s, at * s[axis]}, x, place{stride: strides(x.shape)})
		at += x.shape[axis]
	}
}

// gather takes elements at places that are constants.
func gather(g *generator, l *layer) {
	axis := l.in.Params.(*billb.Along).Axis
	l.equation = fmt.Sprintf("y = the elements of x at some places of axis %d", axis)
	if l.in.In[1] >= -1 {
		refuse("its places are computed from the input")
	}
	x, y := g.input(l, 0, "x"), g.output(l, "y")
	index, _ := values(&g.img.Consts[-2-l.in.In[1]])
	n := x.shape[axis]
	at := make([]int64, len(index))
	for i, v := range index {
		if v < 0 {
			v += int64(n)
		}
		at[i] = v
	}
	outer, inner := billb.Product(x.shape[:axis]), billb.Product(x.shape[axis+1:])
	if len(at) == 1 {
		l.move([]int{outer, inner}, y, place{stride: []int{inner, 1}}, x, place{[]int{n * inner, 1}, int(at[0]) * inner})
		return
	}
	places := g.data.int32s(l.in.Name+": places", at)
	l.line("for (int i = 0; i < %d; i++) {", outer)
	l.line("for (int k = 0; k < %d; k++) {", len(at))
	l.line("memcpy(y + (i * %d + k) * %d, x + (i * %d + %s[k]) * %d, %d);", len(at), inner, n, places, inner, inner*y.elem.Width())
	l.end(2)
}

// pad adds elements before and after axes. Every axis that changes has a list of the
// places in x, -1 for the value.
func pad(g *generator, l *layer) {
	v := l.in.Params.(*billb.Pad)
	l.equation = fmt.Sprintf("y = x with elements before its axes: %v", v.Before)
	x := g.input(l, 0, "x")
	fill := "0"
	if value, ok := g.operand(l, 1, "value"); ok {
		fill = value.name + "[0]"
	}
	y := g.output(l, "y")
	xs, ys := strides(x.shape), strides(y.shape)
	from, to, inside := "0", "0", ""
	for d, n := range y.shape {
		name := fmt.Sprintf("i%d", d)
		l.line("for (int %s = 0; %s < %d; %s++) {", name, name, n, name)
		to += fmt.Sprintf(" + %d * %s", ys[d], name)
		if n == x.shape[d] && v.Before[d] == 0 {
			from += fmt.Sprintf(" + %d * %s", xs[d], name)
			continue
		}
		places := make([]int64, n)
		for i := range places {
			places[i] = source(v.Mode, i-v.Before[d], x.shape[d], -min(0, v.Before[d]), min(x.shape[d], n-v.Before[d]))
		}
		l.line("int p%d = %s[%s];", d, g.data.int32s(l.in.Name+": places", places), name)
		from += fmt.Sprintf(" + %d * p%d", xs[d], d)
		if v.Mode == billb.PadConstant {
			inside += fmt.Sprintf(" && p%d >= 0", d)
		}
	}
	if inside == "" {
		l.line("y[%s] = x[%s];", to, from)
		if fill != "0" {
			l.line("(void)value;")
		}
	} else {
		l.line("y[%s] = %s ? x[%s] : %s;", to, inside[4:], from, fill)
	}
	l.end(len(y.shape))
}

// source is what element i of an axis of n elements is made of, of which those from
// first to end are left: -1 for the value.
func source(mode billb.PadMode, i, n, first, end int) int64 {
	if i >= first && i < end {
		return int64(i)
	}
	k := end - first
	switch i -= first; {
	case mode == billb.PadConstant:
		return -1
	case mode == billb.PadEdge:
		i = max(0, min(k-1, i))
	case mode == billb.PadWrap:
		i = (i%k + k) % k
	case k == 1:
		i = 0
	default: // mirrored, without the first and last element
		period := 2 * (k - 1)
		if i = (i%period + period) % period; i >= k {
			i = period - i
		}
	}
	return int64(first + i)
}
