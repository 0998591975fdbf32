package exact

import (
	"github.com/billnet/billnet/ir"
	"github.com/billnet/billnet/passes"
	"github.com/billnet/billnet/passes/analysis"
)

// SplitSigns is the pass split-signs.
var SplitSigns = &passes.Pass{
	Name: "split-signs",
	Doc: "A sign of floats, whose sign(0) is 0, becomes the ternary join of x > 0 and not x >= 0. Signs over integers are comparisons by then; " +
		"what is left stands behind a float layer. One that the model's own constants can make NaN stays; where only the input can hold a NaN, the NaN becomes 0.",
	Class: passes.Exact,
	Needs: BinaryActivations,
	After: []string{"fuse-bn-threshold"},
	Run: passes.EachFunc(func(c *passes.Context, f *ir.Func) error {
		nans := analysis.NewNaNs()
		return c.Rewrite(f, func(rw *passes.Rewriter, n *ir.Node) []*ir.Value {
			if n.Op != ir.Sign || n.In(0).DType != ir.F32 || ir.ConstOf(n.Args[0]) != nil || nans.May(n.Args[0]) {
				return nil
			}
			x := n.Args[0]
			return []*ir.Value{rw.Op(ir.ToFloat, nil, rw.Op(ir.Join, nil, rw.Op(ir.Step, nil, x), rw.Op(ir.BitNot, nil, rw.Op(ir.Step, map[string]any{"strict": false, "nan": true}, x))))}
		})
	}),
}
