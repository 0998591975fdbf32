package ops_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/billnet/billnet/codegen/bytecode"
	"github.com/billnet/billnet/ir"
	"github.com/billnet/billnet/runtime"
)

// chainNet writes quantized layers and what may follow them, with odd sizes and
// values that are read once, twice or by nothing else.
type chainNet struct {
	*rand.Rand
	ir.Builder
	m *ir.Module
}

func (g *chainNet) floats(shape ...int) *ir.Value {
	t := ir.NewTensor(ir.T(ir.F32, shape...))
	for i := range t.Floats() {
		t.Floats()[i] = float32(g.NormFloat64())
	}
	return g.Const(t)
}

func (g *chainNet) doubles(n int) *ir.Value {
	t := ir.NewTensor(ir.T(ir.F64, n))
	for i := range t.Doubles() {
		t.Doubles()[i] = g.NormFloat64() / 40
	}
	return g.Const(t)
}

func (g *chainNet) number(d ir.DType, v float64) *ir.Value { return g.Const(ir.Scalar(d, v)) }

func (g *chainNet) weights(shape ...int) *ir.Value {
	d := []ir.DType{ir.I8, ir.I8, ir.Tern, ir.SBit}[g.IntN(4)]
	lo, hi := d.Range()
	t := ir.NewTensor(ir.T(d, shape...))
	for i := range t.Ints() {
		t.Ints()[i] = lo + g.Int64N(hi-lo+1)
		if d == ir.SBit {
			t.Ints()[i] = 2*g.Int64N(2) - 1
		}
	}
	return g.Const(t)
}

// bytes quantizes a float to u8 or i8.
func (g *chainNet) bytes(x *ir.Value) *ir.Value {
	d := []ir.DType{ir.U8, ir.I8}[g.IntN(2)]
	q := g.Op(ir.QuantizeLinear, nil, x, g.number(ir.F32, 0.01+g.Float64()/8), g.number(d, float64(g.IntN(100))))
	if g.IntN(2) == 0 {
		q = g.Op(ir.Clip, nil, q, g.number(d, float64(g.IntN(4))), g.number(d, float64(4+g.IntN(90))))
	}
	return q
}

// shifted is bytes less a zero point, or the bytes.
func (g *chainNet) shifted(q *ir.Value) *ir.Value {
	if g.IntN(3) == 0 {
		return q
	}
	wide := []ir.DType{ir.I16, ir.I32}[g.IntN(2)]
	return g.Op(ir.Sub, nil, g.Op(ir.Cast, map[string]any{"to": wide.String()}, q), g.number(wide, float64(g.IntN(100))))
}

func (g *chainNet) dequantized(q *ir.Value) *ir.Value {
	if g.IntN(3) == 0 {
		return g.Op(ir.DequantizeLinear, nil, q, g.number(ir.F32, g.Float64()), g.number(q.Type.DType, float64(g.IntN(100))))
	}
	z := g.shifted(q)
	if g.IntN(2) == 0 {
		one, none := g.Const(ir.Scalar(ir.F64, 1).Reshape(1)), g.Const(ir.Scalar(ir.F64, 0).Reshape(1))
		return g.Op(ir.Affine, map[string]any{"axis": 0}, z, g.Const(ir.Scalar(ir.F64, float64(float32(g.Float64()))).Reshape(1)), one, none)
	}
	y := g.Op(ir.ToFloat, nil, z)
	if g.IntN(2) == 0 {
		y = g.Op(ir.Mul, nil, y, g.number(ir.F32, g.Float64()))
	}
	return y
}

// layer is a convolution or linear layer of bytes, its sums as a float.
func (g *chainNet) layer(q *ir.Value) *ir.Value {
	shape := q.Type.Shape
	if len(shape) == 2 {
		z := g.Op(ir.ILinear, nil, g.shifted(q), g.weights(1+g.IntN(70), shape[1]))
		return g.scaled(z, 1)
	}
	x, c, o := g.shifted(q), shape[1], 1+g.IntN(9)
	groups := 1
	if g.IntN(3) == 0 {
		groups, o = c, c*(1+g.IntN(2))
	}
	reshaped := len(shape) == 4 && g.IntN(2) == 0
	if reshaped {
		x = g.Op(ir.Reshape, map[string]any{"shape": []int{shape[0], c, 1, shape[2], shape[3]}}, x)
	}
	attrs := map[string]any{"groups": groups}
	kernel := []int{o, c / groups}
	var stride, pad []int
	for _, d := range x.Type.Shape[2:] {
		k := min(1+g.IntN(3), d)
		kernel, stride, pad = append(kernel, k), append(stride, 1+g.IntN(2)), append(pad, g.IntN(k))
	}
	attrs["stride"], attrs["pad"] = stride, append(pad, pad...)
	z := g.Op(ir.IConv, attrs, x, g.weights(kernel...))
	if s := z.Type.Shape; reshaped {
		z = g.Op(ir.Reshape, map[string]any{"shape": []int{s[0], s[1], s[3], s[4]}}, z)
	}
	return g.scaled(z, 1)
}

func (g *chainNet) scaled(z *ir.Value, axis int) *ir.Value {
	if g.IntN(4) == 0 {
		return g.Op(ir.ToFloat, nil, z)
	}
	c := z.Type.Shape[axis]
	n := []int{1, c}[g.IntN(2)]
	return g.Op(ir.Affine, map[string]any{"axis": axis}, z, g.doubles(n), g.Const(ir.Scalar(ir.F64, float64(1+g.IntN(3))).Reshape(1)), g.doubles(c))
}

// function is a step on a float; some read another value.
func (g *chainNet) function(v *ir.Value, others []*ir.Value) *ir.Value {
	shape := v.Type.Shape
	along := make([]int, len(shape))
	for i := range along {
		along[i] = 1
	}
	along[1] = shape[1]
	switch g.IntN(13) {
	case 0:
		return g.Op(ir.Relu, nil, v)
	case 1:
		return g.Op(ir.Clip, nil, v, g.number(ir.F32, -0.5), g.number(ir.F32, 6))
	case 2:
		return g.Op(ir.HardSigmoid, map[string]any{"alpha": 0.2, "beta": 0.5}, v)
	case 3:
		return g.Op(ir.HardSwish, nil, v)
	case 4:
		return g.Op(ir.LeakyRelu, map[string]any{"alpha": 0.25}, v)
	case 5:
		return g.Op([]*ir.Op{ir.Add, ir.Mul, ir.Sub, ir.Div, ir.PRelu}[g.IntN(5)], nil, v, g.floats(along...))
	case 6:
		return g.Op([]*ir.Op{ir.Add, ir.Mul, ir.Sub}[g.IntN(3)], nil, g.floats(along...), v)
	case 7:
		positive := ir.NewTensor(ir.T(ir.F32, shape[1]))
		for i := range positive.Floats() {
			positive.Floats()[i] = g.Float32() + 0.1
		}
		return g.Op(ir.BatchNorm, nil, v, g.floats(shape[1]), g.floats(shape[1]), g.floats(shape[1]), g.Const(positive))
	case 8:
		if len(shape) > 2 { // squeeze and excite
			axes := []int{}
			for a := 2; a < len(shape); a++ {
				axes = append(axes, a)
			}
			return g.Op(ir.Mul, nil, g.Op(ir.ReduceMax, map[string]any{"axes": axes}, v), v)
		}
	}
	for _, o := range others {
		if ir.SameShape(o.Type.Shape, shape) && g.IntN(2) == 0 {
			if o.Type.DType != ir.F32 {
				o = g.dequantized(o)
			}
			pair := []*ir.Value{v, o}
			side := g.IntN(2)
			return g.Op([]*ir.Op{ir.Add, ir.Mul}[g.IntN(2)], nil, pair[side], pair[1-side])
		}
	}
	return v
}

// build makes a network of a few layers from a float input.
func (g *chainNet) build(shape []int) []*ir.Tensor {
	x := &ir.Value{Type: ir.T(ir.F32, shape...)}
	f := &ir.Func{Name: "main", Params: []ir.Port{{Name: "x", Value: x}}}
	g.m = &ir.Module{Name: "chains", Level: ir.Packed, Funcs: []*ir.Func{f}}
	g.F, g.Loc = f, ir.Loc{Name: "n"}
	v := x
	others := []*ir.Value{x}
	for range 1 + g.IntN(5) {
		q := g.bytes(v)
		if len(shape) > 2 && g.IntN(4) == 0 {
			others = append(others, q)
		}
		if g.IntN(3) == 0 {
			v = g.dequantized(q)
		} else {
			v = g.layer(q)
		}
		for range g.IntN(4) {
			v = g.function(v, others)
		}
		others = append(others, v)
		if g.IntN(8) == 0 {
			f.Results = append(f.Results, ir.Port{Name: fmt.Sprintf("y%d", len(f.Results)), Value: v})
		}
	}
	if g.IntN(2) == 0 {
		v = g.bytes(v)
	}
	f.Results = append(f.Results, ir.Port{Name: "y", Value: v})
	in := ir.NewTensor(x.Type)
	for i := range in.Floats() {
		in.Floats()[i] = float32(g.NormFloat64() * 3)
	}
	return []*ir.Tensor{in}
}

// TestSteps: instructions of several steps give the bits that the interpreter
// gives of their nodes.
func TestSteps(t *testing.T) {
	fused := map[string]int{}
	seeds := uint64(400)
	if testing.Short() {
		seeds = 150
	}
	for seed := range seeds {
		g := &chainNet{Rand: rand.New(rand.NewPCG(seed, 33))}
		shape := [][]int{{2, 5}, {1, 3, 9}, {1, 4, 7, 6}, {2, 3, 1, 1}, {1, 8, 17, 20}, {1, 2, 3, 5, 4}, {1, 1, 1, 30, 41}}[g.IntN(7)]
		in := g.build(shape)
		if g.Err != nil {
			t.Fatalf("seed %d: %v", seed, g.Err)
		}
		want, err := ir.Eval(context.Background(), g.m.Main(), in, nil)
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		text := ir.PrintFunc(g.m.Main())
		img, _, err := bytecode.Generate(g.m, nil)
		if err != nil {
			t.Fatalf("seed %d: %v\n%s", seed, err, text)
		}
		for _, i := range img.Code {
			fused[i.Op.String()]++
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
	for _, op := range []string{"conv_steps", "linear_steps", "map_steps"} {
		if fused[op] < 20 {
			t.Errorf("only %d instructions %s", fused[op], op)
		}
	}
}

// TestStepsName: steps are called after the last node that computes, not after a reshape for their reader.
func TestStepsName(t *testing.T) {
	x := &ir.Value{Type: ir.T(ir.U8, 1, 2, 3, 3)}
	f := &ir.Func{Name: "main", Params: []ir.Port{{Name: "x", Value: x}}}
	b := ir.Builder{F: f, Loc: ir.Loc{Name: "layer"}}
	v := b.Op(ir.DequantizeLinear, nil, x, b.Const(ir.Scalar(ir.F32, 0.5)), b.Const(ir.Scalar(ir.U8, 3)))
	v = b.Op(ir.Relu, nil, v)
	b.Loc = ir.Loc{Name: "next"}
	f.Results = []ir.Port{{Name: "y", Value: b.Op(ir.Reshape, map[string]any{"shape": []int{1, 2, 1, 3, 3}}, v)}}
	if b.Err != nil {
		t.Fatal(b.Err)
	}
	img, _, err := bytecode.Generate(&ir.Module{Name: "steps", Level: ir.Packed, Funcs: []*ir.Func{f}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(img.Code) != 1 || img.Code[0].Name != "layer" {
		t.Errorf("the instructions are %v, expected one called \"layer\"", img.Code)
	}
}
