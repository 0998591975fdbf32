package onnx

import (
	"slices"

	"github.com/billnet/billnet/ir"
)

// elementwiseOps are the elementwise operators that are not handled by their
// operation's literal alone (literalHandler).
var elementwiseOps = map[string]handler{
	"Identity":    {1, 1, alias},
	"Dropout":     {1, 3, dropout},
	"LeakyRelu":   {1, 1, leakyRelu},
	"Elu":         {1, 1, elu},
	"HardSigmoid": {1, 1, hardSigmoid},
	"PRelu":       {2, 2, prelu},
	"Clip":        {1, 3, clip},
	"Cast":        {1, 1, castTo},
	"CastLike":    {2, 2, castLike},
	"Softmax":     {1, 1, softmax(ir.Softmax)},
	"LogSoftmax":  {1, 1, softmax(ir.LogSoftmax)},

	"Mod": {2, 2, mod},
	"Pow": {2, 2, pow},
}

// literalHandler handles an operator that is one elementwise operation without
// attributes on the same operands.
func literalHandler(op *ir.Op) (h handler, ok bool) {
	count := len(op.Operands)
	switch {
	case op.Kind != ir.Elementwise || len(op.Attrs) > 0:
		return handler{}, false
	case op.Operands[0].Variadic:
		return handler{1, many, variadic(op)}, true
	case count == 2:
		return handler{2, 2, pairwise(op)}, true
	}
	return handler{count, count, plain(op)}, true
}

// pairwise maps an operator of two operands that broadcast.
func pairwise(op *ir.Op) func(c *call) []*ir.Value {
	return func(c *call) []*ir.Value { return one(c.emit(op, nil, c.args[0], broadcastOperand(c))) }
}

// broadcastOperand returns input 1 in a shape that broadcasts from the last
// axis. Up to version 6 it could be aligned at another one.
func broadcastOperand(c *call) *ir.Value {
	a, b := c.args[0], c.args[1]
	if c.Version >= 7 || !c.bool("broadcast", false) || !c.has("axis") {
		return b
	}
	rank := a.Type.Rank()
	axis := c.axis(c.int("axis", 0), rank)
	missing := rank - axis - b.Type.Rank()
	if missing < 0 {
		c.failf("shape %s at axis %d does not fit into %s", ir.ShapeString(b.Type.Shape), axis, a.Type)
	}
	return c.reshape(b, append(slices.Clone(b.Type.Shape), ones(missing)...))
}

func ones(n int) []int {
	s := make([]int, n)
	for i := range s {
		s[i] = 1
	}
	return s
}

func mod(c *call) []*ir.Value {
	return one(c.emit(ir.Mod, attrs{"fmod": c.bool("fmod", false)}, c.args...))
}

// variadic maps an operator of any number of operands, which is its operand
// when there is one.
func variadic(op *ir.Op) func(c *call) []*ir.Value {
	return func(c *call) []*ir.Value {
		for i, a := range c.args {
			if a == nil {
				c.failf("input %d is left out", i)
			}
		}
		if len(c.args) == 1 {
			return one(c.args[0])
		}
		return one(c.emit(op, nil, c.args...))
	}
}

// dropout does nothing at inference, nor with a ratio of 0; its mask is all
// ones.
func dropout(c *call) []*ir.Value {
	if c.in(2) != nil && !c.dropsNothing() {
		if off, ok := c.constIn(2, "training mode").Splat(); !ok || off != 0 {
			c.unsupportedf("in training mode; export the model in evaluation mode")
		}
	}
	out := one(c.args[0])
	if len(c.Outputs) > 1 && c.Outputs[1] != "" {
		d := ir.Bool
		if c.Version < 10 {
			d = c.typ(0).DType
		}
		out = append(out, c.emit(ir.Expand, attrs{"shape": c.typ(0).Shape}, c.scalar(d, 1)))
	}
	return out
}

// dropsNothing reports a ratio that is given and is 0.
func (c *call) dropsNothing() bool {
	if c.in(1) == nil {
		return false
	}
	ratio, ok := c.constIn(1, "ratio").Splat()
	return ok && ratio == 0
}

func leakyRelu(c *call) []*ir.Value {
	return one(c.emit(ir.LeakyRelu, attrs{"alpha": c.float("alpha", 0.01)}, c.args[0]))
}

func hardSigmoid(c *call) []*ir.Value {
	return one(c.emit(ir.HardSigmoid, attrs{"alpha": c.float("alpha", 0.2), "beta": c.float("beta", 0.5)}, c.args[0]))
}

// prelu: up to version 6 a slope with one axis is one of channels.
func prelu(c *call) []*ir.Value {
	x, slope := c.args[0], c.args[1]
	if c.Version < 7 && slope.Type.Rank() == 1 && x.Type.Rank() > 2 {
		slope = c.reshape(slope, append(slices.Clone(slope.Type.Shape), ones(x.Type.Rank()-2)...))
	}
	return one(c.emit(ir.PRelu, nil, x, slope))
}

// clip: up to version 10 the limits are attributes.
func clip(c *call) []*ir.Value {
	limit := func(i int, name string) *ir.Value {
		if c.in(i) != nil {
			return c.args[i]
		}
		if c.Version < 11 && c.has(name) {
			return c.scalar(c.typ(0).DType, c.float(name, 0))
		}
		return nil
	}
	return one(c.emit(ir.Clip, nil, c.args[0], limit(1, "min"), limit(2, "max")))
}

// castTo: up to version 5 the type is a name.
func castTo(c *call) []*ir.Value {
	var to DType
	if c.Version < 6 {
		name := c.str("to", "")
		for d := range dtypes {
			if castNames[name] == DType(d) {
				to = DType(d)
			}
		}
	} else {
		to = DType(c.int("to", 0))
	}
	d, ok := irTypes[to]
	if !ok || to.Bits() < 8 {
		c.unsupportedf("to element type %s", to)
	}
	return one(c.cast(c.args[0], d))
}

var castNames = map[string]DType{
	"FLOAT": Float32, "DOUBLE": Float64, "FLOAT16": Float16, "BOOL": Bool, "INT8": Int8, "UINT8": Uint8,
	"INT16": Int16, "UINT16": Uint16, "INT32": Int32, "UINT32": Uint32, "INT64": Int64, "UINT64": Uint64,
}

func castLike(c *call) []*ir.Value {
	if d := c.imp.narrow[c.args[1]]; d != Undefined {
		c.unsupportedf("to element type %s", d)
	}
	return one(c.cast(c.args[0], c.typ(1).DType))
}

// softmax: up to version 12 all axes from the given one on are one.
func softmax(op *ir.Op) func(c *call) []*ir.Value {
	return func(c *call) []*ir.Value {
		x := c.args[0]
		if c.Version >= 13 {
			return one(c.emit(op, attrs{"axis": c.int("axis", -1)}, x))
		}
		shape := x.Type.Shape
		axis := c.flattenAxis(c.int("axis", 1), len(shape))
		if axis == len(shape)-1 {
			return one(c.emit(op, attrs{"axis": axis}, x))
		}
		flat := c.reshape(x, []int{elems(shape[:axis]), elems(shape[axis:])})
		return one(c.reshape(c.emit(op, attrs{"axis": 1}, flat), shape))
	}
}

func elems(shape []int) int { return ir.Type{Shape: shape}.Elems() }

// pow: base and exponent may have different types, the base's is the result's.
func pow(c *call) []*ir.Value {
	x, y := c.args[0], broadcastOperand(c)
	to := x.Type.DType
	if y.Type.DType == to {
		return one(c.emit(ir.Pow, nil, x, y))
	}
	if to.IsFloat() {
		return one(c.emit(ir.Pow, nil, x, c.cast(y, to)))
	}
	return one(c.cast(c.emit(ir.Pow, nil, c.cast(x, ir.F64), c.cast(y, ir.F64)), to))
}

func elu(c *call) []*ir.Value {
	return one(c.emit(ir.Elu, attrs{"alpha": c.float("alpha", 1)}, c.args[0]))
}
