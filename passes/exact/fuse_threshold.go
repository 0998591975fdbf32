package exact

import (
	"github.com/billnet/billnet/ir"
	"github.com/billnet/billnet/passes"
)

// FuseThreshold is the pass fuse-threshold.
var FuseThreshold = &passes.Pass{
	Name:  "fuse-threshold",
	Doc:   "A threshold behind a convolution that nothing else reads becomes part of it, so that the accumulators never reach memory.",
	Class: passes.Exact,
	Needs: BinaryActivations,
	After: []string{"fuse-bn-threshold"},
	Run: passes.EachFunc(func(c *passes.Context, f *ir.Func) error {
		return c.Rewrite(f, fuseThreshold)
	}),
}

func fuseThreshold(rw *passes.Rewriter, n *ir.Node) []*ir.Value {
	if n.Op != ir.Threshold || n.Int("axis") != 1 {
		return nil
	}
	conv := ir.Def(n.Args[0])
	if !(conv.Is(ir.BConv) || conv.Is(ir.IConv)) || conv.Arg(2) != nil || !rw.Once(n.Args[0]) {
		return nil
	}
	attrs := map[string]any{"signed": n.Bool("signed")}
	for k, v := range conv.Attrs {
		if k != "to" {
			attrs[k] = v
		}
	}
	rw.Loc = conv.Loc
	return []*ir.Value{rw.Op(conv.Op, attrs, conv.Args[0], conv.Args[1], n.Args[1], n.Args[2])}
}
