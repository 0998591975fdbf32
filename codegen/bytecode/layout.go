package bytecode

import (
	"slices"

	"github.com/billnet/billnet/ir"
)

// reshape shares the memory of its operand where it can.
func reshape(e *expansion, n *ir.Node) []*ir.Value {
	g, x, y := e.g, n.Args[0], &ir.Value{Type: n.Result().Type}
	if t := g.constOf(x); t != nil {
		return []*ir.Value{e.constant(t.Reshape(y.Type.Shape...))}
	}
	if ir.SameShape(x.Type.Shape, y.Type.Shape) {
		return []*ir.Value{x}
	}
	if e.err = g.emit("reshape", n.Loc.Name, []int{g.operand(x)}, []*ir.Value{y}, nil, nil); e.err != nil {
		return nil
	}
	if !g.isInput(x) {
		g.group[g.buffer(y)] = g.group[g.buffer(x)]
	}
	return []*ir.Value{y}
}

// split emits a slice for every part that is read.
func split(e *expansion, n *ir.Node) []*ir.Value {
	rank := n.In(0).Rank()
	axis, err := ir.Axis(n.Int("axis"), rank)
	if err != nil {
		e.err = err
		return nil
	}
	at, parts := 0, make([]*ir.Value, len(n.Results))
	for k, r := range n.Results {
		if len(e.g.uses[r]) > 0 {
			part := whole(rank)
			part.Start[axis] = at
			parts[k] = e.instruction("slice", r.Type, part, n.Args[0])
		}
		at += r.Type.Shape[axis]
	}
	return parts
}

// depthToSpace splits the channels into (row, column, channel), or (channel,
// row, column) in mode CRD, and moves row and column behind their axes.
func depthToSpace(e *expansion, n *ir.Node) []*ir.Value {
	x, y, b := n.In(0).Shape, n.Result().Type.Shape, n.Int("blocksize")
	shape, perm := []int{x[0], b, b, y[1], x[2], x[3]}, []int{0, 3, 4, 1, 5, 2}
	if n.Str("mode") == "CRD" {
		shape, perm = []int{x[0], y[1], b, b, x[2], x[3]}, []int{0, 1, 4, 2, 5, 3}
	}
	v := e.op(ir.Transpose, map[string]any{"perm": perm}, e.reshape(n.Args[0], shape))
	return []*ir.Value{e.reshape(v, y)}
}

// resize emits a gather for every axis that changes.
func resize(e *expansion, n *ir.Node) []*ir.Value {
	v := n.Args[0]
	for a, d := range n.In(0).Shape {
		to := n.Ints("sizes")[a]
		if d == to && (len(n.Floats("scales")) == 0 || n.Floats("scales")[a] == 1) {
			continue
		}
		index, moved := e.table(ir.I32, to), d != to
		if index == nil {
			return nil
		}
		for i, from := range ir.ResizeSource(n, a) {
			index.Ints()[i] = int64(from)
			moved = moved || from != i
		}
		if moved {
			v = e.op(ir.Gather, map[string]any{"axis": a}, v, e.constant(index))
		}
	}
	return []*ir.Value{v}
}

// gather gives the instruction the index types it takes.
func gather(e *expansion, n *ir.Node) []*ir.Value {
	if d := n.In(1).DType; d == ir.I32 || d == ir.I64 {
		return nil
	}
	return e.again([]*ir.Value{n.Args[0], e.cast(n.Args[1], ir.I64)})
}

// gatherND turns every row of indices into one index of x with its first axes
// merged. Coordinate k on an axis becomes k times the elements behind it by a
// gather of its own, which counts negative ones from the end and refuses those
// out of range. Every batch has its own elements to begin with.
func gatherND(e *expansion, n *ir.Node) []*ir.Value {
	x, idx, y := n.In(0), n.In(1), n.Result().Type
	if y.Elems() == 0 {
		return []*ir.Value{e.constant(ir.NewTensor(y))}
	}
	if x.Elems() == 0 {
		return e.missing("no elements to gather from")
	}
	batch, last := n.Int("batch_dims"), idx.Rank()-1
	rows, coords := idx.Shape[:last], idx.Shape[last]
	size := ir.T(ir.I64, x.Shape[batch:batch+coords]...).Elems()
	shape := append(slices.Clone(rows[:batch]), slices.Repeat([]int{1}, last-batch)...)
	if coords == 0 { // nothing is added that has all rows
		shape = rows
	}
	first := e.table(ir.I64, shape...)
	if first == nil {
		return nil
	}
	perBatch := ir.T(ir.I64, shape[batch:]...).Elems()
	for i := range first.Ints() {
		first.Ints()[i] = int64(i / perBatch * size)
	}
	at := e.constant(first)
	step := size
	for a := range coords {
		d := x.Shape[batch+a]
		step /= d
		table := e.table(ir.I64, d)
		if table == nil {
			return nil
		}
		for k := range table.Ints() {
			table.Ints()[k] = int64(k * step)
		}
		column := e.op(ir.Slice, map[string]any{"starts": []int{a}, "ends": []int{a + 1}, "axes": []int{last}}, n.Args[1])
		at = e.op(ir.Add, nil, at, e.op(ir.Gather, nil, e.constant(table), e.reshape(column, rows)))
	}
	merged := append([]int{size * ir.T(ir.I64, x.Shape[:batch]...).Elems()}, x.Shape[batch+coords:]...)
	return []*ir.Value{e.op(ir.Gather, nil, e.reshape(n.Args[0], merged), at)}
}
