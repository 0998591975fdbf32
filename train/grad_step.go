package train

import (
	"github.com/billnet/billnet/ir"
	"github.com/billnet/billnet/train/vec"
)

// A step y = low or 1, with low 0 or -1, is trained straight through: dx is the
// surrogate of its role at x, times 1 - low. Its operand is x, or a and b with
// x = a - b.
var _ = register(func(b *builder, n *ir.Node, in []*value) ([]*value, error) {
	low, strict, nan := float32(0), n.Bool("strict"), n.Bool("nan")
	if n.Bool("signed") {
		low = -1
	}
	hard := func(y []float32, x [][]float32) { vec.Step(y, x[0], low, 1-low, strict, nan) }
	return []*value{b.step(in, low, b.roleOf(n, n.Args[0], low < 0), hard)}, nil
}, ir.Step)

// Comparisons of numbers are steps of the difference.
var _ = register(func(b *builder, n *ir.Node, in []*value) ([]*value, error) {
	x := n.Args[0]
	if !in[0].batched && in[1].batched || ir.ConstOf(x) != nil {
		x = n.Args[1]
	}
	if n.Is(ir.Less) || n.Is(ir.LessOrEqual) {
		in = []*value{in[1], in[0]}
	}
	equal := n.Is(ir.GreaterOrEqual) || n.Is(ir.LessOrEqual)
	hard := func(y []float32, x [][]float32) {
		if equal {
			vec.GreaterEqual(y, x[0], x[1])
		} else {
			vec.Greater(y, x[0], x[1])
		}
	}
	return []*value{b.step(in, 0, b.roleOf(n, x, false), hard)}, nil
}, ir.Greater, ir.GreaterOrEqual, ir.Less, ir.LessOrEqual)

// sign is -1, 0 or +1; its surrogate is that of a step from -1 to 1.
var _ = register(func(b *builder, n *ir.Node, in []*value) ([]*value, error) {
	hard := func(y []float32, x [][]float32) {
		for i, v := range x[0] {
			y[i] = float32(sign64(float64(v)))
		}
	}
	return []*value{b.step(in, -1, b.roleOf(n, n.Args[0], true), hard)}, nil
}, ir.Sign)

// step emits a binary operation from low to 1 of x, or of the difference of two
// operands, with its hard form.
func (b *builder) step(in []*value, low float32, role Role, hard func(y []float32, x [][]float32)) *value {
	return b.stepOf(b.node.Results[0].Type.Shape, in, low, role, hard)
}

// stepOf is step with a result of the given shape.
func (b *builder) stepOf(shape []int, in []*value, low float32, role Role, hard func(y []float32, x [][]float32)) *value {
	g := b.g
	surrogate := func() Surrogate { return g.surrogates[role] }
	if s, ok := b.opts.Surrogates[b.node.Loc.Name]; ok {
		surrogate = func() Surrogate { return s }
	}
	// difference is x; it may use tmp.
	difference := func(x [][]float32, tmp []float32) []float32 {
		if len(x) == 1 {
			return x[0]
		}
		tmp = tmp[:len(x[0])]
		vec.Minus(tmp, x[0], x[1])
		return tmp
	}
	fwd := func(y []float32, x [][]float32) {
		if s := g.soft[role]; s.On {
			role.smooth(y, difference(x, y), low, float32(s.Slope))
			return
		}
		hard(y, x)
	}
	bwd := func(gy, y []float32, x, gx [][]float32) {
		d, at := gx[0], x[0]
		if len(x) == 2 {
			at, d = difference(x, make([]float32, len(gy))), make([]float32, len(gy))
		}
		if s := g.soft[role]; s.On {
			role.smoothGradient(d, gy, at, y, low, float32(s.Slope))
		} else {
			surrogate().derivative(d, gy, at, 1-low)
		}
		if len(x) == 2 {
			if gx[0] != nil {
				vec.Add(gx[0], d)
			}
			if gx[1] != nil {
				vec.Sub(gx[1], d)
			}
		}
	}
	out := b.elementsOf(shape, in, fwd, bwd)
	out.kind = bitKind
	if low < 0 {
		out.kind = signed
	}
	b.steps = append(b.steps, StepInfo{Name: b.node.Loc.Name, Op: b.node.Op.Name, Role: role})
	return out
}
