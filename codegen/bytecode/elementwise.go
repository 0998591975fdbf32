package bytecode

import "github.com/billnet/billnet/ir"

// castTo leaves a cast to the table unless it changes nothing. f16 and bf16 are
// reached by way of f32, so what f32 does not hold exactly would be rounded
// twice.
func castTo(e *expansion, n *ir.Node) []*ir.Value {
	from, to := n.In(0).DType, n.Result().Type.DType
	switch {
	case from == to:
		return n.Args
	case !isHalf(to) || from == ir.F32 || isHalf(from) || from.Bits() <= 16:
	case to == ir.F16 && from.IsInt(): // where f32 rounds, f16 is infinite
	default:
		return e.missing("a cast from %s to %s", from, to)
	}
	return nil
}

// remainder: the sign of b or of a.
func remainder(e *expansion, n *ir.Node) []*ir.Value {
	op := "mod"
	if n.Bool("fmod") {
		op = "fmod"
	}
	return []*ir.Value{e.instruction(op, n.Result().Type, nil, n.Args...)}
}

// variadic emits an operation of any number of operands as a chain of two.
func variadic(e *expansion, n *ir.Node) []*ir.Value {
	op := n.Op
	switch {
	case op == ir.Sum:
		op = ir.Add
	case len(n.Args) == 2:
		return nil
	}
	return []*ir.Value{e.chain(op, n.Args)}
}

func (e *expansion) chain(op *ir.Op, args []*ir.Value) *ir.Value {
	v := args[0]
	for _, a := range args[1:] {
		v = e.op(op, nil, v, a)
	}
	return v
}

// clip of f16 and bf16, which lie in f32 buffers, names the bounds that are left out.
func clip(e *expansion, n *ir.Node) []*ir.Value {
	d := n.Result().Type.DType
	lo, hi := n.Arg(1), n.Arg(2)
	if !isHalf(d) || lo != nil && hi != nil {
		return nil
	}
	if lo == nil {
		lo = e.number(d, -ir.LargestFinite(d))
	}
	if hi == nil {
		hi = e.number(d, ir.LargestFinite(d))
	}
	return e.again([]*ir.Value{n.Args[0], lo, hi})
}

func mean(e *expansion, n *ir.Node) []*ir.Value {
	count := e.number(n.Result().Type.DType, float64(len(n.Args)))
	return []*ir.Value{e.op(ir.Div, nil, e.chain(ir.Add, n.Args), count)}
}
