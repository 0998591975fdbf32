package train

import "github.com/billnet/billnet/ir"

// add, sub and sum: the gradient goes to every operand, with the sign it has.
var _ = register(func(b *builder, n *ir.Node, in []*value) ([]*value, error) {
	minus := n.Is("sub")
	fwd := func(y []float32, x [][]float32) {
		copy(y, x[0])
		for _, p := range x[1:] {
			if minus {
				for i, v := range p {
					y[i] -= v
				}
				continue
			}
			accumulate(y, p)
		}
	}
	bwd := func(gy, y []float32, x, gx [][]float32) {
		for k, g := range gx {
			switch {
			case g == nil:
			case minus && k > 0:
				for i, v := range gy {
					g[i] -= v
				}
			default:
				accumulate(g, gy)
			}
		}
	}
	out := b.elements(in, fwd, bwd)
	switch {
	case minus && complement(n, in) != nil, n.Is("add") && muxed(n, b.values):
		out.kind = bitKind
	}
	return []*value{out}, nil
}, "add", "sub", "sum")

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
		if p.Is("mul") && q.Is("mul") && values[p.Result()].kind == bitKind && values[q.Result()].kind == bitKind {
			for _, s := range p.Args {
				for _, not := range q.Args {
					if d := ir.Def(not); d.Is("sub") && d.Args[1] == s && values[not].kind == bitKind {
						return true
					}
				}
			}
		}
		p, q = q, p
	}
	return false
}
