package bytecode

import (
	"fmt"
	"slices"

	"github.com/billnet/billnet/ir"
	"github.com/billnet/billnet/runtime/billb"
)

// row says how a node becomes one instruction.
type row struct {
	op     string // the instruction's name; "" is the operation's own
	consts []int  // operands that are constants read at load, in order; the others are inputs
	params func(n *ir.Node) billb.Params
}

// chainOrNode emits a node, or the chain or group of rows that ends with it.
func (g *gen) chainOrNode(n *ir.Node) error {
	if c := g.chainAt[n]; c != nil {
		return c.emit()
	}
	if r := g.rowsAt[n]; r != nil {
		return r.emit()
	}
	if g.chained[n] {
		return nil
	}
	return g.node(n)
}

// node emits one node.
func (g *gen) node(n *ir.Node) error {
	if n.Op == ir.Const {
		return nil
	}
	if usesPlanes(n) {
		r, ok := onPlanes[n.Op]
		if !ok {
			return fmt.Errorf("BUG: planes are given to an operation that has no kernel on them")
		}
		return g.row(r, n)
	}
	if err := ir.CheckIndices(n); err != nil {
		return err
	}
	if done, err := g.expand(n); done {
		return err
	}
	r, ok := denseRow(n.Op)
	if !ok {
		return missing("")
	}
	return g.row(r, n)
}

func usesPlanes(n *ir.Node) bool {
	for _, a := range n.Args {
		if a != nil && a.Type.Layout.Planes {
			return true
		}
	}
	return slices.ContainsFunc(n.Results, func(v *ir.Value) bool { return v.Type.Layout.Planes })
}

// row emits a node by its row of a table.
func (g *gen) row(r row, n *ir.Node) error {
	op := r.op
	if op == "" {
		op = n.Op.Name
	}
	var in, consts []int
	for i, a := range n.Args {
		if !slices.Contains(r.consts, i) {
			in = append(in, g.operand(a))
		}
	}
	for _, i := range r.consts {
		if n.Arg(i) == nil {
			consts = append(consts, -1)
			continue
		}
		t := g.constOf(n.Arg(i))
		if t == nil {
			return missing("operand %s must be a constant", n.Op.Operands[i].Name)
		}
		consts = append(consts, g.constant(t))
	}
	var params billb.Params
	if r.params != nil {
		params = r.params(n)
	}
	if n.Is(ir.IConv) && usesPlanes(n) {
		lo, hi, acc, err := g.bounds(n)
		if err != nil {
			return err
		}
		consts = append(consts, lo, hi)
		params = &billb.IntConv{Conv: *conv(n).(*billb.Conv), Acc: acc}
	}
	return g.emit(op, n.Loc.Name, in, n.Results, consts, params)
}

// spread returns the first k entries of an attribute, or fill where it is empty.
func spread(n *ir.Node, name string, k, fill int) []int {
	out := make([]int, k)
	for i := range out {
		out[i] = fill
		if v := n.Ints(name); i < len(v) {
			out[i] = v[i]
		}
	}
	return out
}
