package onnx

import (
	"math"

	"github.com/billnet/billnet/ir"
)

// Operators on positions along axes.
var indexOps = map[string]handler{
	"CumSum":          {2, 2, cumSum},
	"Einsum":          {1, many, einsum},
	"EyeLike":         {1, 1, eyeLike},
	"NonZero":         {1, 1, nonZero},
	"OneHot":          {3, 3, oneHot},
	"ReverseSequence": {2, 2, reverseSequence},
	"SpaceToDepth":    {1, 1, spaceToDepth},
	"TopK":            {1, 2, topK},
	"Trilu":           {1, 2, trilu},
}

// cumSum is running sums, of what comes before an element where it is exclusive.
func cumSum(c *call) []*ir.Value {
	x := c.args[0]
	where := c.constIn(1, "axis")
	if where.Len() != 1 {
		c.failf("the axis is %s, expected one integer", where.Type)
	}
	axis := c.axis(int(where.Float(0)), x.Type.Rank())
	back := c.bool("reverse", false)
	if c.bool("exclusive", false) {
		x = c.delay(x, axis, 1, back)
	}
	return one(c.emit(ir.CumSum, attrs{"axis": axis, "reverse": back}, x))
}

// delay moves x along an axis by d places, towards its front with back; zeros
// come in.
func (c *call) delay(x *ir.Value, axis, d int, back bool) *ir.Value {
	rank := x.Type.Rank()
	pads := make([]int, 2*rank)
	d = min(d, x.Type.Shape[axis])
	if back {
		d = -d
	}
	pads[axis], pads[rank+axis] = d, -d
	return c.emit(ir.Pad, attrs{"pads": pads}, x)
}

// eyeLike is a constant: ones on a diagonal.
func eyeLike(c *call) []*ir.Value {
	x := c.typ(0)
	if x.Rank() != 2 {
		c.failf("x is %s, expected a matrix", x)
	}
	d := x.DType
	if to := DType(c.int("dtype", 0)); to != Undefined {
		if d = irTypes[to]; d == ir.Invalid {
			c.unsupportedf("to element type %s", to)
		}
	}
	t, k := c.tensor(ir.T(d, x.Shape...)), c.int("k", 0)
	for i := range x.Shape[0] {
		if j := i + k; j >= 0 && j < x.Shape[1] {
			t.SetFloat(i*x.Shape[1]+j, 1)
		}
	}
	return one(c.constant(t))
}

// nonZero lists the coordinates of what is not 0 in a constant: how many there
// are decides the shape.
func nonZero(c *call) []*ir.Value {
	x := c.constIn(0, "tensor whose non-zero elements are listed")
	shape := x.Type.Shape
	var found []int
	for i := range x.Len() {
		if x.Float(i) != 0 {
			found = append(found, i)
		}
	}
	strides := rowMajor(shape)
	t := c.tensor(ir.T(ir.I64, len(shape), len(found)))
	for a := range shape {
		for k, i := range found {
			t.Ints()[a*len(found)+k] = int64(i / strides[a] % shape[a])
		}
	}
	return one(c.constant(t))
}

// oneHot compares indices with the numbers along a new axis; those from -depth
// to -1 count from the back, those outside are off everywhere.
func oneHot(c *call) []*ir.Value {
	idx, values := c.args[0], c.args[2]
	t := c.constIn(1, "depth")
	if t.Len() != 1 || !(t.Float(0) >= 0 && t.Float(0) < ir.MaxElems) {
		c.failf("the depth is %s, expected one number that is not negative", t.Type)
	}
	if values.Type.Elems() != 2 {
		c.failf("values are %s, expected those for off and on", values.Type)
	}
	depth, rank := int(t.Float(0)), idx.Type.Rank()+1
	axis := c.axis(c.int("axis", -1), rank)
	idx = c.fromFront(c.emit(ir.Unsqueeze, attrs{"axes": []int{axis}}, idx), depth)
	pick := func(i int) *ir.Value {
		return c.reshape(c.emit(ir.Slice, attrs{"axes": []int{0}, "starts": []int{i}, "ends": []int{i + 1}}, c.reshape(values, []int{2})), nil)
	}
	return one(c.op(ir.Where, c.op(ir.Equal, idx, c.counter(depth, axis, rank)), pick(1), pick(0)))
}

// reverseSequence gathers the first elements of every sequence from the last
// one on; the others stay.
func reverseSequence(c *call) []*ir.Value {
	x, lens := c.args[0], c.cast(c.args[1], ir.I64)
	rank := x.Type.Rank()
	batch, time := c.axis(c.int("batch_axis", 1), rank), c.axis(c.int("time_axis", 0), rank)
	if batch == time || lens.Type.Rank() != 1 || lens.Type.Shape[0] != x.Type.Shape[batch] {
		c.failf("lengths are %s along axis %d, x is %s with time along axis %d", lens.Type, batch, x.Type, time)
	}
	shape := ones(rank)
	shape[batch] = x.Type.Shape[batch]
	lens = c.reshape(lens, shape)
	at := c.counter(x.Type.Shape[time], time, rank)
	mirror := c.op(ir.Sub, c.op(ir.Sub, lens, at), c.scalar(ir.I64, 1))
	at = c.op(ir.Where, c.op(ir.Less, at, lens), mirror, at)
	at = c.emit(ir.Expand, attrs{"shape": x.Type.Shape}, at)
	return one(c.emit(ir.GatherElements, attrs{"axis": time}, x, at))
}

// spaceToDepth moves blocks of positions into channels: those of a block first
// (DCR), or those of a channel (CRD).
func spaceToDepth(c *call) []*ir.Value {
	x, b := c.typ(0), c.int("blocksize", 0)
	if x.Rank() != 4 || b < 1 || x.Shape[2]%b != 0 || x.Shape[3]%b != 0 {
		c.failf("x is %s, expected [N,C,H,W] with sides that %d divides", x, b)
	}
	perm := []int{0, 3, 5, 1, 2, 4}
	switch mode := c.str("mode", "DCR"); mode {
	case "DCR":
	case "CRD":
		perm = []int{0, 1, 3, 5, 2, 4}
	default:
		c.failf("mode is %q, expected DCR or CRD", mode)
	}
	n, ch, h, w := x.Shape[0], x.Shape[1], x.Shape[2]/b, x.Shape[3]/b
	v := c.emit(ir.Transpose, attrs{"perm": perm}, c.reshape(c.args[0], []int{n, ch, h, b, w, b}))
	return one(c.reshape(v, []int{n, ch * b * b, h, w}))
}

// topK: up to version 9 k is an attribute.
func topK(c *call) []*ir.Value {
	x := c.typ(0)
	k := c.int("k", 0)
	if c.Version >= 10 {
		t := c.constIn(1, "number of elements")
		if t.Len() != 1 {
			c.failf("k is %s, expected one integer", t.Type)
		}
		k = int(t.Float(0))
	}
	c.has("sorted") // sorted elements are right in either case
	a := attrs{"axis": c.axis(c.int("axis", -1), x.Rank()), "k": k, "largest": c.bool("largest", true)}
	return c.node(ir.TopK, a, c.args[0]).Results
}

// trilu keeps a triangle of the last two axes.
func trilu(c *call) []*ir.Value {
	x := c.typ(0)
	rank := x.Rank()
	if rank < 2 {
		c.failf("x is %s, expected matrices", x)
	}
	k := 0
	if c.in(1) != nil {
		t := c.constIn(1, "diagonal")
		if t.Len() != 1 {
			c.failf("k is %s, expected one integer", t.Type)
		}
		k = int(max(min(t.Float(0), math.MaxInt32), math.MinInt32))
	}
	h, w := x.Shape[rank-2], x.Shape[rank-1]
	mask, upper := c.tensor(ir.T(ir.Bool, h, w)), c.bool("upper", true)
	for i := range mask.Ints() {
		row, col := i/w, i%w
		mask.Ints()[i] = int64(b2i(upper && col >= row+k || !upper && col <= row+k))
	}
	return one(c.op(ir.Where, c.constant(mask), c.args[0], c.like(c.args[0], 0)))
}
