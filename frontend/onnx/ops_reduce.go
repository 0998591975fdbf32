package onnx

import "github.com/billnet/billnet/ir"

var reduceOps = map[string]handler{
	"ArgMax":          {1, 1, argMax},
	"ReduceMax":       {1, 2, reduce("reduce_max")},
	"ReduceMean":      {1, 2, reduce("reduce_mean")},
	"ReduceMin":       {1, 2, reduce("reduce_min")},
	"ReduceProd":      {1, 2, reduce("reduce_prod")},
	"ReduceSum":       {1, 2, reduce("reduce_sum")},
	"ReduceL1":        {1, 2, reduceL1},
	"ReduceL2":        {1, 2, reduceL2},
	"ReduceSumSquare": {1, 2, reduceSumSquare},
}

// reduce: the axes are an attribute in early versions, an input in later ones.
func reduce(op string) func(c *call) []*ir.Value {
	return func(c *call) []*ir.Value { return one(c.reduce(op, c.args[0])) }
}

func (c *call) reduce(op string, x *ir.Value) *ir.Value {
	axes, _ := c.intsOr(1, "axes")
	keep := c.bool("keepdims", true)
	if c.bool("noop_with_empty_axes", false) && len(axes) == 0 {
		return x
	}
	return c.emit(op, attrs{"axes": axes, "keepdims": keep}, x)
}

func reduceL1(c *call) []*ir.Value {
	return one(c.reduce("reduce_sum", c.emit("abs", nil, c.args[0])))
}

func reduceL2(c *call) []*ir.Value { return one(c.emit("sqrt", nil, reduceSumSquare(c)[0])) }

func reduceSumSquare(c *call) []*ir.Value {
	return one(c.reduce("reduce_sum", c.emit("mul", nil, c.args[0], c.args[0])))
}

func argMax(c *call) []*ir.Value {
	return one(c.emit("arg_max", attrs{
		"axis":        c.int("axis", 0),
		"keepdims":    c.bool("keepdims", true),
		"select_last": c.bool("select_last_index", false),
	}, c.args[0]))
}
