package train

import (
	"github.com/billnet/billnet/ir"
	"github.com/billnet/billnet/train/vec"
)

// Gates of bits, bools and signs have the gradients of the polynomials that
// agree with them: AND a*b, OR a+b-a*b, NOT 1-a (-a of signs), XOR a+b-2ab (-a*b
// of signs).
var _ = register(func(b *builder, n *ir.Node, in []*value) ([]*value, error) {
	signs := n.In(0).DType == ir.SBit
	var out *value
	switch n.Op {
	case ir.And, ir.BitAnd:
		if !signs {
			out = product(b, in)
			break
		}
		out = gate(b, in, func(p, q float32) (y, dp, dq float32) { return (p + q + p*q - 1) / 2, (1 + q) / 2, (1 + p) / 2 })
	case ir.Or, ir.BitOr:
		if !signs {
			out = or(b, in)
			break
		}
		out = gate(b, in, func(p, q float32) (y, dp, dq float32) { return (p + q - p*q + 1) / 2, (1 - q) / 2, (1 - p) / 2 })
	default:
		if signs {
			out = gate(b, in, func(p, q float32) (y, dp, dq float32) { return -p * q, -q, -p })
			break
		}
		out = gate(b, in, func(p, q float32) (y, dp, dq float32) { return p + q - 2*p*q, 1 - 2*q, 1 - 2*p })
	}
	out.kind = kindOf(n)
	return []*value{out}, nil
}, ir.And, ir.Or, ir.Xor, ir.BitAnd, ir.BitOr, ir.BitXor)

// gate emits a polynomial of two operands with its partial derivatives.
func gate(b *builder, in []*value, f func(p, q float32) (y, dp, dq float32)) *value {
	fwd := func(y []float32, x [][]float32) {
		for i, v := range x[0] {
			y[i], _, _ = f(v, x[1][i])
		}
	}
	bwd := func(gy, y []float32, x, gx [][]float32) {
		for i, v := range x[0] {
			_, dp, dq := f(v, x[1][i])
			if gx[0] != nil {
				gx[0][i] += gy[i] * dp
			}
			if gx[1] != nil {
				gx[1][i] += gy[i] * dq
			}
		}
	}
	return b.elements(in, fwd, bwd)
}

// kindOf returns the kind of a node's result of a logic type.
func kindOf(n *ir.Node) kind {
	switch n.Results[0].Type.DType {
	case ir.Bit, ir.Bool:
		return bitKind
	case ir.SBit, ir.Tern:
		return signed
	}
	return number
}

// affine emits y = scale*x + shift.
func affine(b *builder, x *value, scale, shift float32) *value {
	fwd := func(y []float32, x [][]float32) {
		vec.Affine(y, x[0], scale, shift)
	}
	bwd := func(gy, y []float32, x, gx [][]float32) {
		vec.AddScaled(gx[0], gy, scale)
	}
	out := b.elements([]*value{x}, fwd, bwd)
	out.kind = kindOf(b.node)
	return out
}

var _ = register(func(b *builder, n *ir.Node, in []*value) ([]*value, error) {
	if n.In(0).DType == ir.SBit {
		return []*value{affine(b, in[0], -1, 0)}, nil
	}
	return []*value{affine(b, in[0], -1, 1)}, nil
}, ir.Not, ir.BitNot)

// recode changes the encoding of bits: 2x - 1 or (x + 1)/2.
var _ = register(func(b *builder, n *ir.Node, in []*value) ([]*value, error) {
	if n.In(0).DType == ir.SBit {
		return []*value{affine(b, in[0], 0.5, 0.5)}, nil
	}
	return []*value{affine(b, in[0], 2, -1)}, nil
}, ir.Recode)
