package train

import (
	"github.com/billnet/billnet/ir"
	"github.com/billnet/billnet/train/vec"
)

// add, sub and sum: the gradient goes to every operand, with the sign it has.
var _ = register(func(b *builder, n *ir.Node, in []*value) ([]*value, error) {
	minus := n.Is(ir.Sub)
	fwd := func(y []float32, x [][]float32) {
		n := len(y)
		switch {
		case len(x) == 2 && len(x[0]) == n && len(x[1]) == n && minus:
			vec.Minus(y, x[0], x[1])
			return
		case len(x) == 2 && len(x[0]) == n && len(x[1]) == n:
			vec.Plus(y, x[0], x[1])
			return
		case len(x[0]) == n:
			copy(y, x[0])
		default:
			vec.Fill(y, x[0][0])
		}
		for _, p := range x[1:] {
			switch {
			case len(p) == n && minus:
				vec.Sub(y, p)
			case len(p) == n:
				vec.Add(y, p)
			case minus:
				vec.Shift(y, -p[0])
			default:
				vec.Shift(y, p[0])
			}
		}
	}
	bwd := func(gy, y []float32, x, gx [][]float32) {
		for k, g := range gx {
			switch back := minus && k > 0; {
			case g == nil:
			case len(g) == len(gy) && back:
				vec.Sub(g, gy)
			case len(g) == len(gy):
				vec.Add(g, gy)
			case back:
				g[0] -= vec.Sum(gy)
			default:
				g[0] += vec.Sum(gy)
			}
		}
	}
	out := b.emitElements(&elementwise{in: in, scalars: true, fwd: fwd, bwd: bwd}, n.Results[0].Type.Shape)
	switch {
	case minus && complement(n, in) != nil, n.Is(ir.Add) && muxed(n, b.values):
		out.kind = bitKind
	}
	return []*value{out}, nil
}, ir.Add, ir.Sub, ir.Sum)

// complement returns the operand when a node is 1 - x of bits x.
func complement(n *ir.Node, in []*value) *value {
	if c := ir.ConstOf(n.Args[0]); c == nil || in[1].kind != bitKind || !ir.SameShape(in[1].shape, n.Result().Type.Shape) {
		return nil
	} else if v, ok := c.Splat(); !ok || v != 1 {
		return nil
	}
	return in[1]
}

// muxed reports whether a sum is s*b + (1-s)*a of bits.
func muxed(n *ir.Node, values map[*ir.Value]*value) bool {
	p, q := ir.Def(n.Args[0]), ir.Def(n.Args[1])
	for range 2 {
		if p.Is(ir.Mul) && q.Is(ir.Mul) && values[p.Result()].kind == bitKind && values[q.Result()].kind == bitKind {
			for _, s := range p.Args {
				for _, not := range q.Args {
					if d := ir.Def(not); d.Is(ir.Sub) && d.Args[1] == s && values[not].kind == bitKind {
						return true
					}
				}
			}
		}
		p, q = q, p
	}
	return false
}
