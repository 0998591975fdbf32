package ops_test

import (
	"context"
	"math/rand/v2"
	"testing"

	"github.com/billnet/billnet/codegen/bytecode"
	"github.com/billnet/billnet/ir"
	"github.com/billnet/billnet/runtime"
)

// normNet writes normalizations of rows, as frontends write them out, and what may stand around them.
type normNet struct {
	*chainNet
}

// constant is a constant that broadcasts along the last axes, or over all of them.
func (g normNet) constant(shape []int, axes int) *ir.Value {
	switch g.IntN(4) {
	case 0:
		return g.floats()
	case 1: // one for every row
		s := append([]int{}, shape...)
		for i := range axes {
			s[len(s)-1-i] = 1
		}
		if s[0] == 1 && len(s) > axes+1 {
			s = s[1:]
		}
		return g.floats(s...)
	}
	return g.floats(shape[len(shape)-axes:]...)
}

// norm divides by the root of the mean square, with or without the mean taken away.
func (g normNet) norm(x *ir.Value, axes int) *ir.Value {
	var list []int
	for a := x.Type.Rank() - axes; a < x.Type.Rank(); a++ {
		list = append(list, a)
	}
	mean := func(v *ir.Value) *ir.Value { return g.Op(ir.ReduceMean, map[string]any{"axes": list}, v) }
	d := x
	if g.IntN(3) > 0 {
		d = g.Op(ir.Sub, nil, x, mean(x))
	}
	square := g.Op(ir.Mul, nil, d, d)
	if g.IntN(2) == 0 {
		square = g.Op(ir.Pow, nil, d, g.number(ir.F32, 2))
	}
	root := g.Op(ir.Sqrt, nil, g.Op(ir.Add, nil, mean(square), g.number(ir.F32, 1e-5)))
	var y *ir.Value
	switch g.IntN(3) {
	case 0:
		y = g.Op(ir.Mul, nil, d, g.Op(ir.Reciprocal, nil, root))
	case 1:
		y = g.Op(ir.Mul, nil, d, g.Op(ir.Div, nil, g.number(ir.F32, 1), root))
	default:
		y = g.Op(ir.Div, nil, d, root)
	}
	if g.IntN(4) > 0 {
		y = g.Op(ir.Mul, nil, y, g.constant(x.Type.Shape, axes))
		y = g.Op(ir.Add, nil, g.constant(x.Type.Shape, axes), y)
	}
	return y
}

// lines divides by the sum, or the largest, of a row.
func (g normNet) lines(x *ir.Value) *ir.Value {
	op := []*ir.Op{ir.ReduceSum, ir.ReduceMax, ir.ReduceMin}[g.IntN(3)]
	s := g.Op(op, map[string]any{"axes": []int{-1}}, x)
	return g.Op([]*ir.Op{ir.Sub, ir.Div, ir.Max}[g.IntN(3)], nil, []*ir.Value{x, s}[g.IntN(2)], s)
}

// TestRows: normalizations become one instruction, which gives the bits that the interpreter gives of their nodes.
func TestRows(t *testing.T) {
	fused, reductions := 0, 0
	for seed := range uint64(200) {
		g := normNet{&chainNet{Rand: rand.New(rand.NewPCG(seed, 34))}}
		shape := [][]int{{2, 5}, {1, 3, 9}, {1, 4, 7, 6}, {2, 3, 1, 1}, {1, 8, 5, 20}, {3, 40, 3}, {1, 2000}, {2, 2, 3, 5}}[g.IntN(8)]
		x := &ir.Value{Type: ir.T(ir.F32, shape...)}
		f := &ir.Func{Name: "main", Params: []ir.Port{{Name: "x", Value: x}}}
		g.m = &ir.Module{Name: "norms", Level: ir.Packed, Funcs: []*ir.Func{f}}
		g.F, g.Loc = f, ir.Loc{Name: "n"}
		v := x
		for range 1 + g.IntN(3) {
			was := v
			if g.IntN(4) == 0 {
				v = g.lines(v)
			} else {
				v = g.norm(v, 1+g.IntN(len(shape)-1))
			}
			if !ir.SameShape(v.Type.Shape, shape) {
				v = was
				continue
			}
			switch g.IntN(4) {
			case 0: // a residual
				v = g.Op(ir.Add, nil, v, was)
			case 1: // what others read
				f.Results = append(f.Results, ir.Port{Name: "y" + string(rune('0'+len(f.Results))), Value: v})
			case 2:
				v = g.Op(ir.Relu, nil, v)
			}
		}
		f.Results = append(f.Results, ir.Port{Name: "y", Value: v})
		if g.Err != nil {
			t.Fatalf("seed %d: %v", seed, g.Err)
		}
		in := ir.NewTensor(x.Type)
		for i := range in.Floats() {
			in.Floats()[i] = float32(g.NormFloat64() * 3)
		}
		want, err := ir.Eval(context.Background(), f, []*ir.Tensor{in}, nil)
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		text := ir.PrintFunc(f)
		img, _, err := bytecode.Generate(g.m, nil)
		if err != nil {
			t.Fatalf("seed %d: %v\n%s", seed, err, text)
		}
		for _, i := range img.Code {
			switch i.Op.String() {
			case "rows":
				fused++
			case "reduce_mean", "reduce_sum", "reduce_max", "reduce_min":
				reductions++
			}
		}
		for _, isa := range []string{"generic", ""} {
			got, err := runImage(img, g.m, []*ir.Tensor{in}, runtime.Options{ISA: isa, Threads: 1 + int(seed%3)})
			if err == nil {
				err = equal(got, want)
			}
			if err != nil {
				t.Fatalf("seed %d, %s: %v\n%s", seed, isa, err, text)
			}
		}
	}
	if fused < 200 || reductions > fused/4 {
		t.Errorf("%d programs on rows and %d reductions beside them", fused, reductions)
	}
}
