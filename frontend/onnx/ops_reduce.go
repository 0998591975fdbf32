package onnx

import (
	"math"

	"github.com/billnet/billnet/ir"
)

var reduceOps = map[string]handler{
	"ArgMax":          {1, 1, argMax},
	"ArgMin":          {1, 1, argMin},
	"ReduceMax":       {1, 2, reduce(ir.ReduceMax)},
	"ReduceMean":      {1, 2, reduce(ir.ReduceMean)},
	"ReduceMin":       {1, 2, reduce(ir.ReduceMin)},
	"ReduceProd":      {1, 2, reduce(ir.ReduceProd)},
	"ReduceSum":       {1, 2, reduce(ir.ReduceSum)},
	"ReduceL1":        {1, 2, reduceL1},
	"ReduceL2":        {1, 2, reduceL2},
	"ReduceLogSum":    {1, 2, reduceLogSum},
	"ReduceLogSumExp": {1, 2, reduceLogSumExp},
	"ReduceSumSquare": {1, 2, reduceSumSquare},
}

// reduce: the axes are an attribute in early versions, an input in later ones.
func reduce(op *ir.Op) func(c *call) []*ir.Value {
	return func(c *call) []*ir.Value { return one(c.reduce(op, c.args[0])) }
}

func (c *call) reduce(op *ir.Op, x *ir.Value) *ir.Value {
	axes, _ := c.intsOr(1, "axes")
	keep := c.bool("keepdims", true)
	if c.bool("noop_with_empty_axes", false) && len(axes) == 0 {
		return x
	}
	return c.emit(op, attrs{"axes": axes, "keepdims": keep}, x)
}

func reduceL1(c *call) []*ir.Value {
	return one(c.reduce(ir.ReduceSum, c.emit(ir.Abs, nil, c.args[0])))
}

func reduceL2(c *call) []*ir.Value { return one(c.emit(ir.Sqrt, nil, reduceSumSquare(c)[0])) }

func reduceSumSquare(c *call) []*ir.Value {
	return one(c.reduce(ir.ReduceSum, c.emit(ir.Mul, nil, c.args[0], c.args[0])))
}

func reduceLogSum(c *call) []*ir.Value {
	return one(c.op(ir.Log, c.reduce(ir.ReduceSum, c.args[0])))
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
	m := c.emit(ir.ReduceMax, all, x)
	m = c.op(ir.Where, c.op(ir.Less, c.op(ir.Abs, m), c.like(x, math.Inf(1))), m, c.like(x, 0))
	y := c.op(ir.Log, c.emit(ir.ReduceSum, dropped, c.op(ir.Exp, c.op(ir.Sub, x, m))))
	return one(c.op(ir.Add, y, c.reshape(m, y.Type.Shape)))
}

// argAttrs are the attributes of ArgMax and ArgMin.
func (c *call) argAttrs() attrs {
	return attrs{
		"axis":        c.int("axis", 0),
		"keepdims":    c.bool("keepdims", true),
		"select_last": c.bool("select_last_index", false),
	}
}

func argMax(c *call) []*ir.Value { return one(c.emit(ir.ArgMax, c.argAttrs(), c.args[0])) }

// argMin is arg_max of the elements in reverse order: -x, or for integers,
// whose least has no negative, their distance from the largest.
func argMin(c *call) []*ir.Value {
	x := c.args[0]
	if d := x.Type.DType; d.IsFloat() {
		x = c.op(ir.Neg, x)
	} else {
		lo, hi := d.Range()
		x = c.op(ir.Sub, c.constant(ir.IntTensor(d, []int64{lo + hi})), x)
	}
	return one(c.emit(ir.ArgMax, c.argAttrs(), x))
}
