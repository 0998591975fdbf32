package exact

import (
	"github.com/billnet/billnet/ir"
	"github.com/billnet/billnet/passes"
)

// ternaryGate: the largest, smallest, negative and product of ternary values,
// and the choice between two, are gates of their bits; one operand may be a sign.
func ternaryGate(rw *passes.Rewriter, n *ir.Node) []*ir.Value {
	if n.Result().Type.DType != ir.F32 {
		return nil
	}
	joined := false
	bits := func(v *ir.Value) (pos, neg *ir.Value) {
		z := ir.Unwrap(v, ir.ToFloat)
		switch d := ir.Def(z); {
		case d.Is(ir.Join):
			joined = true
			return d.Args[0], d.Args[1]
		case z != nil && z.Type.DType == ir.SBit:
			pos = rw.Op(ir.Recode, nil, z)
			return pos, rw.Op(ir.BitNot, nil, pos)
		}
		return nil, nil
	}
	join := func(pos, neg *ir.Value) []*ir.Value {
		return []*ir.Value{rw.Op(ir.ToFloat, nil, rw.Op(ir.Join, nil, pos, neg))}
	}
	switch n.Op {
	case ir.Neg:
		if p, q := bits(n.Args[0]); joined {
			return join(q, p)
		}
		return nil
	case ir.Where:
		if s := bitOfBool(n.Args[0]); s != nil {
			bp, bq := bits(n.Args[1])
			ap, aq := bits(n.Args[2])
			if joined && ap != nil && bp != nil {
				return join(rw.Op(ir.Mux, nil, s, ap, bp), rw.Op(ir.Mux, nil, s, aq, bq))
			}
		}
		return nil
	case ir.Max, ir.Min, ir.Mul:
	default:
		return nil
	}
	if len(n.Args) != 2 || !ir.SameShape(n.In(0).Shape, n.In(1).Shape) {
		return nil
	}
	p0, q0 := bits(n.Args[0])
	p1, q1 := bits(n.Args[1])
	if p0 == nil || p1 == nil || !joined {
		return nil
	}
	and := func(a, b *ir.Value) *ir.Value { return rw.Op(ir.BitAnd, nil, a, b) }
	or := func(a, b *ir.Value) *ir.Value { return rw.Op(ir.BitOr, nil, a, b) }
	switch n.Op {
	case ir.Max:
		return join(or(p0, p1), and(q0, q1))
	case ir.Min:
		return join(and(p0, p1), or(q0, q1))
	}
	return join(or(and(p0, p1), and(q0, q1)), or(and(p0, q1), and(q0, p1)))
}
