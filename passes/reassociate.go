package passes

import (
	"math"

	"github.com/billnet/billnet/ir"
)

var _ = register(&Pass{
	Name: "reassociate",
	Doc: "Two convolutions with nothing between them, at least one of them pointwise, become one with the product of their weights where that costs less. " +
		"The product of binary weights is seldom binary, and integer weights have no kernel on planes, so the cost is that of the kernels, not of the multiplications.",
	Class: Exact,
	After: []string{"fuse-bn-threshold"},
	Run: eachFunc(func(c *Context, f *ir.Func) error {
		return rewrite(f, func(rw *rewriter, n *ir.Node) []*ir.Value { return reassociate(rw, c, n) })
	}),
})

// The cost of one multiply-accumulate of every kernel, relative to that of bits
// and binary weights on planes, as measured on CPUs with wide vectors: integers
// and binary weights on planes are sums of shared sums; everything else is a
// plain loop over row-major tensors.
const (
	costBits  = 1
	costSums  = 6
	costDense = 1500
)

// convCost is the work of an integer convolution of x with weights of a type,
// giving elems numbers of fan sums each.
func convCost(x, w ir.DType, elems, fan int) int {
	binary := w == ir.SBit || w == ir.Tern
	switch {
	case binary && x.IsBit():
		return elems * fan * costBits
	case binary && planeInt(x):
		return elems * fan * costSums
	}
	return elems * fan * costDense
}

func costOf(n *ir.Node) int {
	return convCost(n.In(0).DType, n.In(1).DType, n.Result().Type.Elems(), fanIn(n.In(1)))
}

// fanIn is the number of products in a sum of a convolution with weights w.
func fanIn(w ir.Type) int { return w.Elems() / max(w.Shape[0], 1) }

func reassociate(rw *rewriter, c *Context, n *ir.Node) []*ir.Value {
	inner := ir.Def(n.Arg(0))
	if !linearConv(n) || !linearConv(inner) || !rw.once(n.Args[0]) || !isPoint(n) && !isPoint(inner) {
		return nil
	}
	groups := 1
	if n.Int("groups") == inner.Int("groups") {
		groups = n.Int("groups")
	}
	apart := costOf(n) + costOf(inner)
	taps := max(ir.Type{Shape: n.In(1).Shape[2:]}.Elems(), ir.Type{Shape: inner.In(1).Shape[2:]}.Elems())
	together := func(w ir.DType) int {
		return convCost(inner.In(0).DType, w, n.Result().Type.Elems(), inner.In(0).Shape[1]/groups*taps)
	}
	if together(ir.SBit) >= apart {
		return nil // not even with binary weights
	}
	w := productWeights(n, inner, groups)
	if w == nil || together(w.Type.DType) >= apart {
		return nil
	}
	op := "iconv"
	if inner.In(0).DType.IsBit() && w.Type.DType != ir.I8 {
		op = "bconv"
	}
	wide := inner
	if isPoint(inner) {
		wide = n
	}
	attrs := convAttrs(wide)
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
	return (n.Is("bconv") || n.Is("iconv")) && n.Arg(2) == nil && ir.ConstOf(n.Args[1]) != nil
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
	if a.Len()/max(a.Type.Shape[0], 1)*b.Len() > maxComposite {
		return nil
	}
	own := ownKernel(n, a).after(ownKernel(inner, b), a.Type.Shape[0])
	shape := append([]int{}, b.Type.Shape...)
	if isPoint(inner) {
		shape = append([]int{}, a.Type.Shape...)
	}
	o, channels := a.Type.Shape[0], inner.In(0).Shape[1]
	per := channels / groups
	shape[0], shape[1] = o, per
	vals, zeros, most := make([]int64, 0, o*per*own.taps), false, int64(0)
	for k := range o {
		first := k / (o / groups) * per
		for _, x := range own.w[(k*channels+first)*own.taps : (k*channels+first+per)*own.taps] {
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
