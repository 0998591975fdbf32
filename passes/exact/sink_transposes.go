package exact

import (
	"slices"

	"github.com/billnet/billnet/ir"
	"github.com/billnet/billnet/passes"
	"github.com/billnet/billnet/passes/analysis"
)

// SinkTransposes is the pass sink-transposes.
var SinkTransposes = &passes.Pass{
	Name: "sink-transposes",
	Doc: "Moves transposes and reshapes behind elementwise operations, reductions and padding, where they meet and cancel: " +
		"a channels-last network keeps none between its layers.",
	Class: passes.Exact,
	After: []string{"fold-constants"},
	Run: passes.EachFunc(func(c *passes.Context, f *ir.Func) error {
		return c.Rewrite(f, dropIdentity, mergeTransposes, mergeReshapes, reshapeOverTranspose, sinkUnary, sinkBinary, sinkReduce, sinkPad)
	}),
}

func mergeTransposes(rw *passes.Rewriter, n *ir.Node) []*ir.Value {
	in := ir.Def(n.Arg(0))
	if !n.Is(ir.Transpose) || !in.Is(ir.Transpose) {
		return nil
	}
	outer, inner := analysis.PermOf(n), analysis.PermOf(in)
	p := make([]int, len(outer))
	identity := true
	for i := range p {
		p[i] = inner[outer[i]]
		identity = identity && p[i] == i
	}
	if identity {
		return in.Args[:1]
	}
	return []*ir.Value{rw.Op(ir.Transpose, map[string]any{"perm": p}, in.Args[0])}
}

func isReshape(n *ir.Node) bool {
	return n.Is(ir.Reshape) || n.Is(ir.Squeeze) || n.Is(ir.Unsqueeze)
}

func reshapeTo(rw *passes.Rewriter, x *ir.Value, shape []int) *ir.Value {
	if ir.SameShape(x.Type.Shape, shape) {
		return x
	}
	return rw.Op(ir.Reshape, map[string]any{"shape": slices.Clone(shape)}, x)
}

func mergeReshapes(rw *passes.Rewriter, n *ir.Node) []*ir.Value {
	in := ir.Def(n.Arg(0))
	if !isReshape(n) || !isReshape(in) {
		return nil
	}
	return []*ir.Value{reshapeTo(rw, in.Args[0], n.Result().Type.Shape)}
}

// reshapeOverTranspose: a reshape that only splits or merges leading axes which
// the transpose under it leaves alone goes first: the transpose then meets what
// follows. Only the merge of [A,B,rest] into [A*B,rest] and its inverse are
// looked for, with the rest permuted.
func reshapeOverTranspose(rw *passes.Rewriter, n *ir.Node) []*ir.Value {
	t := ir.Def(n.Arg(0))
	if !isReshape(n) || !t.Is(ir.Transpose) {
		return nil
	}
	perm := analysis.PermOf(t)
	x, y, mid := t.In(0).Shape, n.Result().Type.Shape, n.In(0).Shape
	switch {
	case len(y) == len(mid)+1 && perm[0] == 0 && slices.Equal(y[2:], mid[1:]) && len(mid) > 1: // split the first axis
		shape := append([]int{y[0], y[1]}, x[1:]...)
		p := []int{0, 1}
		for _, a := range perm[1:] {
			p = append(p, a+1)
		}
		return []*ir.Value{rw.Op(ir.Transpose, map[string]any{"perm": p}, reshapeTo(rw, t.Args[0], shape))}
	case len(y) == len(mid)-1 && len(mid) > 2 && perm[0] == 0 && perm[1] == 1 && slices.Equal(y[1:], mid[2:]): // merge the first two
		shape := append([]int{y[0]}, x[2:]...)
		p := []int{0}
		for _, a := range perm[2:] {
			p = append(p, a-1)
		}
		return []*ir.Value{rw.Op(ir.Transpose, map[string]any{"perm": p}, reshapeTo(rw, t.Args[0], shape))}
	}
	return nil
}

// sinkUnary: an elementwise operation of moved elements is the move of its
// result.
func sinkUnary(rw *passes.Rewriter, n *ir.Node) []*ir.Value {
	if n.Op.Kind != ir.Elementwise {
		return nil
	}
	for _, a := range n.Args[1:] {
		if a != nil && a.Type.Elems() != 1 {
			return nil
		}
	}
	move := ir.Def(n.Args[0])
	if !move.Is(ir.Transpose) && !isReshape(move) || move.Args[0].Type.Elems() == 1 && len(n.Args) > 1 {
		return nil
	}
	return sunk(rw, move, n, append([]*ir.Value{move.Args[0]}, n.Args[1:]...)...)
}

// sunk is the operation of n over operands as they were before a move, and the
// move behind it; nil where the operation does not take them.
func sunk(rw *passes.Rewriter, move, n *ir.Node, args ...*ir.Value) []*ir.Value {
	y, err := ir.NewNode(n.Op, args, n.Attrs, n.Loc)
	if err != nil || !ir.SameShape(y.Result().Type.Shape, move.In(0).Shape) {
		return nil
	}
	return []*ir.Value{moveLike(rw, move, rw.Op(n.Op, n.Attrs, args...))}
}

// moveLike applies a transpose or reshape to another value of its operand's
// shape.
func moveLike(rw *passes.Rewriter, move *ir.Node, v *ir.Value) *ir.Value {
	if move.Is(ir.Transpose) {
		return rw.Op(ir.Transpose, map[string]any{"perm": analysis.PermOf(move)}, v)
	}
	return reshapeTo(rw, v, move.Result().Type.Shape)
}

// sinkBinary: both operands moved alike, or one moved and the other a constant
// that can be moved back.
func sinkBinary(rw *passes.Rewriter, n *ir.Node) []*ir.Value {
	if n.Op.Kind != ir.Elementwise || len(n.Args) != 2 || n.Args[0] == nil || n.Args[1] == nil {
		return nil
	}
	a, b := ir.Def(n.Args[0]), ir.Def(n.Args[1])
	if a.Is(ir.Transpose) && b.Is(ir.Transpose) && slices.Equal(analysis.PermOf(a), analysis.PermOf(b)) {
		return sunk(rw, a, n, a.Args[0], b.Args[0])
	}
	if isReshape(a) && isReshape(b) && ir.SameShape(a.In(0).Shape, b.In(0).Shape) && ir.SameShape(a.Result().Type.Shape, b.Result().Type.Shape) {
		return sunk(rw, a, n, a.Args[0], b.Args[0])
	}
	for i := range 2 {
		move, k := ir.Def(n.Args[i]), ir.ConstOf(n.Args[1-i])
		if k == nil || !ir.SameShape(n.In(i).Shape, n.Result().Type.Shape) {
			continue
		}
		var c *ir.Value
		switch {
		case (move.Is(ir.Transpose) || isReshape(move)) && k.Len() == 1 && k.Type.Rank() <= move.In(0).Rank():
			c = n.Args[1-i]
		case move.Is(ir.Transpose) && k.Type.Rank() <= move.In(0).Rank():
			c = rw.Const(transposeBack(k, analysis.PermOf(move)))
		default:
			continue
		}
		args := []*ir.Value{move.Args[0], c}
		if i == 1 {
			args[0], args[1] = args[1], args[0]
		}
		return sunk(rw, move, n, args...)
	}
	return nil
}

// transposeBack returns a constant that broadcasts against a transposed tensor
// as one that broadcasts against the tensor before.
func transposeBack(k *ir.Tensor, perm []int) *ir.Tensor {
	full := make([]int, len(perm))
	for i := range full {
		full[i] = 1
		if j := i - (len(perm) - k.Type.Rank()); j >= 0 {
			full[i] = k.Type.Shape[j]
		}
	}
	inverse := make([]int, len(perm))
	for i, p := range perm {
		inverse[p] = i
	}
	n, err := ir.NewNode(ir.Transpose, []*ir.Value{{Type: ir.T(k.Type.DType, full...)}}, map[string]any{"perm": inverse}, ir.Loc{})
	if err != nil {
		panic(err)
	}
	out, err := ir.EvalNode(n, []*ir.Tensor{k.Reshape(full...)})
	if err != nil {
		panic(err)
	}
	return out[0]
}

// sinkReduce: a reduction of transposed elements reduces the axes they came
// from; the axes that are left keep their new order.
func sinkReduce(rw *passes.Rewriter, n *ir.Node) []*ir.Value {
	if _, ok := n.Op.AttrKind("axes"); n.Op.Kind != ir.Reduces || !ok {
		return nil
	}
	t := ir.Def(n.Args[0])
	if !t.Is(ir.Transpose) || !anyOrder(n.Op, t.Args[0]) {
		return nil
	}
	perm := analysis.PermOf(t)
	mask, err := ir.Axes(n.Ints("axes"), len(perm))
	if err != nil {
		return nil
	}
	axes := []int{}
	var rest []int
	for i, m := range mask {
		if m {
			axes = append(axes, perm[i])
		} else {
			rest = append(rest, perm[i])
		}
	}
	slices.Sort(axes)
	y := rw.Op(n.Op, map[string]any{"axes": axes, "keepdims": n.Bool("keepdims")}, t.Args[0])
	if n.Bool("keepdims") {
		return []*ir.Value{rw.Op(ir.Transpose, map[string]any{"perm": perm}, y)}
	}
	// Number the axes that are left by their place in y.
	sorted := slices.Clone(rest)
	slices.Sort(sorted)
	for i, a := range rest {
		rest[i] = slices.Index(sorted, a)
	}
	if slices.IsSorted(rest) {
		return []*ir.Value{y}
	}
	return []*ir.Value{rw.Op(ir.Transpose, map[string]any{"perm": rest}, y)}
}

// sinkPad: padding of transposed elements pads the axes that they came from.
func sinkPad(rw *passes.Rewriter, n *ir.Node) []*ir.Value {
	t := ir.Def(n.Arg(0))
	if !n.Is(ir.Pad) || !t.Is(ir.Transpose) {
		return nil
	}
	perm := analysis.PermOf(t)
	rank, given, axes := len(perm), n.Ints("pads"), n.Ints("axes")
	pads := make([]int, 2*rank)
	for i := range len(given) / 2 {
		axis := i
		if len(axes) > 0 {
			a, err := ir.Axis(axes[i], rank)
			if err != nil {
				return nil
			}
			axis = a
		}
		pads[perm[axis]], pads[rank+perm[axis]] = given[i], given[len(given)/2+i]
	}
	args := append([]*ir.Value{t.Args[0]}, n.Args[1:]...)
	y := rw.Op(ir.Pad, map[string]any{"pads": pads, "mode": n.Str("mode")}, args...)
	return []*ir.Value{rw.Op(ir.Transpose, map[string]any{"perm": perm}, y)}
}

// anyOrder reports whether a reduction of x gives the same whatever the order of
// its elements: float arithmetic does not, but for sums of integers.
func anyOrder(op *ir.Op, x *ir.Value) bool {
	return op.Takes() || !x.Type.DType.IsFloat() || op != ir.ReduceProd && ir.Unwrap(x, ir.ToFloat) != nil
}
