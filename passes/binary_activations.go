package passes

import "github.com/billnet/billnet/ir"

var _ = register(&Pass{
	Name: "binary-activations",
	Doc: "Recognises the ways in which exporters write a binary activation, a comparison with a constant followed by Cast, Where or Not, and makes each a step. " +
		"From here on the module is at the logic level.",
	Class: Exact,
	After: []string{"fold-constants"},
	Run: func(c *Context, m *ir.Module) error {
		m.Level = ir.Logic
		return eachFunc(func(c *Context, f *ir.Func) error {
			return rewrite(f, compareToStep, notOfBit, castOfBit, integerCast, whereOfBit, recodeStep, notStep)
		})(c, m)
	},
})

// asBool makes the bool value of a bit.
func asBool(rw *rewriter, b *ir.Value) []*ir.Value {
	return []*ir.Value{rw.Op("cast", map[string]any{"to": "bool"}, b)}
}

// bitOfBool returns the bit behind a bool value, or nil.
func bitOfBool(v *ir.Value) *ir.Value {
	if v.Type.DType != ir.Bool {
		return nil
	}
	if b := unwrap(v, "cast"); b != nil && b.Type.DType == ir.Bit {
		return b
	}
	return nil
}

// compareToStep: x > c is step(x - c). The difference of floats is positive
// exactly when x > c, also where it is a denormal. c < x, and so on, likewise,
// with the negated difference.
func compareToStep(rw *rewriter, n *ir.Node) []*ir.Value {
	var strict bool
	switch n.Op.Name {
	case "greater", "less":
		strict = true
	case "greater_or_equal", "less_or_equal":
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
	case isSplat(b, 0) && ir.SameShape(a.Type.Shape, n.Result().Type.Shape):
		x = a
	case isSplat(a, 0) && ir.SameShape(b.Type.Shape, n.Result().Type.Shape):
		x = rw.Op("neg", nil, b)
	case finiteConst(a) || finiteConst(b):
		x = rw.Op("sub", nil, a, b)
	default:
		return nil
	}
	return asBool(rw, rw.Op("step", map[string]any{"strict": strict}, x))
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

func notOfBit(rw *rewriter, n *ir.Node) []*ir.Value {
	if n.Op.Name == "not" {
		if b := bitOfBool(n.Args[0]); b != nil {
			return asBool(rw, rw.Op("bit_not", nil, b))
		}
	}
	return nil
}

// castOfBit: a bool that came from a bit, cast to a number, is that bit.
func castOfBit(rw *rewriter, n *ir.Node) []*ir.Value {
	if n.Op.Name != "cast" || n.Result().Type.DType != ir.F32 {
		return nil
	}
	if b := bitOfBool(n.Args[0]); b != nil {
		return []*ir.Value{rw.Op("to_float", nil, b)}
	}
	return nil
}

// integerCast: a cast of small integers to f32 is to_float.
func integerCast(rw *rewriter, n *ir.Node) []*ir.Value {
	if n.Op.Name != "cast" || n.Result().Type.DType != ir.F32 {
		return nil
	}
	switch n.In(0).DType {
	case ir.U8, ir.I8, ir.U16, ir.I16, ir.Bit, ir.SBit, ir.Tern:
		return []*ir.Value{rw.Op("to_float", nil, n.Args[0])}
	}
	return nil
}

// whereOfBit: where(bit, a, b) of two splats is the bit under another encoding.
func whereOfBit(rw *rewriter, n *ir.Node) []*ir.Value {
	if n.Op.Name != "where" || n.Result().Type.DType != ir.F32 {
		return nil
	}
	b := bitOfBool(n.Args[0])
	if b == nil || !ir.SameShape(b.Type.Shape, n.Result().Type.Shape) {
		return nil
	}
	x, okX := splat(n.Args[1])
	y, okY := splat(n.Args[2])
	if !okX || !okY {
		return nil
	}
	switch {
	case x == 1 && y == 0:
	case x == 0 && y == 1:
		b = rw.Op("bit_not", nil, b)
	case x == 1 && y == -1:
		b = rw.Op("recode", nil, b)
	case x == -1 && y == 1:
		b = rw.Op("recode", nil, rw.Op("bit_not", nil, b))
	default:
		return nil
	}
	return []*ir.Value{rw.Op("to_float", nil, b)}
}

// recodeStep: the other encoding of a step is a step of that encoding.
func recodeStep(rw *rewriter, n *ir.Node) []*ir.Value {
	if n.Op.Name != "recode" {
		return nil
	}
	s := ir.Def(n.Args[0])
	if !s.Is("step") {
		return nil
	}
	return []*ir.Value{rw.Op("step", map[string]any{"strict": s.Bool("strict"), "nan": s.Bool("nan"), "signed": !s.Bool("signed")}, s.Args[0])}
}

// notStep: not(x > 0) is -x >= 0, and true for NaN where x > 0 was false.
func notStep(rw *rewriter, n *ir.Node) []*ir.Value {
	if n.Op.Name != "bit_not" {
		return nil
	}
	s := ir.Def(n.Args[0])
	if !s.Is("step") {
		return nil
	}
	x := unwrap(s.Args[0], "neg")
	if x == nil {
		x = rw.Op("neg", nil, s.Args[0])
	}
	return []*ir.Value{rw.Op("step", map[string]any{"strict": !s.Bool("strict"), "nan": !s.Bool("nan"), "signed": s.Bool("signed")}, x)}
}
