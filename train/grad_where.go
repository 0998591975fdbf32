package train

import "github.com/billnet/billnet/ir"

// where is a multiplexer: y = a where the condition holds, b elsewhere, with the
// gradients of c*a + (1-c)*b, which is what it computes when c is soft.
var _ = register(func(b *builder, n *ir.Node, in []*value) ([]*value, error) {
	out := mux(b, in)
	x, y := in[1], in[2]
	switch {
	case x.kind == bitKind && y.kind == bitKind:
		out.kind = bitKind
	case x.kind != number && y.kind != number:
		out.kind = signed
	}
	return []*value{out}, nil
}, ir.Where)

// mux of the logic level selects its second operand where the bit is set.
var _ = register(func(b *builder, n *ir.Node, in []*value) ([]*value, error) {
	out := mux(b, []*value{in[0], in[2], in[1]})
	out.kind = kindOf(n)
	return []*value{out}, nil
}, ir.Mux)

func mux(b *builder, in []*value) *value {
	fwd := func(y []float32, x [][]float32) {
		c, p, q := x[0], x[1], x[2]
		for i, s := range c {
			switch s {
			case 1:
				y[i] = p[i]
			case 0:
				y[i] = q[i]
			default:
				y[i] = s*p[i] + (1-s)*q[i]
			}
		}
	}
	bwd := func(gy, y []float32, x, gx [][]float32) {
		c, p, q := x[0], x[1], x[2]
		for i, v := range gy {
			if gx[0] != nil {
				gx[0][i] += v * (p[i] - q[i])
			}
			if gx[1] != nil {
				gx[1][i] += v * c[i]
			}
			if gx[2] != nil {
				gx[2][i] += v * (1 - c[i])
			}
		}
	}
	return b.elements(in, fwd, bwd)
}
