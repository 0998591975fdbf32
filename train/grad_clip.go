package train

import (
	"fmt"
	"math"

	"github.com/billnet/billnet/ir"
)

// clip passes the gradient where min <= x <= max. clip(a+b, 0, 1) of bits is OR.
var _ = register(func(b *builder, n *ir.Node, in []*value) ([]*value, error) {
	if p, q := sumOfBits(b, n); p != nil && n.Arg(2) != nil {
		return []*value{or(b, []*value{p, q})}, nil
	}
	lo, hi := float32(-math.MaxFloat32), float32(math.MaxFloat32)
	for i, bound := range []*float32{&lo, &hi} {
		if n.Arg(i+1) == nil {
			continue
		}
		c := ir.ConstOf(n.Args[i+1])
		if c == nil || c.Len() != 1 {
			return nil, fmt.Errorf("the bounds are no constants")
		}
		if v := float32(c.Float(0)); v == v {
			*bound = v
		}
	}
	fwd := func(y []float32, x [][]float32) {
		for i, v := range x[0] {
			y[i] = min(max(v, lo), hi)
		}
	}
	bwd := func(gy, y []float32, x, gx [][]float32) {
		for i, v := range x[0] {
			if v >= lo && v <= hi {
				gx[0][i] += gy[i]
			}
		}
	}
	return []*value{b.elements(in[:1], fwd, bwd)}, nil
}, ir.Clip)
