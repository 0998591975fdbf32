package onnx

import (
	"math"
	"slices"

	"github.com/billnet/billnet/ir"
)

var shapeOps = map[string]handler{
	"Concat":          {1, many, concat},
	"Constant":        {0, 0, constantOp},
	"ConstantOfShape": {1, 1, constantOfShape},
	"DepthToSpace":    {1, 1, depthToSpace},
	"Expand":          {2, 2, expand},
	"Flatten":         {1, 1, flatten},
	"Compress":        {2, 2, compress},
	"Gather":          {2, 2, gather},
	"GatherElements":  {2, 2, gatherElements},
	"GatherND":        {2, 2, gatherND},
	"Pad":             {1, 4, pad},
	"Range":           {3, 3, rangeOp},
	"Reshape":         {1, 2, reshapeOp},
	"Shape":           {1, 1, shapeOf},
	"Size":            {1, 1, sizeOf},
	"Slice":           {1, 5, slice},
	"Split":           {1, 2, split},
	"Squeeze":         {1, 2, squeeze},
	"Tile":            {2, 3, tile},
	"Transpose":       {1, 1, transpose},
	"Unsqueeze":       {1, 2, unsqueeze},
}

// concat: up to version 3 the axis is 1 if not given.
func concat(c *call) []*ir.Value {
	def := 0
	if c.Version < 4 {
		def = 1
	} else if !c.has("axis") {
		c.failf("attribute \"axis\" is missing")
	}
	axis := c.int("axis", def)
	return one(c.emit(ir.Concat, attrs{"axis": axis}, c.args...))
}

func constantOp(c *call) []*ir.Value {
	for _, name := range []string{"value", "sparse_value"} {
		if t := attr[*Tensor](c, name, nil); t != nil {
			v, err := c.imp.constant(t, c.Name)
			if err != nil {
				panic(stop{err})
			}
			return one(v)
		}
	}
	floats := func(v []float32, shape ...int) []*ir.Value { return one(c.constant(ir.FloatTensor(v, shape...))) }
	ints := func(v []int64, shape ...int) []*ir.Value { return one(c.constant(ir.IntTensor(ir.I64, v, shape...))) }
	switch {
	case c.has("value_float"):
		return floats([]float32{attr(c, "value_float", float32(0))})
	case c.has("value_floats"):
		v := append([]float32{}, attr[[]float32](c, "value_floats", nil)...)
		return floats(v, len(v))
	case c.has("value_int"):
		return ints([]int64{attr(c, "value_int", int64(0))})
	case c.has("value_ints"):
		v := append([]int64{}, attr[[]int64](c, "value_ints", nil)...)
		return ints(v, len(v))
	}
	c.unsupportedf("a constant that is neither a tensor nor a number")
	return nil
}

func constantOfShape(c *call) []*ir.Value {
	shape := c.constInts(0, "shape")
	v := ir.Scalar(ir.F32, 0)
	if t := attr[*Tensor](c, "value", nil); t != nil {
		var err error
		if v, err = t.convert(); err != nil {
			panic(stop{err})
		}
		if v.Len() != 1 {
			c.failf("the value is %s, expected one element", v.Type)
		}
	}
	return one(c.emit(ir.Expand, attrs{"shape": shape}, c.constant(v.Reshape())))
}

// rangeOp computes start, start+delta, ... before limit.
func rangeOp(c *call) []*ir.Value {
	start, limit, delta := c.constIn(0, "start"), c.constIn(1, "limit"), c.constIn(2, "delta")
	if start.Len() != 1 || limit.Len() != 1 || delta.Len() != 1 || limit.Type.DType != start.Type.DType || delta.Type.DType != start.Type.DType {
		c.failf("start %s, limit %s and delta %s, expected scalars of one type", start.Type, limit.Type, delta.Type)
	}
	count := math.Ceil((limit.Float(0) - start.Float(0)) / delta.Float(0))
	if !(count <= maxFold) {
		c.failf("from %v to %v by %v is more than %d values", start.Float(0), limit.Float(0), delta.Float(0), maxFold)
	}
	t := c.tensor(ir.T(start.Type.DType, max(0, int(count))))
	for i := range t.Len() {
		if t.HoldsInts() {
			t.Ints()[i] = start.Int(0) + int64(i)*delta.Int(0)
		} else {
			t.SetFloat(i, start.Float(0)+float64(i)*delta.Float(0))
		}
	}
	return one(c.constant(t))
}

// shapeOf: from version 15 on of some of the axes.
func shapeOf(c *call) []*ir.Value {
	shape := c.typ(0).Shape
	bound := func(name string, def int) int {
		v := c.int(name, def)
		if v < 0 {
			v += len(shape)
		}
		return min(max(v, 0), len(shape))
	}
	start, end := bound("start", 0), bound("end", len(shape))
	return one(c.dims(shape[start:max(start, end)]))
}

func (c *call) dims(shape []int) *ir.Value {
	v := make([]int64, len(shape))
	for i := range shape {
		v[i] = int64(shape[i])
	}
	return c.constant(ir.IntTensor(ir.I64, v, len(v)))
}

func sizeOf(c *call) []*ir.Value {
	return one(c.constant(ir.IntTensor(ir.I64, []int64{int64(c.typ(0).Elems())})))
}

func expand(c *call) []*ir.Value {
	shape := c.constInts(1, "shape")
	return one(c.emit(ir.Expand, attrs{"shape": shape}, c.args[0]))
}

// flattenAxis normalizes an axis that may also be the rank.
func (c *call) flattenAxis(axis, rank int) int {
	if axis == rank {
		return axis
	}
	return c.axis(axis, rank)
}

func flatten(c *call) []*ir.Value {
	shape := c.typ(0).Shape
	axis := c.flattenAxis(c.int("axis", 1), len(shape))
	return one(c.reshape(c.args[0], []int{elems(shape[:axis]), elems(shape[axis:])}))
}

func gather(c *call) []*ir.Value {
	return one(c.emit(ir.Gather, attrs{"axis": c.int("axis", 0)}, c.args[0], c.args[1]))
}

// compress picks the positions of an axis, or of all elements without one, where a
// condition holds, which must be known; it may be shorter than the axis.
func compress(c *call) []*ir.Value {
	x, axis := c.args[0], 0
	if c.has("axis") {
		axis = c.axis(c.int("axis", 0), x.Type.Rank())
	} else {
		x = c.emit(ir.Reshape, attrs{"shape": []int{x.Type.Elems()}}, x)
	}
	holds := c.constIn(1, "condition")
	if holds.Len() > x.Type.Shape[axis] {
		c.failf("the condition has %d elements for the %d of axis %d of %s", holds.Len(), x.Type.Shape[axis], axis, x.Type)
	}
	var at []int64
	for i, b := range holds.Ints() {
		if b != 0 {
			at = append(at, int64(i))
		}
	}
	picked := c.tensor(ir.T(ir.I64, len(at)))
	copy(picked.Ints(), at)
	return one(c.emit(ir.Gather, attrs{"axis": axis}, x, c.constant(picked)))
}

func gatherElements(c *call) []*ir.Value {
	return one(c.emit(ir.GatherElements, attrs{"axis": c.int("axis", 0)}, c.args[0], c.args[1]))
}

func gatherND(c *call) []*ir.Value {
	return one(c.emit(ir.GatherND, attrs{"batch_dims": c.int("batch_dims", 0)}, c.args[0], c.args[1]))
}

// pad: up to version 10 sizes and value are attributes.
func pad(c *call) []*ir.Value {
	name := "pads"
	if c.Version < 2 {
		name = "paddings"
	}
	pads, ok := c.intsOr(1, name)
	if !ok {
		c.failf("the sizes are missing")
	}
	value := c.in(2)
	if c.Version < 11 && c.has("value") {
		value = c.scalar(c.typ(0).DType, c.float("value", 0))
	}
	a := attrs{"pads": pads, "mode": c.str("mode", "constant")}
	if c.in(3) != nil {
		a["axes"] = c.constInts(3, "axes")
	}
	return one(c.emit(ir.Pad, a, c.args[0], value))
}

// reshapeOp resolves 0 (keep the dimension) and -1 (what is left). Up to
// version 4 the shape is an attribute.
func reshapeOp(c *call) []*ir.Value {
	shape, ok := c.intsOr(1, "shape")
	if !ok {
		c.failf("the shape is missing")
	}
	from := c.typ(0)
	shape = slices.Clone(shape)
	keep := !c.bool("allowzero", false)
	known, open := 1, -1
	for i, d := range shape {
		switch {
		case d == 0 && keep && i >= from.Rank():
			c.failf("shape %v keeps dimension %d, but x is %s", shape, i, from)
		case d == 0 && keep:
			shape[i] = from.Shape[i]
		case d == -1 && open >= 0:
			c.failf("shape %v leaves two dimensions open", shape)
		case d == -1:
			open = i
			continue
		case d < 0 || d >= ir.MaxElems:
			c.failf("shape %v: dimension %d is out of range", shape, i)
		}
		if known *= shape[i]; known >= ir.MaxElems {
			c.failf("shape %v is too large", shape)
		}
	}
	if open >= 0 {
		if known == 0 || from.Elems()%known != 0 {
			c.failf("shape %v does not divide %s", shape, from)
		}
		shape[open] = from.Elems() / known
	}
	return one(c.emit(ir.Reshape, attrs{"shape": shape}, c.args[0]))
}

// slice: up to version 9 the bounds are attributes.
func slice(c *call) []*ir.Value {
	starts, ok1 := c.intsOr(1, "starts")
	ends, ok2 := c.intsOr(2, "ends")
	if !ok1 || !ok2 {
		c.failf("starts or ends are missing")
	}
	a := attrs{"starts": starts, "ends": ends}
	if axes, ok := c.intsOr(3, "axes"); ok {
		a["axes"] = axes
	}
	if c.in(4) != nil {
		// A step beyond the axis takes its first element, as one of its size does.
		steps, most := slices.Clone(c.constInts(4, "steps")), max(1, slices.Max(append([]int{1}, c.typ(0).Shape...)))
		for i, s := range steps {
			steps[i] = min(max(s, -most), most)
		}
		a["steps"] = steps
	}
	return one(c.emit(ir.Slice, a, c.args[0]))
}

// split: the sizes are an attribute up to version 12, then an input; from
// version 18 on a number of pieces can stand for them, the last one smaller.
func split(c *call) []*ir.Value {
	axis := c.axis(c.int("axis", 0), c.typ(0).Rank())
	size := c.typ(0).Shape[axis]
	sizes, ok := c.intsOr(1, "split")
	if !ok {
		pieces := c.int("num_outputs", len(c.Outputs))
		if pieces < 1 || pieces > max(len(c.Outputs), 1) {
			c.failf("%d pieces for %d outputs", pieces, len(c.Outputs))
		}
		if c.Version < 18 && size%pieces != 0 {
			c.failf("axis %d of %s does not split into %d equal pieces", axis, c.typ(0), pieces)
		}
		each, left := (size+pieces-1)/pieces, size
		for range pieces {
			sizes = append(sizes, min(each, left))
			left -= min(each, left)
		}
	}
	return c.node(ir.Split, attrs{"axis": axis, "sizes": sizes}, c.args[0]).Results
}

// squeeze: up to version 12 the axes are an attribute.
func squeeze(c *call) []*ir.Value {
	axes, _ := c.intsOr(1, "axes")
	return one(c.emit(ir.Squeeze, attrs{"axes": axes}, c.args[0]))
}

// unsqueeze: up to version 12 the axes are an attribute.
func unsqueeze(c *call) []*ir.Value {
	axes, ok := c.intsOr(1, "axes")
	if !ok {
		c.failf("the axes are missing")
	}
	if len(axes) == 0 {
		return one(c.args[0])
	}
	return one(c.emit(ir.Unsqueeze, attrs{"axes": axes}, c.args[0]))
}

// tile: up to version 5 one axis is repeated.
func tile(c *call) []*ir.Value {
	if c.Version >= 6 {
		return one(c.emit(ir.Tile, attrs{"repeats": c.constInts(1, "repeats")}, c.args[0]))
	}
	if len(c.args) < 3 || c.args[2] == nil {
		c.failf("the axis is missing")
	}
	tiles, axis := c.constIn(1, "tiles"), c.constIn(2, "axis")
	if tiles.Len() != 1 || axis.Len() != 1 {
		c.failf("tiles %s and axis %s, expected scalars", tiles.Type, axis.Type)
	}
	repeats := ones(c.typ(0).Rank())
	repeats[c.axis(int(axis.Float(0)), len(repeats))] = int(tiles.Float(0))
	return one(c.emit(ir.Tile, attrs{"repeats": repeats}, c.args[0]))
}

func transpose(c *call) []*ir.Value {
	return one(c.emit(ir.Transpose, attrs{"perm": c.ints("perm")}, c.args[0]))
}

func depthToSpace(c *call) []*ir.Value {
	return one(c.emit(ir.DepthToSpace, attrs{"blocksize": c.int("blocksize", 0), "mode": c.str("mode", "DCR")}, c.args[0]))
}
