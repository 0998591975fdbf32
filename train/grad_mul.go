package train

import "github.com/billnet/billnet/ir"

var _ = register(func(b *builder, n *ir.Node, in []*value) ([]*value, error) {
	out := product(b, in)
	switch x, y := in[0].kind, in[1].kind; {
	case x == bitKind && y == bitKind:
		out.kind = bitKind
	case x != number && y != number:
		out.kind = signed
	}
	return []*value{out}, nil
}, "mul")

// product emits y = a*b: da = b, db = a.
func product(b *builder, in []*value) *value {
	fwd := func(y []float32, x [][]float32) {
		p, q := x[0], x[1][:len(x[0])]
		for i, v := range p {
			y[i] = v * q[i]
		}
	}
	bwd := func(gy, y []float32, x, gx [][]float32) {
		for k, g := range gx {
			if g == nil {
				continue
			}
			other := x[1-k][:len(gy)]
			g = g[:len(gy)]
			for i, v := range gy {
				g[i] += v * other[i]
			}
		}
	}
	return b.elements(in, fwd, bwd)
}

// div: da = 1/b, db = -y/b.
var _ = register(func(b *builder, n *ir.Node, in []*value) ([]*value, error) {
	fwd := func(y []float32, x [][]float32) {
		for i, v := range x[0] {
			y[i] = v / x[1][i]
		}
	}
	bwd := func(gy, y []float32, x, gx [][]float32) {
		for i, v := range gy {
			t := v / x[1][i]
			if gx[0] != nil {
				gx[0][i] += t
			}
			if gx[1] != nil {
				gx[1][i] -= t * y[i]
			}
		}
	}
	return []*value{b.elements(in, fwd, bwd)}, nil
}, "div")
