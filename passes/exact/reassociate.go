package exact

import (
	"math"

	"github.com/billnet/billnet/ir"
	"github.com/billnet/billnet/passes"
	"github.com/billnet/billnet/passes/analysis"
)

// Reassociate is the pass reassociate.
var Reassociate = &passes.Pass{
	Name: "reassociate",
	Doc: "Two convolutions with nothing between them, at least one of them pointwise, become one with the product of their weights where that costs less. " +
		"The product of binary weights is seldom binary, and integer weights have no kernel on planes, so the cost is that of the kernels, not of the multiplications.",
	Class: passes.Exact,
	Needs: BinaryActivations,
	After: []string{"fuse-bn-threshold"},
	Run: passes.EachFunc(func(c *passes.Context, f *ir.Func) error {
		return c.Rewrite(f, func(rw *passes.Rewriter, n *ir.Node) []*ir.Value { return reassociate(rw, c, n) })
	}),
}

func costOf(n *ir.Node) int {
	return analysis.ConvCost(n.In(0).DType, n.In(1).DType, n.Result().Type.Elems(), fanIn(n.In(1)))
}

// fanIn is the number of products in a sum of a convolution with weights w.
func fanIn(w ir.Type) int { return w.Elems() / max(w.Shape[0], 1) }

func reassociate(rw *passes.Rewriter, c *passes.Context, n *ir.Node) []*ir.Value {
	inner := ir.Def(n.Arg(0))
	if !linearConv(n) || !linearConv(inner) || !rw.Once(n.Args[0]) || !isPoint(n) && !isPoint(inner) {
		return nil
	}
	groups := 1
	if n.Int("groups") == inner.Int("groups") {
		groups = n.Int("groups")
	}
	apart := costOf(n) + costOf(inner)
	taps := max(ir.Type{Shape: n.In(1).Shape[2:]}.Elems(), ir.Type{Shape: inner.In(1).Shape[2:]}.Elems())
	together := func(w ir.DType) int {
		return analysis.ConvCost(inner.In(0).DType, w, n.Result().Type.Elems(), inner.In(0).Shape[1]/groups*taps)
	}
	if together(ir.SBit) >= apart {
		return nil // not even with binary weights
	}
	w := productWeights(n, inner, groups)
	if w == nil || together(w.Type.DType) >= apart {
		return nil
	}
	op := ir.IConv
	if inner.In(0).DType.IsBit() && w.Type.DType != ir.I8 {
		op = ir.BConv
	}
	wide := inner
	if isPoint(inner) {
		wide = n
	}
	attrs := analysis.ConvAttrs(wide)
	attrs["groups"] = groups
	delete(attrs, "to")
	if to, ok := n.Attrs["to"]; ok {
		attrs["to"] = to
	}
	c.Note("layers %q and %q are one convolution", inner.Loc.Name, n.Loc.Name)
	return []*ir.Value{rw.Op(op, attrs, inner.Args[0], rw.Const(w))}
}

// linearConv reports whether a node is an integer convolution with constant
// weights and without thresholds, whose sums do not wrap.
func linearConv(n *ir.Node) bool {
	return (n.Is(ir.BConv) || n.Is(ir.IConv)) && n.Arg(2) == nil && ir.ConstOf(n.Args[1]) != nil
}

// isPoint reports whether a convolution has one tap at its own position.
func isPoint(n *ir.Node) bool {
	if (ir.Type{Shape: n.In(1).Shape[2:]}).Elems() != 1 {
		return false
	}
	for _, s := range n.Ints("stride") {
		if s != 1 {
			return false
		}
	}
	for _, p := range n.Ints("pad") {
		if p != 0 {
			return false
		}
	}
	return true
}

// productWeights multiplies the weights of n over those of inner. Where both
// have the same groups the product has them too. It returns the narrowest of
// sbit, tern and i8 that holds them; nil when none does.
func productWeights(n, inner *ir.Node, groups int) *ir.Tensor {
	a, b := ir.ConstOf(n.Args[1]), ir.ConstOf(inner.Args[1])
	if a.Len()/max(a.Type.Shape[0], 1)*b.Len() > analysis.MaxComposite {
		return nil
	}
	own := analysis.OwnKernel(n, a).After(analysis.OwnKernel(inner, b), a.Type.Shape[0])
	shape := append([]int{}, b.Type.Shape...)
	if isPoint(inner) {
		shape = append([]int{}, a.Type.Shape...)
	}
	o, channels := a.Type.Shape[0], inner.In(0).Shape[1]
	per := channels / groups
	shape[0], shape[1] = o, per
	vals, zeros, most := make([]int64, 0, o*per*own.Taps), false, int64(0)
	for k := range o {
		first := k / (o / groups) * per
		for _, x := range own.W[(k*channels+first)*own.Taps : (k*channels+first+per)*own.Taps] {
			v := int64(x)
			vals, zeros, most = append(vals, v), zeros || v == 0, max(most, v, -v)
		}
	}
	d := ir.I8
	switch {
	case most > math.MaxInt8:
		return nil
	case most <= 1 && zeros:
		d = ir.Tern
	case most <= 1:
		d = ir.SBit
	}
	return ir.IntTensor(d, vals, shape...)
}
