package exact

import (
	"github.com/billnet/billnet/ir"
	"github.com/billnet/billnet/passes"
)

// LowerCumSum is the pass lower-cum-sum.
var LowerCumSum = &passes.Pass{
	Name:  "lower-cum-sum",
	Doc:   "Running sums become additions of what lies 1, 2, 4, ... places away, the order in which cum_sum adds: kernels add and pad.",
	Class: passes.Exact,
	After: []string{"integers", "integer-arithmetic", "narrow-integers"},
	Run: passes.EachFunc(func(c *passes.Context, f *ir.Func) error {
		return c.Rewrite(f, lowerCumSum)
	}),
}

func lowerCumSum(rw *passes.Rewriter, n *ir.Node) []*ir.Value {
	if !n.Is(ir.CumSum) {
		return nil
	}
	x := n.Args[0]
	rank := x.Type.Rank()
	axis, err := ir.Axis(n.Int("axis"), rank)
	if err != nil {
		return nil
	}
	for d := 1; d < x.Type.Shape[axis]; d *= 2 {
		pads := make([]int, 2*rank)
		if pads[axis], pads[rank+axis] = d, -d; n.Bool("reverse") {
			pads[axis], pads[rank+axis] = -d, d
		}
		x = rw.Op(ir.Add, nil, x, rw.Op(ir.Pad, map[string]any{"pads": pads}, x))
	}
	return []*ir.Value{x}
}
