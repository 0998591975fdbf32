package exact

import (
	"github.com/billnet/billnet/ir"
	"github.com/billnet/billnet/passes"
	"github.com/billnet/billnet/passes/analysis"
)

// BinaryActivations is the pass binary-activations.
var BinaryActivations = &passes.Pass{
	Name: "binary-activations",
	Doc: "Recognises the ways in which exporters write a binary activation, a comparison with a constant followed by Cast, Where or Not, and makes each a step. " +
		"From here on the module is at the logic level.",
	Class: passes.Exact,
	To:    ir.Logic,
	After: []string{"fold-constants"},
	Run: func(c *passes.Context, m *ir.Module) error {
		m.Level = ir.Logic
		return passes.EachFunc(func(c *passes.Context, f *ir.Func) error {
			nans := analysis.NewNaNs()
			return c.Rewrite(f, compareToStep, notOfBit, logicOfBits, castOfBit, integerCast, whereOfBit, twiceLessOne, bipolarQuant,
				ofNumbers(nans, signFunction), ofNumbers(nans, levelsOfCases), ofNumbers(nans, selectedLimit), moveOfBit, ofNumbers(nans, straightThrough), recodeStep, notStep)
		})(c, m)
	},
}

// ofNumbers keeps a rule from values that the model's own constants can make NaN:
// a sign is NaN then, which no bit is.
func ofNumbers(nans *analysis.NaNs, rule passes.Rule) passes.Rule {
	return func(rw *passes.Rewriter, n *ir.Node) []*ir.Value {
		if nans.May(n.Result()) {
			return nil
		}
		return rule(rw, n)
	}
}

// asBool makes the bool value of a bit.
func asBool(rw *passes.Rewriter, b *ir.Value) []*ir.Value {
	return []*ir.Value{rw.Op(ir.Cast, map[string]any{"to": "bool"}, b)}
}

// bitOfBool returns the bit behind a bool value, or nil.
func bitOfBool(v *ir.Value) *ir.Value {
	if v.Type.DType != ir.Bool {
		return nil
	}
	if b := ir.Unwrap(v, ir.Cast); b != nil && b.Type.DType == ir.Bit {
		return b
	}
	return nil
}

// compareToStep: x > c is step(x - c). The difference of floats is positive
// exactly when x > c, also where it is a denormal. c < x, and so on, likewise,
// with the negated difference.
func compareToStep(rw *passes.Rewriter, n *ir.Node) []*ir.Value {
	var strict bool
	switch n.Op {
	case ir.Greater, ir.Less:
		strict = true
	case ir.GreaterOrEqual, ir.LessOrEqual:
	default:
		return nil
	}
	a, b := n.Args[0], n.Args[1]
	if !a.Type.DType.IsFloat() {
		return nil
	}
	if n.Op.Name[0] == 'l' {
		a, b = b, a
	}
	var x *ir.Value
	switch {
	case ir.IsSplat(b, 0) && ir.SameShape(a.Type.Shape, n.Result().Type.Shape):
		x = a
	case ir.IsSplat(a, 0) && ir.SameShape(b.Type.Shape, n.Result().Type.Shape):
		x = rw.Op(ir.Neg, nil, b)
	case finiteConst(a) || finiteConst(b):
		x = rw.Op(ir.Sub, nil, a, b)
	default:
		return nil
	}
	return asBool(rw, rw.Op(ir.Step, map[string]any{"strict": strict}, x))
}

func finiteConst(v *ir.Value) bool {
	c := ir.ConstOf(v)
	if c == nil {
		return false
	}
	for i := range c.Len() {
		if x := c.Float(i); x-x != 0 {
			return false
		}
	}
	return true
}

func notOfBit(rw *passes.Rewriter, n *ir.Node) []*ir.Value {
	if n.Op == ir.Not {
		if b := bitOfBool(n.Args[0]); b != nil {
			return asBool(rw, rw.Op(ir.BitNot, nil, b))
		}
	}
	return nil
}

// logicOfBits: and, or, xor of bools that are bits are gates of bits.
func logicOfBits(rw *passes.Rewriter, n *ir.Node) []*ir.Value {
	gate := map[*ir.Op]*ir.Op{ir.And: ir.BitAnd, ir.Or: ir.BitOr, ir.Xor: ir.BitXor}[n.Op]
	if gate == nil {
		return nil
	}
	a, b := bitOfBool(n.Args[0]), bitOfBool(n.Args[1])
	if a == nil || b == nil {
		return nil
	}
	return asBool(rw, rw.Op(gate, nil, a, b))
}

// castOfBit: a bool that came from a bit, cast to a number, is that bit, and a
// bit taken through floats on its way to a bool is the same bit.
func castOfBit(rw *passes.Rewriter, n *ir.Node) []*ir.Value {
	if n.Op != ir.Cast {
		return nil
	}
	if n.Result().Type.DType == ir.Bool {
		if b := bitOperand(n.Args[0]); b != nil && b.Type.DType == ir.Bit {
			return asBool(rw, b)
		}
		return nil
	}
	if n.Result().Type.DType != ir.F32 {
		return nil
	}
	if b := bitOfBool(n.Args[0]); b != nil {
		return []*ir.Value{rw.Op(ir.ToFloat, nil, b)}
	}
	return nil
}

// integerCast: a cast of small integers to f32 is to_float.
func integerCast(rw *passes.Rewriter, n *ir.Node) []*ir.Value {
	if n.Op != ir.Cast || n.Result().Type.DType != ir.F32 {
		return nil
	}
	switch n.In(0).DType {
	case ir.U8, ir.I8, ir.U16, ir.I16, ir.Bit, ir.SBit, ir.Tern:
		return []*ir.Value{rw.Op(ir.ToFloat, nil, n.Args[0])}
	}
	return nil
}

// whereOfBit: where(bit, a, b) of two splats is the bit under another encoding,
// with a scale and an offset where they are no numbers of an encoding.
func whereOfBit(rw *passes.Rewriter, n *ir.Node) []*ir.Value {
	if n.Op != ir.Where || n.Result().Type.DType != ir.F32 {
		return nil
	}
	b := bitOfBool(n.Args[0])
	if b == nil || !ir.SameShape(b.Type.Shape, n.Result().Type.Shape) {
		return nil
	}
	x, okX := ir.Splat(n.Args[1])
	y, okY := ir.Splat(n.Args[2])
	if !okX || !okY || b.Type.DType != ir.Bit {
		return nil
	}
	return ofTwo(rw, b, float32(x), float32(y))
}

// twiceLessOne: 2*b - 1 is the bit under the encoding of signs.
func twiceLessOne(rw *passes.Rewriter, n *ir.Node) []*ir.Value {
	var twice *ir.Node
	switch {
	case n.Is(ir.Sub) && ir.IsSplat(n.Args[1], 1):
		twice = ir.Def(n.Args[0])
	case n.Is(ir.Add) && ir.IsSplat(n.Args[1], -1):
		twice = ir.Def(n.Args[0])
	case n.Is(ir.Add) && ir.IsSplat(n.Args[0], -1):
		twice = ir.Def(n.Args[1])
	}
	if !twice.Is(ir.Mul) {
		return nil
	}
	for i := range 2 {
		if b := bitOperand(twice.Args[i]); b != nil && b.Type.DType == ir.Bit && ir.IsSplat(twice.Args[1-i], 2) && ir.SameShape(b.Type.Shape, n.Result().Type.Shape) {
			return []*ir.Value{rw.Op(ir.ToFloat, nil, rw.Op(ir.Recode, nil, b))}
		}
	}
	return nil
}

// bipolarQuant: x >= 0 ? s : -s is s times the sign with sign(0) = +1.
func bipolarQuant(rw *passes.Rewriter, n *ir.Node) []*ir.Value {
	if n.Op != ir.BipolarQuant || n.Result().Type.DType != ir.F32 || n.In(1).DType != ir.F32 || ir.ConstOf(n.Args[1]) == nil || ir.ConstOf(n.Args[0]) != nil {
		return nil
	}
	y := rw.Op(ir.ToFloat, nil, rw.Op(ir.Step, map[string]any{"strict": false, "signed": true}, n.Args[0]))
	if !ir.IsSplat(n.Args[1], 1) {
		y = rw.Op(ir.Mul, nil, y, n.Args[1])
	}
	return []*ir.Value{y}
}

// selectedLimit: where(a < b, a, b) is the smaller of two, where(a < b, b, a) the
// larger, as PACT limits by a learned bound.
func selectedLimit(rw *passes.Rewriter, n *ir.Node) []*ir.Value {
	if n.Op != ir.Where || n.Result().Type.DType != ir.F32 {
		return nil
	}
	step := ir.Def(bitOfBool(n.Args[0]))
	if !step.Is(ir.Step) {
		return nil
	}
	more, less := step.Args[0], rw.Const(ir.Scalar(ir.F32, 0))
	if d := ir.Def(more); d.Is(ir.Sub) {
		more, less = d.Args[0], d.Args[1]
	} else if d.Is(ir.Neg) {
		more, less = less, d.Args[0]
	}
	is := func(a, b *ir.Value) bool {
		x, ok1 := ir.Splat(a)
		y, ok2 := ir.Splat(b)
		return a == b || ok1 && ok2 && x == y
	}
	switch {
	case is(n.Args[1], less) && is(n.Args[2], more):
		return []*ir.Value{rw.Op(ir.Min, nil, n.Args[1:]...)}
	case is(n.Args[1], more) && is(n.Args[2], less):
		return []*ir.Value{rw.Op(ir.Max, nil, n.Args[1:]...)}
	}
	return nil
}

// moveOfBit: a bool that came from a bit stays one when it is moved: channel
// shuffles and other reshapes between a comparison and what it selects.
func moveOfBit(rw *passes.Rewriter, n *ir.Node) []*ir.Value {
	if n.Op.Kind != ir.Moves || len(n.Results) != 1 || n.Op == ir.Pad && n.Arg(1) != nil {
		return nil
	}
	b := bitOfBool(n.Args[0])
	if b == nil || len(n.Op.Operands) > 0 && n.Op.Operands[0].Variadic {
		return nil
	}
	args := append([]*ir.Value{b}, n.Args[1:]...)
	return asBool(rw, rw.Op(n.Op, n.Attrs, args...))
}

// straightThrough: (a - c) + c, as a straight-through estimator leaves it in the
// graph, is a over the real numbers.
func straightThrough(rw *passes.Rewriter, n *ir.Node) []*ir.Value {
	if n.Op != ir.Add {
		return nil
	}
	for i := range 2 {
		d := ir.Def(n.Args[i])
		if !d.Is(ir.Sub) || d.Args[1] != n.Args[1-i] {
			continue
		}
		if a := ir.Def(d.Args[0]); (a.Is(ir.Sign) || a.Is(ir.ToFloat) || a.Is(ir.Round) || a.Is(ir.Mul) && ir.Unwrap(a.Args[0], ir.ToFloat) != nil) && ir.SameShape(d.In(0).Shape, n.Result().Type.Shape) {
			return []*ir.Value{d.Args[0]}
		}
	}
	return nil
}

// recodeStep: the other encoding of a step is a step of that encoding.
func recodeStep(rw *passes.Rewriter, n *ir.Node) []*ir.Value {
	if n.Op != ir.Recode {
		return nil
	}
	s := ir.Def(n.Args[0])
	if !s.Is(ir.Step) {
		return nil
	}
	return []*ir.Value{rw.Op(ir.Step, map[string]any{"strict": s.Bool("strict"), "nan": s.Bool("nan"), "signed": !s.Bool("signed")}, s.Args[0])}
}

// notStep: not(x > 0) is -x >= 0, and true for NaN where x > 0 was false.
func notStep(rw *passes.Rewriter, n *ir.Node) []*ir.Value {
	if n.Op != ir.BitNot {
		return nil
	}
	s := ir.Def(n.Args[0])
	if !s.Is(ir.Step) {
		return nil
	}
	x := ir.Unwrap(s.Args[0], ir.Neg)
	if x == nil {
		x = rw.Op(ir.Neg, nil, s.Args[0])
	}
	return []*ir.Value{rw.Op(ir.Step, map[string]any{"strict": !s.Bool("strict"), "nan": !s.Bool("nan"), "signed": s.Bool("signed")}, x)}
}
