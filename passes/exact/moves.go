package exact

import (
	"slices"

	"github.com/billnet/billnet/ir"
	"github.com/billnet/billnet/passes"
	"github.com/billnet/billnet/passes/analysis"
)

// sinkLayout: an operation that only moves elements commutes with to_float.
func sinkLayout(rw *passes.Rewriter, n *ir.Node) []*ir.Value {
	if !analysis.MovesElements(n) {
		return nil
	}
	z := ir.Unwrap(n.Args[0], ir.ToFloat)
	if z == nil {
		return nil
	}
	m := rw.Node(n.Op, n.Attrs, append([]*ir.Value{z}, n.Args[1:]...)...)
	if m == nil {
		return nil
	}
	out := make([]*ir.Value, len(m.Results))
	for i, v := range m.Results {
		out[i] = rw.Op(ir.ToFloat, nil, v)
	}
	return out
}

// channelMove says where the channels, axis 1 of its operand, are after a move
// of elements: the axis in the results and, for every result, which channel is
// at each index. ok is false where the move takes them apart.
func channelMove(n *ir.Node) (axis int, channels [][]int, ok bool) {
	x := n.In(0)
	if x.Rank() < 2 {
		return 0, nil, false
	}
	all := make([]int, x.Shape[1])
	for i := range all {
		all[i] = i
	}
	pick := func(attrs map[string]any, args ...*ir.Value) ([][]int, bool) {
		iota := ir.NewTensor(ir.T(ir.I64, 1, len(all)))
		for i := range iota.Ints() {
			iota.Ints()[i] = int64(i)
		}
		in, consts := []*ir.Tensor{iota}, []*ir.Value{{Type: iota.Type}}
		for _, a := range args {
			if ir.ConstOf(a) == nil {
				return nil, false
			}
			in, consts = append(in, ir.ConstOf(a)), append(consts, a)
		}
		m, err := ir.NewNode(n.Op, consts, attrs, n.Loc)
		if err != nil {
			return nil, false
		}
		out, err := ir.EvalNode(m, in)
		if err != nil {
			return nil, false
		}
		var lists [][]int
		for _, t := range out {
			var l []int
			for _, v := range t.Ints() {
				l = append(l, int(v))
			}
			lists = append(lists, l)
		}
		return lists, true
	}
	switch n.Op {
	case ir.Slice:
		var at []int
		for i := range n.Ints("starts") {
			a := i
			if axes := n.Ints("axes"); len(axes) > 0 {
				a, _ = ir.Axis(axes[i], x.Rank())
			}
			if a == 1 {
				at = append(at, i)
			}
		}
		if len(at) == 0 {
			return 1, [][]int{all}, true
		}
		attrs := map[string]any{"axes": []int{1}, "starts": n.Ints("starts")[at[0] : at[0]+1], "ends": n.Ints("ends")[at[0] : at[0]+1]}
		if s := n.Ints("steps"); len(s) > 0 {
			attrs["steps"] = s[at[0] : at[0]+1]
		}
		channels, ok = pick(attrs)
		return 1, channels, ok
	case ir.Split, ir.Gather:
		a, err := ir.Axis(n.Int("axis"), x.Rank())
		if err != nil || n.Is(ir.Gather) && a < 2 && n.In(1).Rank() != 1 {
			return 0, nil, false
		}
		if a == 1 {
			channels, ok = pick(n.Attrs, n.Args[1:]...)
			return 1, channels, ok
		}
		return 1, slices.Repeat([][]int{all}, len(n.Results)), true
	case ir.Transpose:
		return slices.Index(analysis.PermOf(n), 1), [][]int{all}, true
	case ir.Reshape, ir.Squeeze, ir.Unsqueeze, ir.Expand, ir.Tile, ir.Identity:
		y := n.Result().Type
		return 1, [][]int{all}, y.Rank() >= 2 && slices.Equal(y.Shape[:2], x.Shape[:2])
	}
	return 0, nil, false
}

// leadsToInteger reports whether a float value is made from integers by moves
// and operations of a chain.
func leadsToInteger(v *ir.Value) bool {
	for range 64 {
		d := ir.Def(v)
		switch {
		case d == nil || !v.Type.DType.IsFloat():
			return false
		case d.Is(ir.ToFloat), d.Is(ir.Affine):
			return true
		case d.Is(ir.Concat):
			for _, a := range d.Args[1:] {
				if !leadsToInteger(a) {
					return false
				}
			}
			v = d.Args[0]
		case analysis.MovesElements(d), d.Is(ir.MaxPool):
			v = d.Args[0]
		default:
			which := perChannelOp(d)
			if which < 0 {
				return false
			}
			v = d.Args[which]
		}
	}
	return false
}

// endsChain reports whether a node ends a chain: a comparison, or a quantizer
// of one scale and zero point, whose integer result may be cut off.
func endsChain(n *ir.Node) bool {
	if n == nil {
		return false
	}
	switch n.Op {
	case ir.Step, ir.Sign:
		return n.In(0).DType == ir.F32
	case ir.QuantizeLinear:
		return n.In(0).DType == ir.F32 && n.In(1).Elems() == 1 && ir.ConstOf(n.Args[1]) != nil && (n.Arg(2) == nil || ir.ConstOf(n.Args[2]) != nil)
	}
	return false
}

// moveBelow: moving the elements of op(x) is op of moved ones, for the operations
// of a chain over an integer. It is the float operation that stays last, unless
// what follows is an activation: that goes below the move (liftActivation).
func moveBelow(rw *passes.Rewriter, n *ir.Node) []*ir.Value {
	if !analysis.MovesElements(n) || n.Results[0].Type.Rank() < 2 {
		return nil
	}
	d := ir.Def(n.Args[0])
	which := perChannelOp(d)
	if which < 0 || !leadsToInteger(n.Args[0]) {
		return nil
	}
	needed := false
	for _, v := range n.Results {
		for _, u := range rw.Readers(v) {
			needed = needed || takesInteger(u)
		}
	}
	if !needed {
		return nil
	}
	if !movable(n) {
		return nil
	}
	axis, channels, ok := channelMove(n)
	if !ok { // d is the same for all channels: they may go anywhere
		axis, channels = 1, slices.Repeat([][]int{{0}}, len(n.Results))
	}
	m := rw.Node(n.Op, n.Attrs, append([]*ir.Value{d.Args[which]}, n.Args[1:]...)...)
	if m == nil {
		return nil
	}
	out := make([]*ir.Value, len(m.Results))
	for i, v := range m.Results {
		out[i] = again(rw, d, which, v, axis, channels[i])
	}
	return out
}

// movable reports whether a move can go below every operation of the chain that
// it stands behind, down to the integer: it keeps the channels together, or the
// operations are the same for all of them.
func movable(n *ir.Node) bool {
	axis, _, ok := channelMove(n)
	for v := n.Args[0]; ; {
		d := ir.Def(v)
		which := perChannelOp(d)
		if which < 0 {
			return true
		}
		if !ok && !single(d, which) || axis != 1 && d.Is(ir.BatchNorm) {
			return false
		}
		v = d.Args[which]
	}
}

// liftSingle: an operation that is the same for all elements goes below a move
// that can not go below what is under it, and so joins the chain there.
func liftSingle(rw *passes.Rewriter, n *ir.Node) []*ir.Value {
	which := perChannelOp(n)
	if which < 0 || n.Is(ir.Affine) || !single(n, which) || !ir.SameShape(n.In(which).Shape, n.Result().Type.Shape) {
		return nil
	}
	m := ir.Def(n.Args[which])
	if m == nil || !analysis.MovesElements(m) || m.In(0).Rank() < 2 || perChannelOp(ir.Def(m.Args[0])) < 0 || movable(m) || !leadsToInteger(m.Args[0]) {
		return nil
	}
	y := again(rw, n, which, m.Args[0], 1, []int{0})
	moved := rw.Node(m.Op, m.Attrs, append([]*ir.Value{y}, m.Args[1:]...)...)
	if moved == nil {
		return nil
	}
	return []*ir.Value{moved.Results[n.Args[which].Index]}
}

// takesInteger reports whether a node has a form over integers, or hands its
// operand on to one that may.
func takesInteger(u *ir.Node) bool {
	if u == nil {
		return false
	}
	switch u.Op {
	case ir.Conv, ir.Gemm, ir.MatMul, ir.Concat, ir.MaxPool, ir.AveragePool, ir.ReduceMean, ir.ReduceMax, ir.GlobalAveragePool, ir.GlobalMaxPool, ir.Pad:
		return true
	}
	return analysis.MovesElements(u) || perChannelOp(u) >= 0
}

// single reports whether an operation of a chain is the same for all channels.
func single(d *ir.Node, which int) bool {
	if d.Is(ir.BatchNorm) {
		return false
	}
	for i, a := range d.Args {
		if i != which && a != nil && a.Type.Elems() > 1 {
			return false
		}
	}
	return true
}

// liftActivation: an activation of moved elements is the move of activations,
// and that of a concatenation the concatenation of activations, where this brings
// it to a chain over an integer: bits are moved rather than numbers.
func liftActivation(rw *passes.Rewriter, n *ir.Node) []*ir.Value {
	integerClip := n.Is(ir.Clip) && !n.In(0).DType.IsFloat() && n.Arg(1) != nil && n.Arg(2) != nil && n.In(1).Elems() == 1 && n.In(2).Elems() == 1
	if !endsChain(n) && !integerClip {
		return nil
	}
	d := ir.Def(n.Args[0])
	if d == nil || !integerClip && !leadsToInteger(n.Args[0]) {
		return nil
	}
	apply := func(v *ir.Value) *ir.Value {
		return rw.Op(n.Op, n.Attrs, append([]*ir.Value{v}, n.Args[1:]...)...)
	}
	switch {
	case d.Is(ir.Concat):
		parts := make([]*ir.Value, len(d.Args))
		for i, a := range d.Args {
			if integerClip && !ir.Def(a).Is(ir.QuantizeLinear) {
				return nil
			}
			parts[i] = apply(a)
		}
		return []*ir.Value{rw.Op(ir.Concat, d.Attrs, parts...)}
	case analysis.MovesElements(d) && d.Args[0].Type.Elems() > 0:
		if integerClip && !ir.Def(d.Args[0]).Is(ir.QuantizeLinear) {
			return nil
		}
		m := rw.Node(d.Op, d.Attrs, append([]*ir.Value{apply(d.Args[0])}, d.Args[1:]...)...)
		if m == nil {
			return nil
		}
		return []*ir.Value{m.Results[n.Args[0].Index]}
	}
	return nil
}

// sinkConcat: a concatenation of integers commutes with to_float. Integers of
// several types become one of them, or the narrowest that holds all.
func sinkConcat(rw *passes.Rewriter, r *analysis.Ranger, n *ir.Node) []*ir.Value {
	if n.Op != ir.Concat || n.Result().Type.DType != ir.F32 {
		return nil
	}
	args := make([]*ir.Value, len(n.Args))
	equal := true
	for i, a := range n.Args {
		if args[i] = ir.Unwrap(a, ir.ToFloat); args[i] == nil {
			return concatScaled(rw, r, n)
		}
		equal = equal && args[i].Type.DType == args[0].Type.DType
	}
	if !equal {
		if !readByLinear(rw, n) {
			return nil
		}
		oneType(rw, args)
	}
	return []*ir.Value{rw.Op(ir.ToFloat, nil, rw.Op(ir.Concat, n.Attrs, args...))}
}

// readByLinear reports whether a convolution or linear layer reads a node, its
// elements moved at most: it wants one integer, where activations take the parts
// for themselves.
func readByLinear(rw *passes.Rewriter, n *ir.Node) bool {
	for _, v := range n.Results {
		for _, u := range rw.Readers(v) {
			if u.Is(ir.Conv) || u.Is(ir.Gemm) || u.Is(ir.MatMul) || u != nil && analysis.MovesElements(u) && readByLinear(rw, u) {
				return true
			}
		}
	}
	return false
}

// oneType converts integers to the narrowest type that holds all of theirs.
func oneType(rw *passes.Rewriter, args []*ir.Value) {
	lo, hi := args[0].Type.DType.Range()
	for _, a := range args {
		l, h := a.Type.DType.Range()
		lo, hi = min(lo, l), max(hi, h)
	}
	to := ir.SmallestInt(lo, hi)
	for i, a := range args {
		if a.Type.DType != to {
			args[i] = rw.Op(ir.Cast, map[string]any{"to": to.String()}, a)
		}
	}
}

// concatScaled: a concatenation, along the channels, of scaled integers is one
// of integers under a scale a channel.
func concatScaled(rw *passes.Rewriter, r *analysis.Ranger, n *ir.Node) []*ir.Value {
	if axis, _ := ir.Axis(n.Int("axis"), n.Result().Type.Rank()); axis != 1 || !readByLinear(rw, n) {
		return nil
	}
	args := make([]*ir.Value, len(n.Args))
	var num, den, bias []float64
	exact := true
	for i, a := range n.Args {
		s := asScaled(a, 1)
		if s == nil || s.border != nil {
			return nil
		}
		s = s.addWhole(rw, r, 1)
		args[i], exact = s.z, exact && s.exact
		c := a.Type.Shape[1]
		for k := range c {
			num, den, bias = append(num, s.num[min(k, len(s.num)-1)]), append(den, s.den[min(k, len(s.den)-1)]), append(bias, s.bias[min(k, len(s.bias)-1)])
		}
	}
	oneType(rw, args)
	if exact {
		return []*ir.Value{rw.Op(ir.ToFloat, nil, rw.Op(ir.Concat, n.Attrs, args...))}
	}
	return []*ir.Value{rw.Op(ir.Affine, nil, rw.Op(ir.Concat, n.Attrs, args...), rw.Float64s(num...), rw.Float64s(den...), rw.Float64s(bias...))}
}

// splitConcat: an operation of a chain over a concatenation of integers is the
// concatenation of operations, where the parts have scales or types of their own.
func splitConcat(rw *passes.Rewriter, n *ir.Node) []*ir.Value {
	which := perChannelOp(n)
	if which < 0 || n.Is(ir.Affine) {
		return nil
	}
	cat := ir.Def(n.Args[which])
	if !cat.Is(ir.Concat) || !leadsToInteger(n.Args[which]) || readByLinear(rw, cat) {
		return nil
	}
	axis, err := ir.Axis(cat.Int("axis"), n.Result().Type.Rank())
	if err != nil || axis == 0 {
		return nil
	}
	parts := make([]*ir.Value, len(cat.Args))
	from := 0
	for i, a := range cat.Args {
		var channels []int
		if axis != 1 {
			from = 0
		}
		for range a.Type.Shape[1] {
			channels = append(channels, from)
			from++
		}
		parts[i] = again(rw, n, which, a, 1, channels)
	}
	return []*ir.Value{rw.Op(ir.Concat, cat.Attrs, parts...)}
}
