package bytecode

import (
	"maps"
	"math"
	"slices"

	"github.com/billnet/billnet/ir"
	"github.com/billnet/billnet/runtime/billb"
)

// A chain is a run of nodes that becomes one instruction: a convolution of bits or bytes, a linear layer of bytes, or none, and
// what follows it element by element. Values inside it have no buffer. Each step computes what its node does, bit for bit.
type chain struct {
	g     *gen
	first *ir.Node // the convolution or linear layer; nil: a map
	done  bool     // nothing can follow
	pad   *ir.Node // around the floats that sums have become, behind the chain
	x     *ir.Value
	zero  *ir.Tensor // what bytes mean by 0; nil: 0
	value *ir.Value  // what is computed so far
	axis  int        // of the channels
	bytes ir.DType   // of the value where it is bytes of a quantization
	nodes []*ir.Node // all of them, in the order of the function

	limits   []float64 // of the sums, which a clip has set; they become floats next
	computed int       // operations
	ops      []billb.StepOp
	values   []float64
	in       []*ir.Value
	consts   []*ir.Tensor
}

// chains finds the chains of a function. A chain is emitted at its last node, when all it reads is there.
func (g *gen) chains(f *ir.Func) {
	for _, r := range f.Results {
		g.results[r.Value] = true
	}
	g.rowGroups(f)
	for _, n := range f.Nodes {
		if n.Op == ir.Const || g.chained[n] || usesPlanes(n) && !g.bitSums(n) {
			continue
		}
		c := g.begin(n)
		if c == nil {
			continue
		}
		for c.extend() {
		}
		if !c.worthwhile() {
			continue
		}
		for _, m := range c.nodes {
			g.chained[m] = true
		}
		g.chainAt[c.nodes[len(c.nodes)-1]] = c
	}
	g.dropUnread(f)
}

// dropUnread leaves out nodes that only what reads around them has read.
func (g *gen) dropUnread(f *ir.Func) {
	needed := maps.Clone(g.results)
	for _, n := range slices.Backward(f.Nodes) {
		c, r := g.chainAt[n], g.rowsAt[n]
		switch {
		case c != nil:
			needed[c.x] = true
			for _, v := range c.in {
				needed[v] = true
			}
		case r != nil:
			for _, v := range r.reads() {
				needed[v] = true
			}
		case g.chained[n]:
		case (n.Is(ir.Cast) || n.Is(ir.Sub) || n.Is(ir.Reshape)) && !needed[n.Result()]:
			g.chained[n] = true
		default:
			for _, a := range n.Args {
				needed[a] = true
			}
		}
	}
}

// worthwhile: a convolution needs a step, which makes floats of its sums, or a zero point; a map begins with bytes or has two
// operations, makes signs on planes or is a norm, which it does for all channels of small maps at a time.
func (c *chain) worthwhile() bool {
	if c.first != nil {
		return len(c.ops) > 0 || c.zero != nil && c.value.Type.DType == ir.I32
	}
	return c.computed > 1 || slices.Contains([]billb.StepOp{billb.StepDequantize, billb.StepSign, billb.StepTernary, billb.StepBatchNorm}, c.ops[0])
}

// begin starts a chain at a node, or returns nil. What only it reads of integers less their zero point belongs to it.
func (g *gen) begin(n *ir.Node) *chain {
	c := &chain{g: g}
	if g.bitSums(n) {
		c.first, c.axis, c.x, c.nodes, c.value = n, 1, n.Args[0], []*ir.Node{n}, n.Result()
		return c
	}
	switch n.Op {
	case ir.IConv, ir.ILinear:
		if g.constOf(n.Args[1]) == nil || n.Arg(2) != nil || n.In(0).Rank() < 2 || n.Is(ir.IConv) && n.In(0).Rank() > 5 {
			return nil
		}
		c.first, c.axis = n, 1
		if n.Is(ir.ILinear) {
			c.axis = n.In(0).Rank() - 1
		}
		var before []*ir.Node
		c.x, c.zero, before = g.unshifted(n.Args[0], n, n.Is(ir.ILinear))
		if n.Is(ir.ILinear) && c.x.Type.DType.IsBit() && n.In(1).DType != ir.I8 {
			return nil // bits by the word
		}
		if !c.fitsBytes() || n.Result().Type.DType != ir.I32 && !c.holds() || n.Result().Type.Elems() == 0 {
			return nil
		}
		c.nodes, c.value = append(before, n), n.Result()
		return c
	}
	x := firstOperand(n)
	if x == nil || g.constOf(x) != nil || n.Result().Type.Elems() == 0 || x.Type.Rank() < 1 {
		return nil
	}
	c.axis = min(1, x.Type.Rank()-1)
	switch {
	case n.Is(ir.ToFloat) || n.Is(ir.DequantizeLinear) || n.Is(ir.Affine):
		scale, zero, q, before, ok := g.dequantized(n)
		if !ok {
			return nil
		}
		c.x, c.nodes, c.value = q, append(before, n), n.Result()
		c.add(billb.StepDequantize, scale, zero)
		return c
	case x.Type.DType == ir.F32 && (n.Result().Type.DType == ir.F32 || n.Is(ir.Step)):
		c.x, c.value = x, x
		if !c.step(n) {
			return nil
		}
		return c
	}
	return nil
}

// firstOperand is the operand of a node that has its result's shape and is computed; nil for none.
func firstOperand(n *ir.Node) *ir.Value {
	if len(n.Args) == 0 || len(n.Results) != 1 || n.Args[0] == nil || !ir.SameShape(n.In(0).Shape, n.Result().Type.Shape) {
		return nil
	}
	return n.Args[0]
}

// holds reports that sums fit the result's type, which they may therefore be taken for.
func (c *chain) holds() bool {
	n := c.first
	lo, hi := n.Result().Type.DType.Range()
	if !n.Is(ir.IConv) {
		return false
	}
	l, h := n.Ints("lo"), n.Ints("hi")
	return len(l) > 0 && len(h) > 0 && int64(slices.Min(l)) >= lo && int64(slices.Max(h)) <= hi
}

// fitsBytes reports operands that the kernels of bytes take.
func (c *chain) fitsBytes() bool {
	d := c.x.Type.DType
	if d != ir.U8 && d != ir.I8 && d != ir.Bool && !d.IsLogic() {
		return false
	}
	if c.x.Type.Layout.Planes || c.g.constOf(c.x) != nil || c.x.Type.Elems() == 0 {
		return false
	}
	w := c.g.constOf(c.first.Args[1])
	lo, hi := w.Type.DType.Range()
	if lo >= -128 && hi <= 254 || w.Type.DType.IsLogic() {
		return true
	}
	for _, v := range w.Ints() {
		if v < -256 || v > 254 {
			return false
		}
	}
	return true
}

// unshifted sees v as bytes less a zero point of their type, by a cast and a subtraction; else it is v itself. Reshapes on the
// way are left out: all of them, or those between equal maps. before are the nodes that only this reader needs.
func (g *gen) unshifted(v *ir.Value, reader *ir.Node, any bool) (x *ir.Value, zero *ir.Tensor, before []*ir.Node) {
	w := &way{g: g, reader: reader, own: true}
	v = w.unshaped(v, any)
	sub := ir.Def(v)
	if !sub.Is(ir.Sub) || g.chained[sub] {
		return v, nil, w.before
	}
	cast := ir.Def(sub.Args[0])
	z := g.constOf(sub.Args[1])
	if !cast.Is(ir.Cast) || g.chained[cast] || z == nil || z.Len() != 1 || v.Type.DType.Bits() < 16 || !v.Type.DType.IsInt() {
		return v, nil, w.before
	}
	d := cast.In(0).DType
	if d != ir.U8 && d != ir.I8 || !ir.SameShape(sub.In(0).Shape, v.Type.Shape) {
		return v, nil, w.before
	}
	if lo, hi := d.Range(); z.Int(0) < lo || z.Int(0) > hi {
		return v, nil, w.before
	}
	w.take(v, sub)
	w.take(sub.Args[0], cast)
	return w.unshaped(cast.Args[0], any), ir.IntTensor(d, []int64{z.Int(0)}), w.before
}

// way goes back from a reader over nodes that it reads around.
type way struct {
	g      *gen
	reader *ir.Node
	own    bool // nothing else reads what was passed so far
	before []*ir.Node
}

// take passes the node that defines v.
func (w *way) take(v *ir.Value, n *ir.Node) {
	if w.own = w.own && w.g.only(v, w.reader); w.own {
		w.before = append([]*ir.Node{n}, w.before...)
	}
	w.reader = n
}

// unshaped passes reshapes.
func (w *way) unshaped(v *ir.Value, any bool) *ir.Value {
	for n := ir.Def(v); n.Is(ir.Reshape) && (any || sameMaps(n)) && !w.g.chained[n]; n = ir.Def(v) {
		w.take(v, n)
		v = n.Args[0]
	}
	return v
}

// sameMaps reports a reshape between maps [N,C,...] that differ in axes of size 1 right behind the channels.
func sameMaps(n *ir.Node) bool {
	a, b := n.In(0).Shape, n.Result().Type.Shape
	if len(a) < 3 || len(b) < 3 || len(a) > 5 || len(b) > 5 || a[0] != b[0] || a[1] != b[1] {
		return false
	}
	a, b = a[2:], b[2:]
	for len(a) > 1 && a[0] == 1 {
		a = a[1:]
	}
	for len(b) > 1 && b[0] == 1 {
		b = b[1:]
	}
	return ir.SameShape(a, b)
}

// dequantized sees a node as (q - zero)*scale of bytes: a to_float of them, or of them less a zero point, an affine without
// bias, a dequantize_linear.
func (g *gen) dequantized(n *ir.Node) (scale, zero *ir.Tensor, q *ir.Value, before []*ir.Node, ok bool) {
	if n.Result().Type.DType != ir.F32 {
		return nil, nil, nil, nil, false
	}
	scale = ir.FloatTensor([]float32{1}, 1)
	switch n.Op {
	case ir.DequantizeLinear:
		q, scale = n.Args[0], g.constOf(n.Args[1])
		if n.Arg(2) != nil {
			if zero = g.constOf(n.Args[2]); zero == nil || zero.Len() != 1 {
				return nil, nil, nil, nil, false
			}
		}
		if scale == nil || scale.Len() != 1 {
			return nil, nil, nil, nil, false
		}
	case ir.Affine:
		if scale = g.factorOf(n); scale == nil {
			return nil, nil, nil, nil, false
		}
		q, zero, before = g.unshifted(n.Args[0], n, false)
	case ir.ToFloat:
		q, zero, before = g.unshifted(n.Args[0], n, false)
	default:
		return nil, nil, nil, nil, false
	}
	if d := q.Type.DType; d != ir.U8 && d != ir.I8 || q.Type.Layout.Planes || g.constOf(q) != nil {
		return nil, nil, nil, nil, false
	}
	if zero == nil {
		zero = ir.IntTensor(q.Type.DType, []int64{0})
	}
	return scale, zero, q, before, true
}

// factorOf is the number in f32 that an affine multiplies by, where it does nothing else; nil for other affines. The product
// of an integer of 16 bits with it is exact in float64, and so rounded as the product in float32 is.
func (g *gen) factorOf(n *ir.Node) *ir.Tensor {
	num, den, bias := g.constOf(n.Args[1]), g.constOf(n.Args[2]), g.constOf(n.Args[3])
	if num == nil || num.Len() != 1 || float64(float32(num.Float(0))) != num.Float(0) || n.In(0).DType.Bits() > 16 {
		return nil
	}
	is := func(t *ir.Tensor, v float64) bool {
		if t == nil {
			return false
		}
		x, ok := t.Splat()
		return ok && x == v
	}
	if !is(den, 1) || !is(bias, 0) {
		return nil
	}
	return ir.FloatTensor([]float32{float32(num.Float(0))}, 1)
}

// only reports that a node alone reads v, once, and v is no result of the function.
func (g *gen) only(v *ir.Value, reader *ir.Node) bool {
	return len(g.uses[v]) == 1 && g.uses[v][0] == reader && !g.results[v]
}

// extend takes the one node that reads the value into the chain, if it is a step.
func (c *chain) extend() bool {
	n := c.next(c.value)
	if n == nil || c.done {
		return false
	}
	if n.Is(ir.Relayout) && c.value.Type.Layout.Planes && !n.Result().Type.Layout.Planes {
		c.nodes, c.value = append(c.nodes, n), n.Result()
		return true
	}
	if usesPlanes(n) {
		return false
	}
	if n.Is(ir.Reshape) && sameMaps(n) && c.axis == 1 {
		c.nodes, c.value = append(c.nodes, n), n.Result()
		return true
	}
	if len(n.Results) != 1 || !ir.SameShape(n.Result().Type.Shape, c.value.Type.Shape) && !n.Is(ir.Pad) {
		return false
	}
	return c.step(n)
}

// next is the one node that reads v, if there is one that no other chain has. Of the two steps of a ternary sign it is the first.
func (c *chain) next(v *ir.Value) *ir.Node {
	uses := c.g.uses[v]
	if len(uses) == 2 && uses[0].Is(ir.Step) && !c.g.results[v] && slices.Contains(c.ternary(uses[0]), uses[1]) {
		return uses[0]
	}
	if len(uses) != 1 || c.g.results[v] || c.g.chained[uses[0]] {
		return nil
	}
	return uses[0]
}

func (c *chain) add(op billb.StepOp, consts ...*ir.Tensor) {
	c.ops, c.consts = append(c.ops, op), append(c.consts, consts...)
}

// took records that a node has become steps.
func (c *chain) took(n *ir.Node) bool {
	c.nodes, c.value = append(c.nodes, n), n.Result()
	c.computed++
	return true
}

// step adds a node that reads the value; it reports false for one that is no step.
func (c *chain) step(n *ir.Node) bool {
	in, out := c.value.Type.DType, n.Result().Type.DType
	sums := c.first != nil && len(c.ops) == 0
	switch {
	case sums && n.Is(ir.ToFloat) && out == ir.F32:
		c.add(billb.StepToFloat)
		if c.limits != nil {
			c.add(billb.StepClip)
			c.values = append(c.values, c.limits...)
		}
	case sums && n.Is(ir.Pad):
		return c.padSums(n)
	case sums && n.Is(ir.Clip):
		return c.clipSums(n)
	case in == ir.F32 && n.Is(ir.Step):
		return c.sign(n)
	case sums && n.Is(ir.Affine) && out == ir.F32 && c.limits == nil:
		return c.affine(n)
	case in == ir.F32 && n.Is(ir.QuantizeLinear):
		return c.quantize(n)
	case c.bytes == in && in.IsInt() && n.Is(ir.Clip):
		return c.limit(n)
	case c.bytes == in && in.IsInt() && (n.Is(ir.ToFloat) || n.Is(ir.DequantizeLinear) || n.Is(ir.Affine)):
		scale, zero, _, before, ok := c.g.dequantized(n)
		if !ok || len(before) > 0 {
			return false
		}
		c.add(billb.StepDequantize, scale, zero)
	case c.bytes == in && in.IsInt() && n.Is(ir.Cast):
		return c.shift(n)
	case in == ir.F32 && out == ir.F32:
		return c.function(n) || c.pair(n)
	default:
		return false
	}
	return c.took(n)
}

func (c *chain) affine(n *ir.Node) bool {
	axis, err := ir.Axis(n.Int("axis"), n.In(0).Rank())
	var params []*ir.Tensor
	for i := 1; i < 4; i++ {
		t := c.g.constOf(n.Args[i])
		if t == nil || t.Type.DType != ir.F64 || t.Len() != 1 && axis != c.axis {
			return false
		}
		params = append(params, t)
	}
	if err != nil {
		return false
	}
	c.add(billb.StepAffine, params...)
	return c.took(n)
}

// quantize: to bytes, with one scale and zero point. Limits may follow.
func (c *chain) quantize(n *ir.Node) bool {
	d := n.Result().Type.DType
	scale := c.g.constOf(n.Args[1])
	if d != ir.U8 && d != ir.I8 || scale == nil || scale.Len() != 1 || scale.Type.DType != ir.F32 || n.Int("block_size") != 0 {
		return false
	}
	zero := ir.IntTensor(d, []int64{0})
	if n.Arg(2) != nil {
		if zero = c.g.constOf(n.Args[2]); zero == nil || zero.Len() != 1 {
			return false
		}
	}
	lo, hi := d.Range()
	c.add(billb.StepQuantize, scale, zero)
	c.values, c.bytes = append(c.values, float64(lo), float64(hi)), d
	return c.took(n)
}

// limit: a clip of bytes narrows the quantization right before it.
func (c *chain) limit(n *ir.Node) bool {
	if len(c.ops) == 0 || c.ops[len(c.ops)-1] != billb.StepQuantize {
		return false
	}
	lo, hi := c.values[len(c.values)-2], c.values[len(c.values)-1]
	for i := 1; i < 3; i++ {
		if n.Arg(i) == nil {
			continue
		}
		v, ok := ir.Splat(n.Args[i])
		if !ok || c.g.constOf(n.Args[i]) == nil {
			return false
		}
		if i == 1 { // first to at least lo, then to at most hi
			lo, hi = max(lo, v), max(hi, v)
		} else {
			lo, hi = min(lo, v), min(hi, v)
		}
	}
	c.values[len(c.values)-2], c.values[len(c.values)-1] = lo, hi
	return c.took(n)
}

// shift: a cast, a subtraction of a zero point and a to_float or affine behind them are a dequantization.
func (c *chain) shift(cast *ir.Node) bool {
	uses := c.g.uses[cast.Result()]
	if len(uses) != 1 || !uses[0].Is(ir.Sub) {
		return false
	}
	next := c.g.uses[uses[0].Result()]
	if len(next) != 1 || !next[0].Is(ir.ToFloat) && !next[0].Is(ir.Affine) || c.g.chained[next[0]] {
		return false
	}
	scale, zero, q, before, ok := c.g.dequantized(next[0])
	if !ok || len(before) != 2 || q != c.value || !c.g.only(c.value, cast) {
		return false
	}
	c.add(billb.StepDequantize, scale, zero)
	c.nodes = append(c.nodes, before...)
	return c.took(next[0])
}

// function: an operation of one operand, or with parameters for every channel.
func (c *chain) function(n *ir.Node) bool {
	single := func(v float64) bool { return float64(float32(v)) == v }
	switch n.Op {
	case ir.Relu:
		c.add(billb.StepRelu)
	case ir.Sigmoid:
		c.add(billb.StepSigmoid)
	case ir.Tanh:
		c.add(billb.StepTanh)
	case ir.Exp:
		c.add(billb.StepExp)
	case ir.Erf:
		if c.g.rows {
			return false
		}
		c.add(billb.StepErf)
	case ir.HardSwish:
		c.add(billb.StepHardSwish)
	case ir.LeakyRelu:
		if !single(n.Float("alpha")) {
			return false
		}
		c.add(billb.StepLeakyRelu)
		c.values = append(c.values, n.Float("alpha"))
	case ir.HardSigmoid:
		c.add(billb.StepHardSigmoid)
		c.values = append(c.values, n.Float("alpha"), n.Float("beta"))
	case ir.Clip:
		return c.clip(n)
	case ir.BatchNorm:
		return c.batchNorm(n)
	default:
		return false
	}
	return c.took(n)
}

func (c *chain) clip(n *ir.Node) bool {
	bounds := []float64{-math.MaxFloat32, math.MaxFloat32}
	for i := range bounds {
		if n.Arg(i+1) == nil {
			continue
		}
		t := c.g.constOf(n.Args[i+1])
		if t == nil || t.Len() != 1 {
			return false
		}
		bounds[i] = t.Float(0)
	}
	c.add(billb.StepClip)
	c.values = append(c.values, bounds...)
	return c.took(n)
}

func (c *chain) batchNorm(n *ir.Node) bool {
	var params []*ir.Tensor
	for i := 1; i < 5; i++ {
		t := c.g.constOf(n.Arg(i))
		if t == nil || t.Type.DType != ir.F32 {
			return false
		}
		params = append(params, t)
	}
	if n.Args[0] != c.value || c.axis != 1 || n.In(0).Rank() < 2 {
		return false
	}
	c.add(billb.StepBatchNorm, params...)
	c.values = append(c.values, n.Float("epsilon"))
	return c.took(n)
}

// pair: an operation of the value and a constant, or another value.
func (c *chain) pair(n *ir.Node) bool {
	if len(n.Args) != 2 || n.Args[0] == n.Args[1] {
		return false
	}
	side := 0
	if n.Args[0] != c.value {
		side = 1
	}
	other := n.Args[1-side]
	if t := c.g.constOf(other); t != nil {
		return c.withConstant(n, side, t)
	}
	if !n.Is(ir.Add) && !n.Is(ir.Mul) {
		return false
	}
	return c.withValue(n, other)
}

func (c *chain) withConstant(n *ir.Node, side int, t *ir.Tensor) bool {
	op, ok := map[*ir.Op]billb.StepOp{ir.Add: billb.StepPlus, ir.Sub: billb.StepMinus, ir.Mul: billb.StepTimes, ir.Div: billb.StepOver, ir.PRelu: billb.StepPRelu}[n.Op]
	if !ok || side == 1 && op != billb.StepPlus && op != billb.StepTimes || t.Type.DType != ir.F32 {
		return false
	}
	shape := c.value.Type.Shape
	off := len(shape) - t.Type.Rank()
	for i, d := range t.Type.Shape {
		if d != 1 && i+off != c.axis {
			return false
		}
	}
	c.add(op, t)
	return c.took(n)
}

// withValue adds a sum or product with another value of the same shape, or with one element for every channel of every image;
// dequantized bytes are read as they are.
func (c *chain) withValue(n *ir.Node, other *ir.Value) bool {
	shape := c.value.Type.Shape
	full := ir.SameShape(other.Type.Shape, shape)
	if !full && (c.axis != 1 || !perChannel(other.Type.Shape, shape)) || other.Type.DType != ir.F32 || other.Type.Layout.Planes {
		return false
	}
	op := billb.StepAddInput
	if n.Is(ir.Mul) {
		op = billb.StepMulInput
	}
	d := ir.Def(other)
	if d != nil && c.g.only(other, n) && !c.g.chained[d] {
		// (q - zero)*scale is in two nodes where the scale is not 1.
		factor, inner := (*ir.Tensor)(nil), d
		if d.Is(ir.Mul) {
			if t := c.g.constOf(d.Args[1]); t != nil && t.Len() == 1 && t.Type.Rank() <= other.Type.Rank() {
				if m := ir.Def(d.Args[0]); m != nil && c.g.only(d.Args[0], d) && !c.g.chained[m] {
					factor, inner = t, m
				}
			}
		}
		if inner.Is(ir.ToFloat) || factor == nil {
			if scale, zero, q, before, ok := c.g.dequantized(inner); ok {
				if factor != nil {
					scale = factor
				}
				c.add(op+billb.StepAddDequantized-billb.StepAddInput, scale, zero)
				c.in, c.nodes = append(c.in, q), append(append(c.nodes, before...), inner)
				if inner != d {
					c.nodes = append(c.nodes, d)
				}
				return c.took(n)
			}
		}
	}
	c.add(op)
	c.in = append(c.in, other)
	return c.took(n)
}

// perChannel reports a shape [N,C,1,...] beside [N,C,...].
func perChannel(t, shape []int) bool {
	if len(t) != len(shape) || len(t) < 3 || t[0] != shape[0] || t[1] != shape[1] {
		return false
	}
	for _, d := range t[2:] {
		if d != 1 {
			return false
		}
	}
	return true
}

// name is the layer that the chain begins with, or that of the last node that computes: a map's new shape belongs to its reader.
func (c *chain) name() string {
	if c.first != nil {
		return c.first.Loc.Name
	}
	i := len(c.nodes) - 1
	for i > 0 && (c.nodes[i].Is(ir.Reshape) || c.nodes[i].Is(ir.Relayout)) {
		i--
	}
	return c.nodes[i].Loc.Name
}

// emit writes the chain as one instruction.
func (c *chain) emit() error {
	g := c.g
	in := []int{g.operand(c.x)}
	for _, v := range c.in {
		in = append(in, g.operand(v))
	}
	var consts []int
	list := billb.Steps{Steps: c.ops, Values: c.values}
	op, params := "map_steps", billb.Params(&list)
	if c.first != nil {
		zero := -1
		if c.zero != nil {
			zero = g.constant(c.zero)
		}
		consts = []int{g.constant(g.constOf(c.first.Args[1])), zero}
		op = "linear_steps"
		switch c.first.Op {
		case ir.IConv:
			op, params = "conv_steps", convSteps(c.first, list)
		case ir.BConv:
			op, params, consts = "bconv_steps", convSteps(c.first, list), consts[:1]
		}
	}
	for _, t := range c.consts {
		consts = append(consts, g.constant(t))
	}
	last, name := c.nodes[len(c.nodes)-1], c.name()
	if c.pad != nil {
		floats := &ir.Value{Type: c.pad.In(0).With(ir.F32)}
		if err := g.emit(op, name, in, []*ir.Value{floats}, consts, params); err != nil {
			return err
		}
		return g.emit("pad", c.pad.Loc.Name, []int{g.operand(floats)}, last.Results, nil, pad(c.pad))
	}
	return g.emit(op, name, in, last.Results, consts, params)
}

// convSteps is the parameters of a convolution with steps, along t, h and w.
func convSteps(n *ir.Node, list billb.Steps) *billb.ConvSteps {
	k := n.In(0).Rank() - 2
	p := &billb.ConvSteps{Groups: n.Int("groups"), Stride: [3]int{1, 1, 1}, Dilation: [3]int{1, 1, 1}, Steps: list}
	pad := spread(n, "pad", 2*k, 0)
	copy(p.Stride[3-k:], spread(n, "stride", k, 1))
	copy(p.PadBefore[3-k:], pad[:k])
	copy(p.PadAfter[3-k:], pad[k:])
	copy(p.Dilation[3-k:], spread(n, "dilation", k, 1))
	return p
}
