package passes

import "github.com/billnet/billnet/ir"

var _ = register(&Pass{
	Name:  "fuse-threshold",
	Doc:   "A threshold behind a convolution that nothing else reads becomes part of it, so that the accumulators never reach memory.",
	Class: Exact,
	After: []string{"fuse-bn-threshold"},
	Run: eachFunc(func(c *Context, f *ir.Func) error {
		return rewrite(f, fuseThreshold)
	}),
})

func fuseThreshold(rw *rewriter, n *ir.Node) []*ir.Value {
	if n.Op.Name != "threshold" || n.Int("axis") != 1 {
		return nil
	}
	conv := ir.Def(n.Args[0])
	if !(conv.Is("bconv") || conv.Is("iconv")) || conv.Arg(2) != nil || !rw.once(n.Args[0]) {
		return nil
	}
	attrs := map[string]any{"signed": n.Bool("signed")}
	for k, v := range conv.Attrs {
		if k != "to" {
			attrs[k] = v
		}
	}
	rw.Loc = conv.Loc
	return []*ir.Value{rw.Op(conv.Op.Name, attrs, conv.Args[0], conv.Args[1], n.Args[1], n.Args[2])}
}
