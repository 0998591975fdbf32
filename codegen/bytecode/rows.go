package bytecode

import (
	"slices"

	"github.com/billnet/billnet/ir"
	"github.com/billnet/billnet/runtime/billb"
)

// What one instruction of rows computes at most: operations, and elements of a row, which should stay in cache.
const (
	maxRowOps = 64
	maxRow    = 1 << 15
)

// A rowGroup is reductions of rows and elementwise operations around them that become one instruction: a normalization, mostly. Only
// its last value is read by others.
type rowGroup struct {
	g     *gen
	shape []int // of the values that are reduced
	axes  int   // the last ones, which are a row
	n     int   // elements of a row
	nodes []*ir.Node
}

// rowGroups finds the groups of a function. A group is emitted at its last node, when all it reads is there.
func (g *gen) rowGroups(f *ir.Func) {
	if g.rows {
		return
	}
	order := map[*ir.Node]int{}
	for i, n := range f.Nodes {
		order[n] = i
	}
	for i, n := range f.Nodes {
		r := g.beginRows(n)
		if r == nil {
			continue
		}
		r.grow(f.Nodes[i+1:])
		r.before()
		if !r.worthwhile() {
			continue
		}
		slices.SortFunc(r.nodes, func(a, b *ir.Node) int { return order[a] - order[b] })
		for _, m := range r.nodes {
			g.chained[m] = true
		}
		g.rowsAt[r.last()] = r
	}
}

// last is the node whose value others read.
func (r *rowGroup) last() *ir.Node { return r.nodes[len(r.nodes)-1] }

// worthwhile: values of whole rows are read, and some are made that need no memory then.
func (r *rowGroup) worthwhile() bool {
	made := slices.ContainsFunc(r.nodes, func(n *ir.Node) bool { return r.full(n.Result().Type) })
	in := r.reads()
	return made && len(in) > 0 && r.full(in[0].Type) && r.g.constOf(in[0]) == nil
}

// beginRows starts a group at a reduction of the last axes, or returns nil.
func (g *gen) beginRows(n *ir.Node) *rowGroup {
	op, ok := rowOp(n)
	if !ok || !op.Reduces() || g.chained[n] || len(n.Results) != 1 {
		return nil
	}
	x, y := n.In(0), n.Result().Type
	k := len(reduce(n).(*billb.Reduce).Axes)
	r := &rowGroup{g: g, shape: x.Shape, axes: k, n: 1, nodes: []*ir.Node{n}}
	for _, d := range x.Shape[x.Rank()-k:] {
		r.n *= d
	}
	if r.n < 2 || r.n > maxRow || x.Elems() == 0 || !r.single(y) || !r.takes(n) {
		return nil
	}
	return r
}

// rowOp is what a node is in a program on rows: the operation of its name. A square is a product.
func rowOp(n *ir.Node) (billb.RowOp, bool) {
	name := n.Op.Name
	if n.Is(ir.Pow) {
		if two, ok := ir.Splat(n.Args[1]); !ok || two != 2 || n.In(1).Elems() != 1 {
			return 0, false
		}
		name = ir.Mul.Name
	}
	code, ok := billb.Lookup(name)
	if !ok {
		return 0, false
	}
	return billb.RowOpOf(code)
}

// full and single report floats that have an element for every element of a row, or one for each.
func (r *rowGroup) full(t ir.Type) bool {
	return t.DType == ir.F32 && !t.Layout.Planes && ir.SameShape(t.Shape, r.shape)
}

func (r *rowGroup) single(t ir.Type) bool {
	if t.DType != ir.F32 || t.Layout.Planes || t.Rank() != len(r.shape) {
		return false
	}
	rows := len(r.shape) - r.axes
	return slices.Equal(t.Shape[:rows], r.shape[:rows]) && !slices.ContainsFunc(t.Shape[rows:], func(d int) bool { return d != 1 })
}

// constant reports a constant of one element or of a row.
func (r *rowGroup) constant(v *ir.Value) bool {
	t, shape := r.aligned(v)
	rows := len(r.shape) - r.axes
	return t != nil && (t.Len() == 1 || t.Len() == r.n && slices.Equal(shape[rows:], r.shape[rows:]))
}

// perRow reports a constant of one element for every row.
func (r *rowGroup) perRow(v *ir.Value) bool {
	t, shape := r.aligned(v)
	return t != nil && r.single(ir.T(ir.F32, shape...))
}

// aligned is a constant of floats and its shape with as many axes as the values that are reduced; nil for other values.
func (r *rowGroup) aligned(v *ir.Value) (*ir.Tensor, []int) {
	t := r.g.constOf(v)
	if t == nil || t.Type.DType != ir.F32 || t.Type.Rank() > len(r.shape) {
		return nil, nil
	}
	return t, slices.Concat(slices.Repeat([]int{1}, len(r.shape)-t.Type.Rank()), t.Type.Shape)
}

// takes reports a node whose operands and result a program on these rows may have.
func (r *rowGroup) takes(n *ir.Node) bool {
	op, ok := rowOp(n)
	if !ok || r.g.chained[n] || len(n.Results) != 1 {
		return false
	}
	y := n.Result().Type
	if op.Reduces() {
		axes := reduce(n).(*billb.Reduce).Axes
		return r.full(n.In(0)) && r.single(y) && len(axes) == r.axes && axes[0] == len(r.shape)-r.axes && r.g.constOf(n.Args[0]) == nil
	}
	if !r.full(y) && !r.single(y) {
		return false
	}
	args := n.Args
	if n.Is(ir.Pow) {
		args = args[:1]
	}
	if op.Pair() && len(n.Args) != 2 { // max and min of any number
		return false
	}
	fed := false
	for _, a := range args {
		computed := r.g.constOf(a) == nil
		if fed = fed || computed; !r.constant(a) && !r.perRow(a) && !(computed && (r.full(a.Type) || r.single(a.Type))) {
			return false
		}
	}
	return fed
}

// grow takes what reads the group, up to the last node whose value is the only one that others read.
func (r *rowGroup) grow(nodes []*ir.Node) {
	best := len(r.nodes)
	for _, n := range nodes {
		if len(r.nodes) == maxRowOps {
			break
		}
		if n.Op == ir.Const || !slices.ContainsFunc(n.Args, r.has) || !r.takes(n) {
			continue
		}
		if r.nodes = append(r.nodes, n); r.closed() {
			best = len(r.nodes)
		}
	}
	r.nodes = r.nodes[:best]
}

// has reports a value of the group.
func (r *rowGroup) has(v *ir.Value) bool {
	return v != nil && v.Def != nil && slices.Contains(r.nodes, v.Def)
}

// closed reports that nothing else reads the values of the group but for its last node's.
func (r *rowGroup) closed() bool {
	for _, n := range r.nodes[:len(r.nodes)-1] {
		if !r.own(n.Result()) {
			return false
		}
	}
	return true
}

// own reports a value that only the group reads.
func (r *rowGroup) own(v *ir.Value) bool {
	return !r.g.results[v] && len(r.g.uses[v]) > 0 && !slices.ContainsFunc(r.g.uses[v], func(n *ir.Node) bool { return !slices.Contains(r.nodes, n) })
}

// before takes operations in front of the reductions that only the group reads, such as a square.
func (r *rowGroup) before() {
	for i := 0; i < len(r.nodes) && len(r.nodes) < maxRowOps; i++ {
		for _, a := range r.nodes[i].Args {
			if a != nil && a.Def != nil && a.Def.Op != ir.Const && !r.has(a) && r.own(a) && r.takes(a.Def) {
				r.nodes = append(r.nodes, a.Def)
				i = -1
				break
			}
		}
	}
}

// reads are the values that the group reads and does not make: the first has an element for every element of a row.
func (r *rowGroup) reads() []*ir.Value {
	var full, single []*ir.Value
	for _, n := range r.nodes {
		for _, a := range n.Args {
			switch {
			case a == nil || r.has(a) || r.constant(a) || slices.Contains(full, a) || slices.Contains(single, a):
			case r.full(a.Type) && r.g.constOf(a) == nil:
				full = append(full, a)
			default:
				single = append(single, a)
			}
		}
	}
	return append(full, single...)
}

// emit writes the group as one instruction.
func (r *rowGroup) emit() error {
	g, in := r.g, r.reads()
	number := map[*ir.Value]int{}
	var operands, consts []int
	for i, v := range in {
		operands, number[v] = append(operands, g.operand(v)), i
	}
	for _, n := range r.nodes {
		for _, a := range n.Args {
			if _, ok := number[a]; !ok && a != nil && r.constant(a) {
				consts, number[a] = append(consts, g.constant(g.constOf(a))), len(in)+len(consts)
			}
		}
	}
	p := &billb.Rows{N: r.n}
	for i, n := range r.nodes {
		op, _ := rowOp(n)
		a, b := number[n.Args[0]], 0
		switch {
		case n.Is(ir.Pow):
			b = a
		case op.Pair():
			b = number[n.Args[1]]
		}
		p.Ops, p.A, p.B = append(p.Ops, op), append(p.A, a), append(p.B, b)
		number[n.Result()] = len(in) + len(consts) + i
	}
	return g.emit(billb.OpRows.String(), r.last().Loc.Name, operands, r.last().Results, consts, p)
}
