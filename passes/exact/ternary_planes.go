package exact

import (
	"github.com/billnet/billnet/ir"
	"github.com/billnet/billnet/passes"
	"github.com/billnet/billnet/passes/analysis"
)

// TernaryPlanes is the pass ternary-planes.
var TernaryPlanes = &passes.Pass{
	Name: "ternary-planes",
	Doc: "A convolution of ternary values becomes one of bits: w*(p - n) is the convolution of the concatenation of p and n with the weights w and -w. " +
		"Pooling, comparisons and moves of ternary values likewise act on the two bits.",
	Class: passes.Exact,
	Needs: BinaryActivations,
	After: []string{"split-signs"},
	Run: passes.EachFunc(func(c *passes.Context, f *ir.Func) error {
		return c.Rewrite(f, joinLayout, joinPool, joinThreshold, joinConv)
	}),
}

// joinLayout: an operation that only moves elements moves both bits.
func joinLayout(rw *passes.Rewriter, n *ir.Node) []*ir.Value {
	if !analysis.MovesElements(n) || len(n.Results) != 1 {
		return nil
	}
	j := ir.Def(n.Args[0])
	if !j.Is(ir.Join) {
		return nil
	}
	move := func(v *ir.Value) *ir.Value {
		return rw.Op(n.Op, n.Attrs, append([]*ir.Value{v}, n.Args[1:]...)...)
	}
	return []*ir.Value{rw.Op(ir.Join, nil, move(j.Args[0]), move(j.Args[1]))}
}

// joinPool: the largest of ternary values is +1 where any is, -1 where all are.
func joinPool(rw *passes.Rewriter, n *ir.Node) []*ir.Value {
	if n.Op != ir.MaxPool || len(n.Results) != 1 {
		return nil
	}
	j := ir.Def(n.Args[0])
	if !j.Is(ir.Join) {
		return nil
	}
	return []*ir.Value{rw.Op(ir.Join, nil, rw.Op(ir.MaxPool, n.Attrs, j.Args[0]), rw.Op(ir.MinPool, n.Attrs, j.Args[1]))}
}

// joinThreshold: v >= 1 is pos, v >= 0 is not neg.
func joinThreshold(rw *passes.Rewriter, n *ir.Node) []*ir.Value {
	if n.Op != ir.Threshold {
		return nil
	}
	j := ir.Def(n.Args[0])
	t, okT := ir.Splat(n.Args[1])
	flip, okF := ir.Splat(n.Args[2])
	if !j.Is(ir.Join) || !okT || !okF || t < 0 || t > 1 {
		return nil
	}
	y := j.Args[0]
	if t == 0 {
		y = rw.Op(ir.BitNot, nil, j.Args[1])
	}
	if flip == 1 {
		y = rw.Op(ir.BitNot, nil, y)
	}
	if n.Bool("signed") {
		y = rw.Op(ir.Recode, nil, y)
	}
	return []*ir.Value{y}
}

// joinConv: a convolution of pos - neg is one of both, group by group.
func joinConv(rw *passes.Rewriter, n *ir.Node) []*ir.Value {
	if n.Op != ir.IConv || n.Arg(2) != nil {
		return nil
	}
	j, w := ir.Def(n.Args[0]), ir.ConstOf(n.Args[1])
	if !j.Is(ir.Join) || w == nil || w.Type.DType != ir.SBit && w.Type.DType != ir.Tern {
		return nil
	}
	return []*ir.Value{rw.Op(ir.BConv, analysis.ConvAttrs(n), concatGroups(rw, j.Args, n.Int("groups")), rw.Const(withNegative(w)))}
}

// concatGroups puts the channels of the parts behind each other in every group.
func concatGroups(rw *passes.Rewriter, parts []*ir.Value, groups int) *ir.Value {
	if len(parts) == 1 {
		return parts[0]
	}
	if groups == 1 {
		return rw.Op(ir.Concat, map[string]any{"axis": 1}, parts...)
	}
	s := parts[0].Type.Shape
	split := append([]int{s[0], groups, s[1] / groups}, s[2:]...)
	regrouped := make([]*ir.Value, len(parts))
	for i, v := range parts {
		regrouped[i] = rw.Op(ir.Reshape, map[string]any{"shape": split}, v)
	}
	all := rw.Op(ir.Concat, map[string]any{"axis": 2}, regrouped...)
	return rw.Op(ir.Reshape, map[string]any{"shape": append([]int{s[0], len(parts) * s[1]}, s[2:]...)}, all)
}

// withNegative returns weights [O,2I,...]: w, then -w.
func withNegative(w *ir.Tensor) *ir.Tensor {
	s := append([]int{}, w.Type.Shape...)
	row := w.Len() / s[0]
	s[1] *= 2
	out := ir.NewTensor(ir.T(w.Type.DType, s...))
	for o := range s[0] {
		for i, v := range w.IntRange(o*row, (o+1)*row) {
			out.Ints()[2*o*row+i], out.Ints()[(2*o+1)*row+i] = v, -v
		}
	}
	return out
}
