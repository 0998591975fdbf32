package onnx

import (
	"slices"
	"strings"

	"github.com/billnet/billnet/ir"
)

// Scattering at places that are known is moving: a box of them is cut out and
// replaced, any others are gathered from both operands. Elsewhere it is rows of x
// that are replaced, at computed positions.
var scatterOps = map[string]handler{
	"Scatter":         {3, 3, scatterElements},
	"ScatterElements": {3, 3, scatterElements},
	"ScatterND":       {3, 3, scatterND},
}

// scatterElements puts updates[i] at x[..., indices[i], ...] along one axis.
func scatterElements(c *call) []*ir.Value {
	x, idx, upd := c.args[0], c.args[1], c.args[2]
	axis := c.axis(c.int("axis", 0), x.Type.Rank())
	if idx.Type.Rank() != x.Type.Rank() || !ir.SameShape(idx.Type.Shape, upd.Type.Shape) {
		c.failf("indices are %s and updates are %s, expected one shape with the axes of %s", idx.Type, upd.Type, x.Type)
	}
	for a, d := range idx.Type.Shape {
		if a != axis && d > x.Type.Shape[a] {
			c.failf("indices are %s, larger than %s on axis %d", idx.Type, x.Type, a)
		}
	}
	strides := rowMajor(x.Type.Shape)
	at := c.op(ir.Mul, c.fromFront(idx, x.Type.Shape[axis]), c.scalar(ir.I64, float64(strides[axis])))
	for a, d := range idx.Type.Shape {
		if a != axis && d > 1 {
			at = c.op(ir.Add, at, c.op(ir.Mul, c.counter(d, a, idx.Type.Rank()), c.scalar(ir.I64, float64(strides[a]))))
		}
	}
	n := idx.Type.Elems()
	return one(c.scatter(x, c.reshape(at, []int{n}), c.reshape(upd, []int{n}), 1))
}

// scatterND puts slices of updates at the coordinates in the last axis of
// indices.
func scatterND(c *call) []*ir.Value {
	x, idx, upd := c.args[0], c.args[1], c.args[2]
	rank := idx.Type.Rank()
	if rank == 0 || idx.Type.Shape[rank-1] > x.Type.Rank() {
		c.failf("indices are %s, expected coordinates of %s in the last axis", idx.Type, x.Type)
	}
	r := idx.Type.Shape[rank-1]
	lead, inner := idx.Type.Shape[:rank-1], x.Type.Shape[r:]
	if want := append(slices.Clone(lead), inner...); !ir.SameShape(upd.Type.Shape, want) {
		c.failf("updates are %s, expected shape %s", upd.Type, ir.ShapeString(want))
	}
	rows, size := elems(lead), elems(inner)
	switch r {
	case 0:
		c.unsupportedf("with coordinates of no axes")
	case 1:
		if _, err := c.imp.fold(idx); err != nil || c.reduction() != "none" {
			return one(c.emit(ir.Scatter, attrs{"reduction": c.reduction()}, x, c.reshape(c.cast(idx, ir.I64), []int{rows}), c.reshape(upd, append([]int{rows}, inner...))))
		}
	}
	strides := rowMajor(x.Type.Shape[:r])
	var at *ir.Value
	for a := range r {
		k := c.emit(ir.Slice, attrs{"axes": []int{rank - 1}, "starts": []int{a}, "ends": []int{a + 1}}, idx)
		k = c.op(ir.Mul, c.fromFront(k, x.Type.Shape[a]), c.scalar(ir.I64, float64(strides[a])))
		if at == nil {
			at = k
		} else {
			at = c.op(ir.Add, at, k)
		}
	}
	return one(c.scatter(x, c.reshape(at, []int{rows}), c.reshape(upd, []int{rows, size}), size))
}

// rowMajor returns the distance of neighbours along every axis.
func rowMajor(shape []int) []int {
	strides := make([]int, len(shape))
	n := 1
	for a := len(shape) - 1; a >= 0; a-- {
		strides[a] = n
		n *= shape[a]
	}
	return strides
}

// fromFront makes indices that count from the back of an axis count from its
// front.
func (c *call) fromFront(idx *ir.Value, size int) *ir.Value {
	idx = c.cast(idx, ir.I64)
	return c.op(ir.Where, c.op(ir.Less, idx, c.scalar(ir.I64, 0)), c.op(ir.Add, idx, c.scalar(ir.I64, float64(size))), idx)
}

// scatter replaces rows of x, as a matrix with rows of size elements, by those
// of updates; at has one row number for each.
func (c *call) scatter(x, at, updates *ir.Value, size int) *ir.Value {
	if x.Type.Elems() == 0 || updates.Type.Elems() == 0 {
		return x
	}
	count := x.Type.Elems() / size
	if known, err := c.imp.fold(at); err == nil && c.reduction() == "none" {
		for i, row := range known.Ints() {
			if row < 0 || row >= int64(count) {
				c.failf("index %d points outside of %s", i, x.Type)
			}
		}
		if y := c.replaceBox(x, known.Ints(), updates, size); y != nil {
			return y
		}
		return c.pick(x, known.Ints(), updates, size)
	}
	y := c.emit(ir.Scatter, attrs{"reduction": c.reduction()}, c.reshape(x, []int{count, size}), at, c.reshape(updates, []int{at.Type.Elems(), size}))
	return c.reshape(y, x.Type.Shape)
}

func (c *call) reduction() string { return strings.ToLower(c.str("reduction", "none")) }

// replaceBox is scatter where the rows, in order, are all those of a box within
// x: what lies around it is joined with the updates. It returns nil elsewhere.
func (c *call) replaceBox(x *ir.Value, rows []int64, updates *ir.Value, size int) *ir.Value {
	shape := x.Type.Shape
	lead := len(shape) // axes that rows count
	for n := 1; lead > 0 && n < size; lead-- {
		n *= shape[lead-1]
	}
	strides := rowMajor(shape[:lead])
	start, end := make([]int, len(shape)), slices.Clone(shape)
	first, last := int(rows[0]), int(rows[len(rows)-1])
	count := 1
	for a := range lead {
		start[a], end[a] = first/strides[a]%shape[a], last/strides[a]%shape[a]+1
		if end[a] <= start[a] {
			return nil
		}
		count *= end[a] - start[a]
	}
	if count != len(rows) {
		return nil
	}
	for i, row := range rows {
		at := 0
		for a, left := lead-1, i; a >= 0; a-- {
			n := end[a] - start[a]
			at += (start[a] + left%n) * strides[a]
			left /= n
		}
		if int64(at) != row {
			return nil
		}
	}
	box := make([]int, len(shape))
	for a := range box {
		box[a] = end[a] - start[a]
	}
	return c.around(x, c.reshape(updates, box), start, end, 0)
}

// around joins the parts of x outside of a box, from an axis on, with what
// stands in the box.
func (c *call) around(x, box *ir.Value, start, end []int, axis int) *ir.Value {
	for axis < len(start) && start[axis] == 0 && end[axis] == x.Type.Shape[axis] {
		axis++
	}
	if axis == len(start) {
		return box
	}
	cut := func(from, to int) *ir.Value {
		return c.emit(ir.Slice, attrs{"axes": []int{axis}, "starts": []int{from}, "ends": []int{to}}, x)
	}
	var parts []*ir.Value
	if start[axis] > 0 {
		parts = append(parts, cut(0, start[axis]))
	}
	parts = append(parts, c.around(cut(start[axis], end[axis]), box, start, end, axis+1))
	if end[axis] < x.Type.Shape[axis] {
		parts = append(parts, cut(end[axis], x.Type.Shape[axis]))
	}
	return c.emit(ir.Concat, attrs{"axis": axis}, parts...)
}

// pick gathers every row from where it comes: x or the last update of it.
func (c *call) pick(x *ir.Value, rows []int64, updates *ir.Value, size int) *ir.Value {
	count := x.Type.Elems() / size
	from := c.tensor(ir.T(ir.I64, count))
	for i := range from.Ints() {
		from.Ints()[i] = int64(i)
	}
	for i, row := range rows {
		from.Ints()[row] = int64(count + i)
	}
	both := c.emit(ir.Concat, attrs{"axis": 0}, c.reshape(x, []int{count, size}), c.reshape(updates, []int{len(rows), size}))
	return c.reshape(c.emit(ir.Gather, attrs{"axis": 0}, both, c.constant(from)), x.Type.Shape)
}
