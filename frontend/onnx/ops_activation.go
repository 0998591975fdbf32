package onnx

import (
	"math"

	"github.com/billnet/billnet/ir"
)

// Activation functions that are written out in others.
var activationOps = map[string]handler{
	"Celu":            {1, 1, celu},
	"Gelu":            {1, 1, gelu},
	"Hardmax":         {1, 1, hardmax},
	"Mish":            {1, 1, mish},
	"Selu":            {1, 1, selu},
	"Shrink":          {1, 1, shrink},
	"Softplus":        {1, 1, func(c *call) []*ir.Value { return one(c.softplus(c.args[0])) }},
	"Softsign":        {1, 1, softsign},
	"Swish":           {1, 1, swish},
	"ThresholdedRelu": {1, 1, thresholdedRelu},
}

// op emits an operation without attributes.
func (c *call) op(op *ir.Op, args ...*ir.Value) *ir.Value { return c.emit(op, nil, args...) }

// like is a constant of v's element type.
func (c *call) like(v *ir.Value, number float64) *ir.Value { return c.scalar(v.Type.DType, number) }

// celu is max(0, x) + min(0, alpha*(exp(x/alpha) - 1)).
func celu(c *call) []*ir.Value {
	x, alpha := c.args[0], c.float("alpha", 1)
	if alpha == 0 {
		c.failf("alpha is 0")
	}
	below := c.emit(ir.Elu, attrs{"alpha": 1.0}, c.op(ir.Div, x, c.like(x, alpha)))
	zero := c.like(x, 0)
	return one(c.op(ir.Add, c.op(ir.Max, x, zero), c.op(ir.Min, c.op(ir.Mul, below, c.like(x, alpha)), zero)))
}

// gelu is x*Phi(x), with the error function or approximated by tanh.
func gelu(c *call) []*ir.Value {
	switch a := c.str("approximate", "none"); a {
	case "none":
		return one(c.geluOf(c.args[0]))
	case "tanh":
		return one(c.tanhGelu(c.args[0]))
	default:
		c.failf("approximate is %q, expected none or tanh", a)
	}
	return nil
}

// geluOf is x*(1 + erf(x/sqrt(2)))/2.
func (c *call) geluOf(x *ir.Value) *ir.Value {
	e := c.op(ir.Erf, c.op(ir.Mul, x, c.like(x, math.Sqrt2/2)))
	return c.op(ir.Mul, c.op(ir.Mul, x, c.like(x, 0.5)), c.op(ir.Add, e, c.like(x, 1)))
}

// tanhGelu is x*(1 + tanh(sqrt(2/pi)*(x + 0.044715*x^3)))/2.
func (c *call) tanhGelu(x *ir.Value) *ir.Value {
	cube := c.op(ir.Mul, c.op(ir.Mul, x, x), x)
	inner := c.op(ir.Add, x, c.op(ir.Mul, cube, c.like(x, 0.044715)))
	t := c.op(ir.Tanh, c.op(ir.Mul, inner, c.like(x, math.Sqrt(2/math.Pi))))
	return c.op(ir.Mul, c.op(ir.Mul, x, c.like(x, 0.5)), c.op(ir.Add, t, c.like(x, 1)))
}

// hardmax is one at the first largest element along an axis; up to version 12
// all axes from the given one on are one.
func hardmax(c *call) []*ir.Value {
	x := c.args[0]
	shape := x.Type.Shape
	def := -1
	if c.Version < 13 {
		def = 1
	}
	axis := c.flattenAxis(c.int("axis", def), len(shape))
	if c.Version < 13 {
		x = c.reshape(x, []int{elems(shape[:axis]), elems(shape[axis:])})
		axis = 1
	}
	if axis == x.Type.Rank() {
		c.failf("axis %d of %s", axis, x.Type)
	}
	best := c.emit(ir.ArgMax, attrs{"axis": axis}, x)
	hot := c.op(ir.Equal, best, c.counter(x.Type.Shape[axis], axis, x.Type.Rank()))
	return one(c.reshape(c.cast(hot, x.Type.DType), shape))
}

// counter is the constant 0, 1, ... n-1 along an axis of a rank.
func (c *call) counter(n, axis, rank int) *ir.Value {
	shape := ones(rank)
	shape[axis] = n
	t := c.tensor(ir.T(ir.I64, shape...))
	for i := range t.Ints() {
		t.Ints()[i] = int64(i)
	}
	return c.constant(t)
}

// mish is x*tanh(softplus(x)).
func mish(c *call) []*ir.Value {
	x := c.args[0]
	return one(c.op(ir.Mul, x, c.op(ir.Tanh, c.softplus(x))))
}

// selu is gamma*x, below zero gamma*alpha*(exp(x) - 1).
func selu(c *call) []*ir.Value {
	x := c.args[0]
	e := c.emit(ir.Elu, attrs{"alpha": c.float("alpha", 1.67326319217681884765625)}, x)
	return one(c.op(ir.Mul, e, c.like(x, c.float("gamma", 1.05070102214813232421875))))
}

// shrink is x - bias above lambd, x + bias below -lambd, 0 between.
func shrink(c *call) []*ir.Value {
	x, bias, lambd := c.args[0], c.float("bias", 0), c.float("lambd", 0.5)
	above := c.op(ir.Where, c.op(ir.Greater, x, c.like(x, lambd)), c.op(ir.Sub, x, c.like(x, bias)), c.like(x, 0))
	return one(c.op(ir.Where, c.op(ir.Less, x, c.like(x, -lambd)), c.op(ir.Add, x, c.like(x, bias)), above))
}

// softplus is log(1 + exp(x)), as max(x, 0) + log(1 + u), u = exp(-|x|), which does
// not overflow. With w = 1 + u as it is rounded, log(1 + u) = log(w) + (u - (w-1))/w,
// which is not 0 where u is lost beside 1: the sign of it counts.
func (c *call) softplus(x *ir.Value) *ir.Value {
	one := c.like(x, 1)
	u := c.op(ir.Exp, c.op(ir.Neg, c.op(ir.Abs, x)))
	w := c.op(ir.Add, u, one)
	lost := c.op(ir.Sub, u, c.op(ir.Sub, w, one))
	return c.op(ir.Add, c.op(ir.Relu, x), c.op(ir.Add, c.op(ir.Log, w), c.op(ir.Div, lost, w)))
}

func softsign(c *call) []*ir.Value {
	x := c.args[0]
	return one(c.op(ir.Div, x, c.op(ir.Add, c.op(ir.Abs, x), c.like(x, 1))))
}

// swish is x*sigmoid(alpha*x).
func swish(c *call) []*ir.Value {
	x, in := c.args[0], c.args[0]
	if alpha := c.float("alpha", 1); alpha != 1 {
		in = c.op(ir.Mul, x, c.like(x, alpha))
	}
	return one(c.op(ir.Mul, x, c.op(ir.Sigmoid, in)))
}

func thresholdedRelu(c *call) []*ir.Value {
	x := c.args[0]
	return one(c.op(ir.Where, c.op(ir.Greater, x, c.like(x, c.float("alpha", 1))), x, c.like(x, 0)))
}
