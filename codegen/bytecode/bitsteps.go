package bytecode

import (
	"math"
	"slices"

	"github.com/billnet/billnet/ir"
	"github.com/billnet/billnet/runtime/billb"
)

// bitSums reports a convolution of bits on planes that gives its sums.
func (g *gen) bitSums(n *ir.Node) bool {
	if g.rows || !n.Is(ir.BConv) || !n.In(0).Layout.Planes || n.Arg(2) != nil || slices.Min(append(n.Ints("pad"), 0)) < 0 {
		return false
	}
	w := g.constOf(n.Args[1])
	return w != nil && (w.Type.DType == ir.SBit || w.Type.DType == ir.Tern)
}

// clipSums takes a clip of the sums of bits that become floats behind it: it is one of the floats, which hold them all.
func (c *chain) clipSums(n *ir.Node) bool {
	if !c.first.Is(ir.BConv) || c.limits != nil {
		return false
	}
	limits := []float64{-math.MaxFloat32, math.MaxFloat32}
	for i := range limits {
		if n.Arg(i+1) == nil {
			continue
		}
		v, ok := ir.Splat(n.Args[i+1])
		if !ok || c.g.constOf(n.Args[i+1]) == nil || float64(float32(v)) != v {
			return false
		}
		limits[i] = v
	}
	next := c.next(n.Result())
	for next.Is(ir.Reshape) && sameMaps(next) {
		next = c.next(next.Result())
	}
	if !next.Is(ir.ToFloat) || next.Result().Type.DType != ir.F32 {
		return false
	}
	c.limits = limits
	return c.took(n)
}

// padSums ends a chain with zeros around the sums of bits that become floats behind them: they are put around the floats.
func (c *chain) padSums(n *ir.Node) bool {
	zero := n.Arg(1) == nil
	if !zero {
		v, ok := ir.Splat(n.Args[1])
		zero = ok && v == 0 && c.g.constOf(n.Args[1]) != nil
	}
	next := c.next(n.Result())
	if !c.first.Is(ir.BConv) || c.limits != nil || !zero || n.Str("mode") != "constant" || !next.Is(ir.ToFloat) || next.Result().Type.DType != ir.F32 {
		return false
	}
	c.add(billb.StepToFloat)
	c.pad, c.done, c.nodes = n, true, append(c.nodes, n)
	return c.took(next)
}

// sign ends a map with bits on planes: a step that nothing else reads, or the two of a ternary sign, reshapes between equal maps,
// and the way to planes.
func (c *chain) sign(n *ir.Node) bool {
	if c.g.rows || c.first != nil || c.axis != 1 || c.x.Type.DType != ir.F32 {
		return false
	}
	nodes, op, values := []*ir.Node{n}, billb.StepSign, []float64{bit(n.Bool("strict")), bit(n.Bool("nan"))}
	if both := c.ternary(n); both != nil {
		nodes, op, values = both, billb.StepTernary, nil
	}
	next := c.next(nodes[len(nodes)-1].Result())
	for next.Is(ir.Reshape) && sameMaps(next) {
		nodes = append(nodes, next)
		next = c.next(next.Result())
	}
	if !next.Is(ir.Relayout) || !next.Result().Type.Layout.Planes || next.In(0).Layout.Planes {
		return false
	}
	c.add(op)
	c.values = append(c.values, values...)
	c.nodes, c.value, c.done = append(c.nodes, nodes...), next.Result(), true
	return c.took(next)
}

// ternary is the nodes of a sign of three values that a step begins: of one value, the bits above 0 and those that are neither
// at least 0 nor NaN, side by side along the channels. It is nil where the step is something else.
func (c *chain) ternary(above *ir.Node) []*ir.Node {
	concat := c.next(above.Result())
	if !concat.Is(ir.Concat) || len(concat.Args) != 2 || concat.Args[0] != above.Result() || above.In(0).Rank() < 2 || above.In(0).Shape[1]%8 != 0 {
		return nil
	}
	if axis, err := ir.Axis(concat.Int("axis"), above.In(0).Rank()); err != nil || axis != 1 {
		return nil
	}
	not := ir.Def(concat.Args[1])
	if !not.Is(ir.BitNot) || c.next(concat.Args[1]) != concat {
		return nil
	}
	least := ir.Def(not.Args[0])
	if !least.Is(ir.Step) || c.next(not.Args[0]) != not || least.Args[0] != above.Args[0] {
		return nil
	}
	if !above.Bool("strict") || above.Bool("nan") || least.Bool("strict") || !least.Bool("nan") {
		return nil
	}
	return []*ir.Node{above, least, not, concat}
}

func bit(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
