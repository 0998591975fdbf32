package onnx

import (
	"slices"

	"github.com/billnet/billnet/ir"
)

var elementwiseOps = map[string]handler{
	"Abs":         {1, 1, plain("abs")},
	"Ceil":        {1, 1, plain("ceil")},
	"Exp":         {1, 1, plain("exp")},
	"Floor":       {1, 1, plain("floor")},
	"HardSwish":   {1, 1, plain("hard_swish")},
	"Log":         {1, 1, plain("log")},
	"Neg":         {1, 1, plain("neg")},
	"Not":         {1, 1, plain("not")},
	"Reciprocal":  {1, 1, plain("reciprocal")},
	"Relu":        {1, 1, plain("relu")},
	"Round":       {1, 1, plain("round")},
	"Sigmoid":     {1, 1, plain("sigmoid")},
	"Sign":        {1, 1, plain("sign")},
	"Sqrt":        {1, 1, plain("sqrt")},
	"Tanh":        {1, 1, plain("tanh")},
	"Identity":    {1, 1, alias},
	"Dropout":     {1, 3, dropout},
	"LeakyRelu":   {1, 1, leakyRelu},
	"Elu":         {1, 1, elu},
	"HardSigmoid": {1, 1, hardSigmoid},
	"PRelu":       {2, 2, prelu},
	"Clip":        {1, 3, clip},
	"Cast":        {1, 1, castTo},
	"CastLike":    {2, 2, castLike},
	"Softmax":     {1, 1, softmax("softmax")},
	"LogSoftmax":  {1, 1, softmax("log_softmax")},

	"Add":            {2, 2, pairwise("add")},
	"Sub":            {2, 2, pairwise("sub")},
	"Mul":            {2, 2, pairwise("mul")},
	"Div":            {2, 2, pairwise("div")},
	"And":            {2, 2, pairwise("and")},
	"Or":             {2, 2, pairwise("or")},
	"Xor":            {2, 2, pairwise("xor")},
	"Equal":          {2, 2, pairwise("equal")},
	"Greater":        {2, 2, pairwise("greater")},
	"GreaterOrEqual": {2, 2, pairwise("greater_or_equal")},
	"Less":           {2, 2, pairwise("less")},
	"LessOrEqual":    {2, 2, pairwise("less_or_equal")},
	"Pow":            {2, 2, pow},
	"Where":          {3, 3, plain("where")},

	"Max":  {1, many, variadic("max")},
	"Min":  {1, many, variadic("min")},
	"Mean": {1, many, variadic("mean")},
	"Sum":  {1, many, variadic("sum")},
}

// pairwise maps an operator of two operands that broadcast.
func pairwise(op string) func(c *call) []*ir.Value {
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

// variadic maps an operator of any number of operands, which is its operand
// when there is one.
func variadic(op string) func(c *call) []*ir.Value {
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
		out = append(out, c.emit("expand", attrs{"shape": c.typ(0).Shape}, c.scalar(d, 1)))
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
	return one(c.emit("leaky_relu", attrs{"alpha": c.float("alpha", 0.01)}, c.args[0]))
}

func hardSigmoid(c *call) []*ir.Value {
	return one(c.emit("hard_sigmoid", attrs{"alpha": c.float("alpha", 0.2), "beta": c.float("beta", 0.5)}, c.args[0]))
}

// prelu: up to version 6 a slope with one axis is one of channels.
func prelu(c *call) []*ir.Value {
	x, slope := c.args[0], c.args[1]
	if c.Version < 7 && slope.Type.Rank() == 1 && x.Type.Rank() > 2 {
		slope = c.reshape(slope, append(slices.Clone(slope.Type.Shape), ones(x.Type.Rank()-2)...))
	}
	return one(c.emit("prelu", nil, x, slope))
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
	return one(c.emit("clip", nil, c.args[0], limit(1, "min"), limit(2, "max")))
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
func softmax(op string) func(c *call) []*ir.Value {
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
		return one(c.emit("pow", nil, x, y))
	}
	if to.IsFloat() {
		return one(c.emit("pow", nil, x, c.cast(y, to)))
	}
	return one(c.cast(c.emit("pow", nil, c.cast(x, ir.F64), c.cast(y, ir.F64)), to))
}

func elu(c *call) []*ir.Value {
	return one(c.emit("elu", attrs{"alpha": c.float("alpha", 1)}, c.args[0]))
}
