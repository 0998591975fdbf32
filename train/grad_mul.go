package train

import (
	"github.com/billnet/billnet/ir"
	"github.com/billnet/billnet/train/vec"
)

var _ = register(func(b *builder, n *ir.Node, in []*value) ([]*value, error) {
	out := product(b, in)
	switch x, y := in[0].kind, in[1].kind; {
	case x == bitKind && y == bitKind:
		out.kind = bitKind
	case x != number && y != number:
		out.kind = signed
	}
	return []*value{out}, nil
}, ir.Mul)

// product emits y = a*b: da = b, db = a.
func product(b *builder, in []*value) *value {
	fwd := func(y []float32, x [][]float32) {
		p, q := x[0], x[1]
		if len(p) < len(y) {
			p, q = q, p
		}
		switch {
		case len(q) == len(y):
			vec.Times(y, p, q)
		case len(p) == len(y):
			vec.Scale(y, p, q[0])
		default:
			vec.Fill(y, p[0]*q[0])
		}
	}
	bwd := func(gy, y []float32, x, gx [][]float32) {
		for k, g := range gx {
			switch own, other := len(x[k]) == len(gy), x[1-k]; {
			case g == nil:
			case own && len(other) == len(gy):
				vec.AddTimes(g, gy, other)
			case own:
				vec.AddScaled(g, gy, other[0])
			case len(other) == len(gy):
				_, dot := vec.Dots(gy, other)
				g[0] += float32(dot)
			default:
				g[0] += vec.Sum(gy) * other[0]
			}
		}
	}
	return b.emitElements(&elementwise{in: in, scalars: true, fwd: fwd, bwd: bwd}, b.node.Results[0].Type.Shape)
}

// div: da = 1/b, db = -y/b.
var _ = register(func(b *builder, n *ir.Node, in []*value) ([]*value, error) {
	fwd := func(y []float32, x [][]float32) {
		vec.Ratio(y, x[0], x[1])
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
}, ir.Div)
