package pipeline_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/billnet/billnet/ir"
	"github.com/billnet/billnet/passes"
	"github.com/billnet/billnet/passes/pipeline"
)

// optionalNet builds random networks of operations that have optional operands, each
// there or left out, at the end of the list or before one that is there.
type optionalNet struct {
	*rand.Rand
	ir.Builder
}

func (g *optionalNet) scalar(v ...float64) *ir.Value { return g.Scalar(v[g.IntN(len(v))]) }

// maybe returns an operand or nothing.
func (g *optionalNet) maybe(v func() *ir.Value) *ir.Value {
	if g.IntN(2) == 0 {
		return nil
	}
	return v()
}

// op appends an operation. Operands left out at the end are nil, or not there at all.
func (g *optionalNet) op(o *ir.Op, attrs map[string]any, args ...*ir.Value) *ir.Value {
	for len(args) > 0 && args[len(args)-1] == nil && g.IntN(2) == 0 {
		args = args[:len(args)-1]
	}
	return g.Op(o, attrs, args...)
}

// weights are -1 and +1, or whole numbers.
func (g *optionalNet) weights(d ir.DType, shape ...int) *ir.Value {
	t := ir.NewTensor(ir.T(d, shape...))
	binary := g.IntN(3) > 0
	for i := range t.Len() {
		v := float64(2*g.IntN(2) - 1)
		if !binary {
			v *= float64(g.IntN(3))
		}
		t.SetFloat(i, v)
	}
	return g.Const(t)
}

func (g *optionalNet) vector(d ir.DType, n int, choices ...float64) *ir.Value {
	t := ir.NewTensor(ir.T(d, n))
	for i := range t.Len() {
		t.SetFloat(i, choices[g.IntN(len(choices))])
	}
	return g.Const(t)
}

// layer appends a random operation to a float map [1,C,T,H,W].
func (g *optionalNet) layer(x *ir.Value) *ir.Value {
	c := x.Type.Shape[1]
	one := []int{1, 1, 1}
	zero := func(d ir.DType) func() *ir.Value { return func() *ir.Value { return g.Const(ir.NewTensor(ir.T(d))) } }
	switch g.IntN(12) {
	case 0, 1:
		o := 1 + g.IntN(4)
		return g.op(ir.Conv, nil, x, g.weights(ir.F32, o, c, 1, 1, 1), g.maybe(func() *ir.Value { return g.vector(ir.F32, o, 0, 0.5, -1, 2) }))
	case 2, 3:
		return g.op(ir.Clip, nil, x, g.maybe(func() *ir.Value { return g.scalar(-1, 0, 0.5) }), g.maybe(func() *ir.Value { return g.scalar(1, 2, 0) }))
	case 4:
		mode := []string{"constant", "reflect", "edge"}[g.IntN(3)]
		value := g.maybe(func() *ir.Value { return g.scalar(0, 1, -1) })
		if mode != "constant" {
			value = nil
		}
		return g.op(ir.Pad, map[string]any{"mode": mode, "pads": []int{0, 0, 0, 1, 0, 0, 0, 0, 0, 1}}, x, value)
	case 5:
		d := []ir.DType{ir.U8, ir.I8}[g.IntN(2)]
		q := g.op(ir.QuantizeLinear, nil, x, g.scalar(0.5, 1, 0.25), g.maybe(zero(ir.U8)))
		if d == ir.I8 || g.IntN(2) == 0 {
			return g.op(ir.DequantizeLinear, nil, q, g.scalar(0.5, 1), g.maybe(zero(ir.U8)))
		}
		z := g.op(ir.ConvInteger, nil, q, g.weights(ir.I8, 2, c, 1, 1, 1), g.maybe(zero(ir.U8)), g.maybe(zero(ir.I8)))
		return g.Op(ir.Cast, map[string]any{"to": "f32"}, z)
	case 6, 7:
		b := g.Op([]*ir.Op{ir.Greater, ir.GreaterOrEqual, ir.Less}[g.IntN(3)], nil, x, g.scalar(0, 0.5, 1))
		return g.Op(ir.Cast, map[string]any{"to": "f32"}, b)
	case 8:
		return g.Op(ir.BatchNorm, nil, x, g.vector(ir.F32, c, 1, -1, 0, 0.5), g.vector(ir.F32, c, 0, 1, -0.25), g.vector(ir.F32, c, 0, 1), g.vector(ir.F32, c, 1, 4))
	case 9:
		return g.Op(ir.MaxPool, map[string]any{"kernel": one}, x)
	case 10:
		return g.Op(ir.Sign, nil, x)
	}
	return g.Op([]*ir.Op{ir.Relu, ir.Neg, ir.Identity}[g.IntN(3)], nil, x)
}

// head appends a linear or recurrent layer.
func (g *optionalNet) head(x *ir.Value) *ir.Value {
	n := x.Type.Elems()
	flat := g.Op(ir.Reshape, map[string]any{"shape": []int{1, n}}, x)
	if g.IntN(2) == 0 {
		return g.op(ir.Gemm, nil, flat, g.weights(ir.F32, n, 2), g.maybe(func() *ir.Value { return g.vector(ir.F32, 2, 0, 1.5) }))
	}
	kind := g.IntN(3)
	rows := []int{4, 3, 1}[kind] * 2
	seq := g.Op(ir.Reshape, map[string]any{"shape": []int{1, 1, n}}, x)
	args := []*ir.Value{seq, g.weights(ir.F32, 1, rows, n), g.weights(ir.F32, 1, rows, 2),
		g.maybe(func() *ir.Value { return g.Const(ir.NewTensor(ir.T(ir.F32, 1, 2*rows))) }),
		g.maybe(func() *ir.Value { return g.Const(ir.IntTensor(ir.I32, []int64{1}, 1)) }),
		g.maybe(func() *ir.Value { return g.Const(ir.FloatTensor([]float32{1, -1}, 1, 1, 2)) })}
	if kind == 0 {
		args = append(args, g.maybe(func() *ir.Value { return g.Const(ir.NewTensor(ir.T(ir.F32, 1, 1, 2))) }), g.maybe(func() *ir.Value { return g.Const(ir.NewTensor(ir.T(ir.F32, 1, 6))) }))
	}
	y := g.op([]*ir.Op{ir.LSTM, ir.GRU, ir.RNN}[kind], map[string]any{"hidden": 2}, args...)
	return y
}

// build returns a network, nil where the random operations do not fit together.
func (g *optionalNet) build() *ir.Module {
	f := &ir.Func{Name: "main"}
	g.F = f
	in := &ir.Value{Type: ir.T([]ir.DType{ir.F32, ir.U8, ir.I8}[g.IntN(3)], 1, 2, 1, 2, 3)}
	f.Params = []ir.Port{{Name: "x", Value: in}}
	x := in
	if in.Type.DType != ir.F32 {
		x = g.Op(ir.Cast, map[string]any{"to": "f32"}, in)
	}
	for i := range 2 + g.IntN(6) {
		g.Loc = ir.Loc{Name: fmt.Sprintf("n%d", i)}
		if x = g.layer(x); g.Err != nil {
			return nil
		}
	}
	y := g.head(x)
	if g.Err != nil {
		return nil
	}
	f.Results = []ir.Port{{Name: "x", Value: x}, {Name: "y", Value: y}}
	f.RemoveDead()
	return &ir.Module{Name: "optional", Level: ir.Source, Funcs: []*ir.Func{f}}
}

// TestOptionalOperands: no pass takes an operand for granted that may be left out.
func TestOptionalOperands(t *testing.T) {
	t.Parallel()
	nets := uint64(1000)
	if testing.Short() {
		nets = 150
	}
	built := 0
	for i := range nets {
		g := &optionalNet{Rand: rand.New(rand.NewPCG(i, 9))}
		m := g.build()
		if m == nil {
			continue
		}
		built++
		clips := [][]*ir.Tensor{ir.RandomInputs(m.Main(), g.Rand, 2), ir.RandomInputs(m.Main(), g.Rand, 3)}
		for _, list := range []string{"default", "fold-constants, quantize, quantize-lstm, default", "fold-constants, insert-mux-or, binarize, quantize-lstm, default", "O1"} {
			steps, err := pipeline.Registry().Parse("test", list)
			if err != nil {
				t.Fatal(err)
			}
			_, err = passes.Run(context.Background(), m.Clone(), steps, passes.RunOptions{Check: 3, Clips: clips})
			var f *passes.Failure
			if errors.As(err, &f) && f.Kind != passes.Refused {
				t.Errorf("%d: %s: %v\n%s", i, list, err, ir.PrintFunc(m.Main()))
			}
		}
	}
	if uint64(built) < nets/3 {
		t.Errorf("%d networks of %d", built, nets)
	}
}
