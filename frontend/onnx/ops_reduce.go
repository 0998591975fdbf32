package onnx

import (
	"math"

	"github.com/billnet/billnet/ir"
)

var reduceOps = map[string]handler{
	"ArgMax":          {1, 1, argMax},
	"ArgMin":          {1, 1, argMin},
	"ReduceMax":       {1, 2, reduce("reduce_max")},
	"ReduceMean":      {1, 2, reduce("reduce_mean")},
	"ReduceMin":       {1, 2, reduce("reduce_min")},
	"ReduceProd":      {1, 2, reduce("reduce_prod")},
	"ReduceSum":       {1, 2, reduce("reduce_sum")},
	"ReduceL1":        {1, 2, reduceL1},
	"ReduceL2":        {1, 2, reduceL2},
	"ReduceLogSum":    {1, 2, reduceLogSum},
	"ReduceLogSumExp": {1, 2, reduceLogSumExp},
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

func reduceLogSum(c *call) []*ir.Value {
	return one(c.op("log", c.reduce("reduce_sum", c.args[0])))
}

// reduceLogSumExp is log(sum(exp(x))), as m + log(sum(exp(x - m))) with the
// largest element m, or 0 where that is infinite, so that exp does not overflow.
func reduceLogSumExp(c *call) []*ir.Value {
	x := c.args[0]
	axes, _ := c.intsOr(1, "axes")
	keep := c.bool("keepdims", true)
	if c.bool("noop_with_empty_axes", false) && len(axes) == 0 {
		return one(x) // log(exp(x))
	}
	all, dropped := attrs{"axes": axes}, attrs{"axes": axes, "keepdims": keep}
	m := c.emit("reduce_max", all, x)
	m = c.op("where", c.op("less", c.op("abs", m), c.like(x, math.Inf(1))), m, c.like(x, 0))
	y := c.op("log", c.emit("reduce_sum", dropped, c.op("exp", c.op("sub", x, m))))
	return one(c.op("add", y, c.reshape(m, y.Type.Shape)))
}

// argAttrs are the attributes of ArgMax and ArgMin.
func (c *call) argAttrs() attrs {
	return attrs{
		"axis":        c.int("axis", 0),
		"keepdims":    c.bool("keepdims", true),
		"select_last": c.bool("select_last_index", false),
	}
}

func argMax(c *call) []*ir.Value { return one(c.emit("arg_max", c.argAttrs(), c.args[0])) }

// argMin is arg_max of the elements in reverse order: -x, or for integers,
// whose least has no negative, their distance from the largest.
func argMin(c *call) []*ir.Value {
	x := c.args[0]
	if d := x.Type.DType; d.IsFloat() {
		x = c.op("neg", x)
	} else {
		lo, hi := d.Range()
		x = c.op("sub", c.constant(ir.IntTensor(d, []int64{lo + hi})), x)
	}
	return one(c.emit("arg_max", c.argAttrs(), x))
}
