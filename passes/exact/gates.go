package exact

import (
	"github.com/billnet/billnet/ir"
	"github.com/billnet/billnet/passes"
)

// sinkGate: arithmetic of 0 and 1 is logic. max is OR, min and the product are
// AND, 1 - x is NOT; a + b - a*b is OR, and so is a + b cut off at 1; of the form
// s*b + (1-s)*a it is the multiplexer.
func sinkGate(rw *passes.Rewriter, n *ir.Node) []*ir.Value {
	if n.Result().Type.DType != ir.F32 {
		return nil
	}
	gate := bitsOf(rw, n)
	if gate == nil {
		return nil
	}
	return []*ir.Value{rw.Op(ir.ToFloat, nil, gate)}
}

// bitsOf returns the bits that stand for arithmetic of bits; nil when it is none.
func bitsOf(rw *passes.Rewriter, n *ir.Node) *ir.Value {
	switch n.Op {
	case ir.Clip:
		if upperBound(n, 1) && (n.Arg(1) == nil || ir.IsSplat(n.Args[1], 0)) {
			return orOfSum(rw, n.Args[0])
		}
		return nil
	case ir.Where:
		return whereOfMaps(rw, n)
	}
	if len(n.Args) != 2 {
		return nil
	}
	switch n.Op {
	case ir.Add:
		return muxOf(rw, ir.Def(n.Args[0]), ir.Def(n.Args[1]))
	case ir.Sub:
		return complement(rw, n)
	case ir.Min:
		for i := range 2 {
			if ir.IsSplat(n.Args[1-i], 1) {
				if or := orOfSum(rw, n.Args[i]); or != nil {
					return or
				}
			}
		}
		return gateOfPair(rw, n, ir.BitAnd)
	case ir.Max:
		return gateOfPair(rw, n, ir.BitOr)
	case ir.Mul:
		return productOfBits(rw, n)
	}
	return nil
}

// gateOfPair is a gate of both operands, nil when they are no bits.
func gateOfPair(rw *passes.Rewriter, n *ir.Node, gate *ir.Op) *ir.Value {
	a, b := bitOperands(rw, n)
	if a == nil {
		return nil
	}
	return rw.Op(gate, nil, a, b)
}

// productOfBits is AND; the product of signs is +1 where they agree.
func productOfBits(rw *passes.Rewriter, n *ir.Node) *ir.Value {
	a, b := bitOperands(rw, n)
	switch {
	case a == nil:
		return nil
	case a.Type.DType == ir.SBit:
		return rw.Op(ir.BitNot, nil, rw.Op(ir.BitXor, nil, a, b))
	}
	return rw.Op(ir.BitAnd, nil, a, b)
}

// complement: 1 - b is NOT, and (a + b) - a*b is OR.
func complement(rw *passes.Rewriter, n *ir.Node) *ir.Value {
	b := bitOperand(n.Args[1])
	if b != nil && b.Type.DType == ir.Bit && ir.IsSplat(n.Args[0], 1) && ir.SameShape(b.Type.Shape, n.Result().Type.Shape) {
		return rw.Op(ir.BitNot, nil, b)
	}
	x, y := sumOfBits(n.Args[0])
	and := ir.Def(b)
	if x == nil || !and.Is(ir.BitAnd) {
		return nil
	}
	if p, q := and.Args[0], and.Args[1]; p == x && q == y || p == y && q == x {
		return rw.Op(ir.BitOr, nil, x, y)
	}
	return nil
}

// orOfSum is the OR of two bits of which v is the sum, nil when it is none.
func orOfSum(rw *passes.Rewriter, v *ir.Value) *ir.Value {
	a, b := sumOfBits(v)
	if a == nil {
		return nil
	}
	return rw.Op(ir.BitOr, nil, a, b)
}

// upperBound reports whether a clip cuts off at x.
func upperBound(n *ir.Node, x float64) bool { return n.Arg(2) != nil && ir.IsSplat(n.Args[2], x) }

// sumOfBits returns the operands when v is the sum of two bits.
func sumOfBits(v *ir.Value) (a, b *ir.Value) {
	d := ir.Def(v)
	if !d.Is(ir.Add) {
		return nil, nil
	}
	a, b = bitOperand(d.Args[0]), bitOperand(d.Args[1])
	if a == nil || b == nil || a.Type.DType != ir.Bit || b.Type.DType != ir.Bit {
		return nil, nil
	}
	return a, b
}

// bitOperands returns both operands as bits of one encoding; one of them may be
// a constant of fitting numbers.
func bitOperands(rw *passes.Rewriter, n *ir.Node) (a, b *ir.Value) {
	a, b = bitOperand(n.Args[0]), bitOperand(n.Args[1])
	switch {
	case a != nil && b == nil:
		b = constBits(rw, n.Args[1], a.Type.DType)
	case b != nil && a == nil:
		a = constBits(rw, n.Args[0], b.Type.DType)
	}
	if a == nil || b == nil || a.Type.DType != b.Type.DType {
		return nil, nil
	}
	return a, b
}

// constBits returns a constant as bits of type d when all its numbers fit it.
func constBits(rw *passes.Rewriter, v *ir.Value, d ir.DType) *ir.Value {
	t := ir.ConstOf(v)
	if t == nil {
		return nil
	}
	lo, hi := d.Range()
	for i := range t.Len() {
		if x := t.Float(i); x != float64(lo) && x != float64(hi) {
			return nil
		}
	}
	return rw.Const(t.Convert(d))
}

// whereOfMaps: where(s, b, a) of bits is the multiplexer.
func whereOfMaps(rw *passes.Rewriter, n *ir.Node) *ir.Value {
	s := bitOfBool(n.Args[0])
	if s == nil && n.In(0).DType == ir.Bool && ir.ConstOf(n.Args[0]) != nil {
		s = rw.Const(ir.ConstOf(n.Args[0]).Convert(ir.Bit))
	}
	b, a := bitOperand(n.Args[1]), bitOperand(n.Args[2])
	if s == nil || a == nil || b == nil || a.Type.DType != b.Type.DType {
		return nil
	}
	return rw.Op(ir.Mux, nil, s, a, b)
}

// bitOperand returns the bit behind to_float, or nil.
func bitOperand(v *ir.Value) *ir.Value {
	if z := ir.Unwrap(v, ir.ToFloat); z != nil && z.Type.DType.IsBit() {
		return z
	}
	return nil
}

// muxOf recognises s*b + (1-s)*a in any order of operands: s is a bit, a and b
// are bits of one encoding. Products of bits are ANDs by then; those of a bit and
// a sign are still products.
func muxOf(rw *passes.Rewriter, p, q *ir.Node) *ir.Value {
	for range 2 {
		for _, x := range factors(p) {
			for _, y := range factors(q) {
				if s := ir.Unwrap(y[0], ir.BitNot); s != nil && s == x[0] && x[1].Type.DType == y[1].Type.DType {
					return rw.Op(ir.Mux, nil, s, y[1], x[1])
				}
			}
		}
		p, q = q, p
	}
	return nil
}

// factors returns the two readings of a product as a select and a map.
func factors(n *ir.Node) [][2]*ir.Value {
	var a, b *ir.Value
	switch {
	case n.Is(ir.Mul):
		a, b = bitOperand(n.Args[0]), bitOperand(n.Args[1])
	case n.Is(ir.ToFloat) && n.Args[0].Def.Is(ir.BitAnd):
		a, b = n.Args[0].Def.Args[0], n.Args[0].Def.Args[1]
	}
	if a == nil || b == nil {
		return nil
	}
	var out [][2]*ir.Value
	if a.Type.DType == ir.Bit {
		out = append(out, [2]*ir.Value{a, b})
	}
	if b.Type.DType == ir.Bit {
		out = append(out, [2]*ir.Value{b, a})
	}
	return out
}

// gateToMux: mux(s, f, f OR x) is the MUX-OR residual.
func gateToMux(rw *passes.Rewriter, n *ir.Node) []*ir.Value {
	if n.Op != ir.Mux || n.Result().Type.DType != ir.Bit {
		return nil
	}
	s, f, or := n.Args[0], n.Args[1], ir.Def(n.Args[2])
	if !or.Is(ir.BitOr) || s.Type.DType != ir.Bit {
		return nil
	}
	for i := range 2 {
		if x := or.Args[1-i]; or.Args[i] == f && ir.SameShape(f.Type.Shape, x.Type.Shape) && ir.SameShape(f.Type.Shape, n.Result().Type.Shape) {
			return []*ir.Value{rw.Op(ir.MuxOr, nil, s, f, x)}
		}
	}
	return nil
}

// gateToMuxOr: f OR (s AND x), with one bit of s for a whole channel, is the
// MUX-OR residual written out.
func gateToMuxOr(rw *passes.Rewriter, n *ir.Node) []*ir.Value {
	if !n.Is(ir.BitOr) {
		return nil
	}
	shape := n.Result().Type.Shape
	for i := range 2 {
		f, and := n.Args[i], ir.Def(n.Args[1-i])
		if !and.Is(ir.BitAnd) || !ir.SameShape(f.Type.Shape, shape) {
			continue
		}
		for k := range 2 {
			s, x := and.Args[k], and.Args[1-k]
			if ir.SameShape(x.Type.Shape, shape) && !ir.SameShape(s.Type.Shape, shape) && rw.Once(n.Args[1-i]) {
				return []*ir.Value{rw.Op(ir.MuxOr, nil, s, f, x)}
			}
		}
	}
	return nil
}
