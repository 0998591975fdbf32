package passes

import "github.com/billnet/billnet/ir"

// sinkGate: arithmetic of 0 and 1 is logic. max is OR, min and the product are
// AND, 1 - x is NOT; the sum of two bits that are never set together is OR, and
// of the form (s AND b) + (NOT s AND a) it is the multiplexer.
func sinkGate(rw *rewriter, n *ir.Node) []*ir.Value {
	if len(n.Args) != 2 || n.Result().Type.DType != ir.F32 {
		return nil
	}
	a, b := bitOperand(n.Args[0]), bitOperand(n.Args[1])
	bit := func(v *ir.Value) []*ir.Value { return []*ir.Value{rw.Op("to_float", nil, v)} }
	if n.Op.Name == "sub" && b != nil && b.Type.DType == ir.Bit && isSplat(n.Args[0], 1) && ir.SameShape(b.Type.Shape, n.Result().Type.Shape) {
		return bit(rw.Op("bit_not", nil, b))
	}
	if a == nil || b == nil || a.Type.DType != b.Type.DType {
		return nil
	}
	switch n.Op.Name {
	case "max":
		return bit(rw.Op("bit_or", nil, a, b))
	case "min":
		return bit(rw.Op("bit_and", nil, a, b))
	case "mul":
		if a.Type.DType == ir.SBit { // the product of signs: +1 where they agree
			return bit(rw.Op("bit_not", nil, rw.Op("bit_xor", nil, a, b)))
		}
		return bit(rw.Op("bit_and", nil, a, b))
	case "add":
		if m := muxOf(rw, a, b); m != nil {
			return bit(m)
		}
	}
	return nil
}

// bitOperand returns the bit behind to_float, or nil.
func bitOperand(v *ir.Value) *ir.Value {
	if z := unwrap(v, "to_float"); z != nil && z.Type.DType.IsBit() {
		return z
	}
	return nil
}

// muxOf recognises x = s AND b, y = NOT s AND a in any order of operands.
func muxOf(rw *rewriter, x, y *ir.Value) *ir.Value {
	for _, pair := range [][2]*ir.Value{{x, y}, {y, x}} {
		p, q := ir.Def(pair[0]), ir.Def(pair[1])
		if !p.Is("bit_and") || !q.Is("bit_and") {
			continue
		}
		for i := range 2 {
			for j := range 2 {
				if s := unwrap(q.Args[j], "bit_not"); s != nil && s == p.Args[i] {
					return rw.Op("mux", nil, s, q.Args[1-j], p.Args[1-i])
				}
			}
		}
	}
	return nil
}

// gateToMux: mux(s, f, f OR x) is the MUX-OR residual.
func gateToMux(rw *rewriter, n *ir.Node) []*ir.Value {
	if n.Op.Name != "mux" || n.Result().Type.DType != ir.Bit {
		return nil
	}
	s, f, or := n.Args[0], n.Args[1], ir.Def(n.Args[2])
	if !or.Is("bit_or") || s.Type.DType != ir.Bit {
		return nil
	}
	for i := range 2 {
		if x := or.Args[1-i]; or.Args[i] == f && ir.SameShape(f.Type.Shape, x.Type.Shape) && ir.SameShape(f.Type.Shape, n.Result().Type.Shape) {
			return []*ir.Value{rw.Op("mux_or", nil, s, f, x)}
		}
	}
	return nil
}
