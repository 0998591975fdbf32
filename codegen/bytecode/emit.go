package bytecode

import (
	"fmt"
	"slices"

	"github.com/billnet/billnet/ir"
)

// row says how a node becomes one instruction.
type row struct {
	op     string // the instruction's name; "" is the operation's own
	consts []int  // operands that are constants read at load, in order; the others are inputs
	ints   func(n *ir.Node) []int64
	floats func(n *ir.Node) []float64
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
	if done, err := g.expand(n); done {
		return err
	}
	r, ok := dense[n.Op]
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
	var is []int64
	var fs []float64
	if r.ints != nil {
		is = r.ints(n)
	}
	if r.floats != nil {
		fs = r.floats(n)
	}
	if n.Is(ir.IConv) && usesPlanes(n) {
		lo, hi, acc, err := g.bounds(n)
		if err != nil {
			return err
		}
		consts = append(consts, lo, hi)
		is = append(is, int64(acc))
	}
	return g.emit(op, n.Loc.Name, in, n.Results, consts, is, fs)
}

// The functions below translate attributes.

func ints(names ...string) func(n *ir.Node) []int64 {
	return func(n *ir.Node) []int64 {
		var out []int64
		for _, name := range names {
			v := n.Int(name)
			if name == "axis" && v < 0 {
				v += n.In(0).Rank()
			}
			out = append(out, int64(v))
		}
		return out
	}
}

func bools(names ...string) func(n *ir.Node) []int64 {
	return func(n *ir.Node) []int64 {
		out := make([]int64, len(names))
		for i, name := range names {
			if n.Bool(name) {
				out[i] = 1
			}
		}
		return out
	}
}

func floats(names ...string) func(n *ir.Node) []float64 {
	return func(n *ir.Node) []float64 {
		var out []float64
		for _, name := range names {
			out = append(out, n.Float(name))
		}
		return out
	}
}

// spread returns the first k entries of an attribute, or fill where it is empty.
func spread(n *ir.Node, name string, k int, fill int64) []int64 {
	out := make([]int64, k)
	for i := range out {
		out[i] = fill
		if v := n.Ints(name); i < len(v) {
			out[i] = int64(v[i])
		}
	}
	return out
}
