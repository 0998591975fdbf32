package train

import (
	"github.com/billnet/billnet/ir"
	"github.com/billnet/billnet/train/vec"
)

// max and min: the gradient goes to the operand that was taken, halved between
// equal ones. Of bits that are hard, max is OR and min is AND, with the
// gradients of a + b - a*b and of a*b.
var _ = register(func(b *builder, n *ir.Node, in []*value) ([]*value, error) {
	least := n.Is(ir.Min)
	if len(in) == 1 {
		return in, nil
	}
	if least {
		if p, q := sumOfBits(b, n); p != nil {
			return []*value{or(b, []*value{p, q})}, nil
		}
	}
	y := in[0]
	for _, x := range in[1:] { // more operands than two: pairs, from the left
		y = extreme(b, []*value{y, x}, least)
	}
	return []*value{y}, nil
}, ir.Max, ir.Min)

func extreme(b *builder, in []*value, least bool) *value {
	bits := in[0].kind == bitKind && in[1].kind == bitKind
	shape, _ := ir.Broadcast(in[0].shape, in[1].shape)
	fwd := func(y []float32, x [][]float32) {
		if least {
			vec.Min(y, x[0], x[1])
		} else {
			vec.Max(y, x[0], x[1])
		}
	}
	g := b.g
	bwd := func(gy, y []float32, x, gx [][]float32) {
		if bits && g.hardActivations() {
			gateGradient(gy, x, gx, least)
			return
		}
		for k, d := range gx {
			if d == nil {
				continue
			}
			own, other := x[k], x[1-k]
			for i, v := range gy {
				switch {
				case own[i] == other[i]:
					d[i] += v / 2
				case own[i] > other[i] != least:
					d[i] += v
				}
			}
		}
	}
	out := b.elementsOf(shape, in, fwd, bwd)
	if bits {
		out.kind = bitKind
	}
	return out
}

// gateGradient adds the gradients of AND, a*b, or of OR, a + b - a*b.
func gateGradient(gy []float32, x, gx [][]float32, and bool) {
	for k, d := range gx {
		if d == nil {
			continue
		}
		if and {
			vec.AddTimes(d, gy, x[1-k])
		} else {
			vec.AddTimesNot(d, gy, x[1-k])
		}
	}
}

// or emits a + b - a*b, which is OR of bits.
func or(b *builder, in []*value) *value {
	fwd := func(y []float32, x [][]float32) { vec.Or(y, x[0], x[1]) }
	out := b.elements(in, fwd, func(gy, y []float32, x, gx [][]float32) { gateGradient(gy, x, gx, false) })
	out.kind = bitKind
	return out
}

// sumOfBits returns a and b when one operand of the node is the sum of bits a
// and b and every other is at most 1: min(a+b, 1) and clip(a+b, 0, 1) are OR.
func sumOfBits(b *builder, n *ir.Node) (p, q *value) {
	one := false
	for i, a := range n.Args {
		if c := ir.ConstOf(a); c != nil {
			v, ok := c.Splat()
			lower := n.Is(ir.Clip) && i == 1
			if !ok || lower && v != 0 || !lower && v != 1 {
				return nil, nil
			}
			one = one || v == 1
			continue
		}
		if a == nil {
			continue
		}
		d := ir.Def(a)
		if !d.Is(ir.Add) {
			return nil, nil
		}
		p, q = b.values[d.Args[0]], b.values[d.Args[1]]
	}
	if p == nil || !one || p.kind != bitKind || q.kind != bitKind {
		return nil, nil
	}
	return p, q
}
