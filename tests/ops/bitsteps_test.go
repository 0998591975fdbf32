package ops_test

import (
	"context"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/billnet/billnet/codegen/bytecode"
	"github.com/billnet/billnet/ir"
	"github.com/billnet/billnet/passes"
	"github.com/billnet/billnet/passes/packed"
	"github.com/billnet/billnet/runtime"
)

// bitNet writes binary convolutions around a float residual stream.
type bitNet struct{ chainNet }

// signs is the bits of a stream, perhaps behind functions of their own.
func (g *bitNet) signs(v *ir.Value) *ir.Value {
	for g.IntN(3) == 0 {
		v = g.function(v, nil)
	}
	return g.Op(ir.Step, map[string]any{"strict": g.IntN(2) == 0, "signed": g.IntN(3) > 0, "nan": g.IntN(2) == 0}, v)
}

// conv is a convolution of bits, its sums as floats. With same its result has the shape of x.
func (g *bitNet) conv(x *ir.Value, same bool) *ir.Value {
	shape := x.Type.Shape
	if len(shape) == 4 {
		x = g.Op(ir.Reshape, map[string]any{"shape": []int{1, shape[1], 1, shape[2], shape[3]}}, x)
	}
	c := shape[1]
	o, groups := []int{1, 3, 8, 40, 65, 128}[g.IntN(6)], 1
	if same {
		o = c
	}
	if g.IntN(3) == 0 {
		for _, n := range []int{2, 3, c, c / 8} {
			if n > 0 && c%n == 0 && o%n == 0 {
				groups = n
			}
		}
	}
	d := []ir.DType{ir.SBit, ir.SBit, ir.SBit, ir.Tern}[g.IntN(4)]
	kernel := []int{o, c / groups}
	var stride, dil, before, after []int
	for a, n := range x.Type.Shape[2:] {
		k, s, e := 1+g.IntN(3), 1, 1+g.IntN(2)
		if a == 0 && len(shape) == 4 {
			k = 1
		}
		if !same && g.IntN(3) == 0 {
			s = 2
		}
		reach := (k - 1) * e
		lead := g.IntN(reach + 1)
		kernel, stride, dil, before = append(kernel, k), append(stride, s), append(dil, e), append(before, lead)
		if same {
			after = append(after, reach-lead)
		} else {
			after = append(after, max(g.IntN(reach+1), reach-lead-n+1))
		}
	}
	w := ir.NewTensor(ir.T(d, kernel...))
	for i := range w.Ints() {
		if w.Ints()[i] = int64(2*g.IntN(2) - 1); d == ir.Tern && g.IntN(3) == 0 {
			w.Ints()[i] = 0
		}
	}
	z := g.Op(ir.BConv, map[string]any{"groups": groups, "stride": stride, "dilation": dil, "pad": append(before, after...)}, x, g.Const(w))
	if g.IntN(4) == 0 {
		return g.floated(g.Op(ir.Clip, nil, z, g.number(ir.I32, -2), g.number(ir.I32, float64(g.IntN(30)))), len(shape))
	}
	if !same && len(shape) == 5 && g.IntN(4) == 0 { // channels, or rows, of zeros
		axis := 1 + g.IntN(3)
		z = g.Op(ir.Pad, map[string]any{"pads": []int{g.IntN(3), g.IntN(9)}, "axes": []int{axis}, "mode": "constant"}, z)
		return g.Op(ir.ToFloat, nil, z)
	}
	return g.floated(z, len(shape))
}

// floated makes floats of sums, in the rank of the stream.
func (g *bitNet) floated(z *ir.Value, rank int) *ir.Value {
	if g.IntN(2) == 0 {
		z = g.scaled(z, 1)
	}
	if s := z.Type.Shape; rank == 4 {
		z = g.Op(ir.Reshape, map[string]any{"shape": []int{s[0], s[1], s[3], s[4]}}, z)
	}
	if z.Type.DType != ir.F32 {
		z = g.Op(ir.ToFloat, nil, z)
	}
	return z
}

func (g *bitNet) network(shape []int) []*ir.Tensor {
	x := &ir.Value{Type: ir.T(ir.F32, shape...)}
	f := &ir.Func{Name: "main", Params: []ir.Port{{Name: "x", Value: x}}}
	g.m = &ir.Module{Name: "signs", Level: ir.Logic, Funcs: []*ir.Func{f}}
	g.F, g.Loc = f, ir.Loc{Name: "n"}
	v := x
	for range 1 + g.IntN(4) {
		same := g.IntN(3) > 0
		y := g.conv(g.signs(v), same)
		if g.Err != nil {
			return nil
		}
		for range g.IntN(3) {
			y = g.function(y, []*ir.Value{v})
		}
		if same {
			y = g.Op(ir.Add, nil, y, v)
		}
		v = y
	}
	f.Results = []ir.Port{{Name: "y", Value: v}}
	in := ir.NewTensor(x.Type)
	special := []float32{0, float32(math.Copysign(0, -1)), 1e-45, -1e-45}
	for i := range in.Floats() {
		if in.Floats()[i] = float32(g.NormFloat64()); g.IntN(4) == 0 {
			in.Floats()[i] = special[g.IntN(len(special))]
		}
	}
	if g.IntN(20) == 0 {
		in.Floats()[0] = float32(math.NaN())
	}
	return []*ir.Tensor{in}
}

// TestBitSteps: signs on planes and convolutions of bits with steps behind them give the bits that the interpreter gives of
// their nodes.
func TestBitSteps(t *testing.T) {
	used := map[string]int{}
	seeds := uint64(300)
	if testing.Short() {
		seeds = 100
	}
	for seed := range seeds {
		g := &bitNet{chainNet{Rand: rand.New(rand.NewPCG(seed, 41))}}
		shape := [][]int{{1, 5, 1, 1}, {1, 64, 2, 2}, {1, 16, 4, 4}, {1, 9, 7, 6}, {1, 72, 3, 5}, {1, 3, 17, 20}, {1, 8, 3, 5, 4}, {1, 130, 1, 1, 1}, {1, 1, 2, 30, 41}}[g.IntN(9)]
		in := g.network(shape)
		if g.Err != nil {
			t.Fatalf("seed %d: %v", seed, g.Err)
		}
		text := ir.PrintFunc(g.m.Main())
		want, err := ir.Eval(context.Background(), g.m.Main(), in, nil)
		if err != nil {
			t.Fatalf("seed %d: %v\n%s", seed, err, text)
		}
		if _, err := passes.Run(context.Background(), g.m, passes.Steps(packed.Layout), passes.RunOptions{}); err != nil {
			t.Fatalf("seed %d: %v\n%s", seed, err, text)
		}
		img, _, err := bytecode.Generate(g.m, nil)
		if err != nil {
			t.Fatalf("seed %d: %v\n%s", seed, err, text)
		}
		for _, i := range img.Code {
			used[i.Op.String()]++
		}
		for _, isa := range []string{"generic", ""} {
			got, err := runImage(img, g.m, in, runtime.Options{ISA: isa, Threads: 1 + int(seed%3)})
			if err == nil {
				err = equal(got, want)
			}
			if err != nil {
				t.Fatalf("seed %d, %s: %v\n%s", seed, isa, err, text)
			}
		}
	}
	if used["bconv_steps"] < int(seeds)/2 || used["map_steps"] < int(seeds)/2 || used["bconv"] > used["bconv_steps"]/4 || used["step"] > used["map_steps"]/4 {
		t.Errorf("instructions are %v, expected most signs and convolutions with their steps", used)
	}
}
