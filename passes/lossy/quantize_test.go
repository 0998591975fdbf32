package lossy_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/billnet/billnet/ir"
	"github.com/billnet/billnet/passes"
	"github.com/billnet/billnet/passes/pipeline"
	"github.com/billnet/billnet/passes/report"
)

// quantNet builds small float networks for the lossy
type quantNet struct {
	*rand.Rand
	ir.Builder
	layer int
}

func newQuantNet(seed uint64) *quantNet {
	return &quantNet{Rand: rand.New(rand.NewPCG(seed, 5)), Builder: ir.Builder{F: &ir.Func{Name: "main"}}}
}

func (g *quantNet) input(d ir.DType, shape ...int) *ir.Value {
	v := &ir.Value{Type: ir.T(d, shape...)}
	g.F.Params = append(g.F.Params, ir.Port{Name: fmt.Sprintf("x%d", len(g.F.Params)), Value: v})
	return v
}

func (g *quantNet) normal(scale float64, shape ...int) *ir.Value {
	t := ir.NewTensor(ir.T(ir.F32, shape...))
	for i := range t.Floats() {
		t.Floats()[i] = float32(g.NormFloat64() * scale)
	}
	return g.Const(t)
}

func (g *quantNet) positive(shape ...int) *ir.Value {
	t := ir.NewTensor(ir.T(ir.F32, shape...))
	for i := range t.Floats() {
		t.Floats()[i] = float32(0.3 + g.Float64())
	}
	return g.Const(t)
}

func (g *quantNet) scalar(x float64) *ir.Value { return g.Const(ir.Scalar(ir.F32, x)) }

// op appends a node with a name of its own.
func (g *quantNet) op(name *ir.Op, attrs map[string]any, args ...*ir.Value) *ir.Value {
	g.layer++
	g.Loc = ir.Loc{Name: fmt.Sprintf("%s.%d", name, g.layer)}
	return g.Op(name, attrs, args...)
}

func (g *quantNet) result(v *ir.Value) {
	g.F.Results = append(g.F.Results, ir.Port{Name: fmt.Sprintf("y%d", len(g.F.Results)), Value: v})
}

func (g *quantNet) module(t testing.TB) *ir.Module {
	t.Helper()
	if g.Err != nil {
		t.Fatal(g.Err)
	}
	g.F.RemoveDead()
	m := &ir.Module{Name: "net", Level: ir.Source, Funcs: []*ir.Func{g.F}}
	if err := ir.Verify(m); err != nil {
		t.Fatal(err)
	}
	return m
}

// conv appends a convolution of random form, a norm or bias or neither, and an
// activation.
func (g *quantNet) conv(x *ir.Value) *ir.Value {
	rank := x.Type.Rank() - 2
	channels := x.Type.Shape[1]
	out, groups := 1+g.IntN(6), 1
	if channels > 1 && g.IntN(3) == 0 {
		groups, out = channels, channels
	}
	shape := []int{out, channels / groups}
	stride, pad := make([]int, rank), make([]int, 2*rank)
	for a := range rank {
		k := 1 + g.IntN(3)
		shape = append(shape, k)
		stride[a] = 1 + g.IntN(2)
		pad[a], pad[rank+a] = k/2, k/2
	}
	args := []*ir.Value{x, g.normal(1, shape...)}
	if g.IntN(2) == 0 {
		args = append(args, g.normal(1, out))
	}
	y := g.op(ir.Conv, map[string]any{"groups": groups, "stride": stride, "pad": pad}, args...)
	switch g.IntN(3) {
	case 0:
		y = g.op(ir.BatchNorm, nil, y, g.normal(1, out), g.normal(1, out), g.normal(1, out), g.positive(out))
	case 1:
		flat := make([]int, rank+1)
		for i := range flat {
			flat[i] = 1
		}
		flat[0] = out
		y = g.op(ir.Add, nil, y, g.normal(1, flat...))
	}
	if g.IntN(4) > 0 {
		y = g.op(ir.Relu, nil, y)
	}
	if s := y.Type.Shape; g.IntN(3) == 0 && s[2] > 1 {
		kernel := []int{2}
		for range rank - 1 {
			kernel = append(kernel, 1)
		}
		y = g.op(ir.MaxPool, map[string]any{"kernel": kernel, "stride": kernel}, y)
	}
	return y
}

// randomClips are random inputs.
func randomClips(m *ir.Module, n int) [][]*ir.Tensor {
	rng := rand.New(rand.NewPCG(3, 4))
	var clips [][]*ir.Tensor
	for range n {
		clips = append(clips, ir.RandomInputs(m.Main(), rng, 2))
	}
	return clips
}

func runOnClips(t testing.TB, m *ir.Module, text string, clips [][]*ir.Tensor) *passes.Result {
	t.Helper()
	steps, err := pipeline.Registry().Parse("test", text)
	if err != nil {
		t.Fatal(err)
	}
	res, err := passes.Run(context.Background(), m, steps, passes.RunOptions{Clips: clips})
	if err != nil {
		text, _ := ir.Print(m, "data")
		t.Fatalf("%v\n%s", err, text)
	}
	return res
}

// sameNumbersOut evaluates two modules and wants the very same numbers.
func sameNumbersOut(t *testing.T, a, b *ir.Module, inputs int) {
	t.Helper()
	rng := rand.New(rand.NewPCG(11, 12))
	for i := range inputs {
		in := ir.RandomInputs(a.Main(), rng, i)
		x, err := ir.Eval(context.Background(), a.Main(), in, nil)
		if err != nil {
			t.Fatal(err)
		}
		y, err := ir.Eval(context.Background(), b.Main(), ir.ConvertInputs(b.Main(), in), nil)
		if err != nil {
			t.Fatal(err)
		}
		for k := range x {
			for j := range x[k].Len() {
				if x[k].Float(j) != y[k].Float(j) {
					text, _ := ir.Print(b, "data")
					t.Fatalf("input %d, output %d, element %d: %v before, %v after the exact passes\n%s", i, k, j, x[k].Float(j), y[k].Float(j), text)
				}
			}
		}
	}
}

// wantNoFloats wants a ledger without float rows.
func wantNoFloats(t *testing.T, m *ir.Module, res *passes.Result) {
	t.Helper()
	for _, e := range report.NewLedger(m, report.Certificates(m, res.Records)).Entries {
		if e.Kind == "float" {
			text, _ := ir.Print(m, "data")
			t.Fatalf("%s (%s %s) is float: %s\n%s", e.Layer, e.Op, e.Shape, e.Why, text)
		}
	}
}

// randomQuantNet is a chain of convolutions and a linear layer.
func randomQuantNet(t testing.TB, seed uint64) *ir.Module {
	g := newQuantNet(seed)
	rank := 1 + g.IntN(3)
	shape := []int{1 + g.IntN(2), 1 + g.IntN(4)}
	for range rank {
		shape = append(shape, 1+g.IntN(6))
	}
	x := g.input(ir.F32, shape...)
	for range 1 + g.IntN(3) {
		x = g.conv(x)
	}
	switch g.IntN(3) {
	case 0:
		axes := []int{}
		for a := range rank {
			axes = append(axes, a+2)
		}
		x = g.op(ir.ReduceMean, map[string]any{"axes": axes, "keepdims": false}, x)
	case 1:
		x = g.op(ir.GlobalAveragePool, nil, x)
		x = g.op(ir.Reshape, map[string]any{"shape": x.Type.Shape[:2]}, x)
	case 2:
		x = g.op(ir.Reshape, map[string]any{"shape": []int{x.Type.Shape[0], x.Type.Elems() / x.Type.Shape[0]}}, x)
	}
	k := x.Type.Shape[1]
	switch g.IntN(3) {
	case 0:
		x = g.op(ir.Gemm, map[string]any{"trans_b": true, "alpha": 0.5, "beta": 2.0}, x, g.normal(1, 3, k), g.normal(1, 3))
	case 1:
		x = g.op(ir.Gemm, nil, x, g.normal(1, k, 3), g.normal(1))
	case 2:
		x = g.op(ir.Add, nil, g.op(ir.MatMul, nil, x, g.normal(1, k, 3)), g.normal(1, 3))
	}
	g.result(x)
	return g.module(t)
}

// TestQuantizeNets: random float networks, quantized with any number of bits,
// are integers after the exact passes, which do not change one number.
func TestQuantizeNets(t *testing.T) {
	t.Parallel()
	for seed := range uint64(60) {
		m := randomQuantNet(t, seed)
		bits := 2 + int(seed)%7
		source := m.Clone()
		res := runOnClips(t, m, fmt.Sprintf("fold-constants, quantize{bits=%d}", bits), randomClips(m, 3))
		for _, r := range quantized(res) {
			if r.Left != "" || r.Weights != fmt.Sprintf("%d-bit", bits) || r.Input == "" {
				t.Errorf("seed %d: %+v", seed, r)
			}
		}
		if bits == 8 && len(res.Moved) == 1 && res.Moved[0].Error > 0.08 {
			text, _ := ir.Print(source, "data")
			t.Errorf("seed %d: 8 bits moved the output by %g\n%s", seed, res.Moved[0].Error, text)
		}
		lossy := m.Clone()
		res = runOnClips(t, m, "default", nil)
		wantNoFloats(t, m, res)
		sameNumbersOut(t, lossy, m, 4)
	}
}

// TestQuantizeVideo: a first layer on video needs no clips, whatever its
// normalisation, and its padding is what the source pads with.
func TestQuantizeVideo(t *testing.T) {
	t.Parallel()
	perChannel := func(v ...float32) *ir.Tensor { return ir.FloatTensor(v, 1, 3, 1, 1, 1) }
	for name, normalise := range map[string]func(g *quantNet, x *ir.Value) *ir.Value{
		"none":    func(g *quantNet, x *ir.Value) *ir.Value { return x },
		"divided": func(g *quantNet, x *ir.Value) *ir.Value { return g.op(ir.Div, nil, x, g.scalar(255)) },
		"one mean": func(g *quantNet, x *ir.Value) *ir.Value {
			return g.op(ir.Sub, nil, g.op(ir.Mul, nil, x, g.scalar(1/127.5)), g.scalar(1))
		},
		"means": func(g *quantNet, x *ir.Value) *ir.Value {
			x = g.op(ir.Sub, nil, g.op(ir.Div, nil, x, g.scalar(255)), g.Const(perChannel(0.485, 0.456, 0.406)))
			return g.op(ir.Div, nil, x, g.Const(perChannel(0.229, 0.224, 0.225)))
		},
		"norm": func(g *quantNet, x *ir.Value) *ir.Value {
			return g.op(ir.BatchNorm, nil, x, g.Const(ir.FloatTensor([]float32{1, 2, 3}, 3)), g.Const(ir.FloatTensor([]float32{0, -0.5, 0.1}, 3)),
				g.Const(ir.FloatTensor([]float32{100, 0, 128}, 3)), g.Const(ir.FloatTensor([]float32{1e4, 1e4, 5e3}, 3)))
		},
	} {
		for _, pad := range [][]int{nil, {1, 1, 1, 1, 1, 1}, {0, 1, 0, 2, 0, 1}} {
			g := newQuantNet(1)
			x := g.op(ir.Cast, map[string]any{"to": "f32"}, g.input(ir.U8, 1, 3, 3, 4, 4))
			attrs := map[string]any{}
			if pad != nil {
				attrs["pad"] = pad
			}
			g.result(g.op(ir.Conv, attrs, normalise(g, x), g.normal(1, 4, 3, 2, 3, 3), g.normal(1, 4)))
			m := g.module(t)
			clips := randomClips(m, 2)
			res := runOnClips(t, m, "fold-constants, quantize", clips)
			if e := res.Moved[0].Error; e > 0.02 {
				t.Errorf("%s, pad %v: the output moved by %g", name, pad, e)
			}
			if r := quantized(res)[0]; r.Left != "" || !strings.Contains(r.Input, "0 to 255, as the model has it") {
				t.Errorf("%s, pad %v: %+v", name, pad, r)
			}
			lossy := m.Clone()
			wantNoFloats(t, m, runOnClips(t, m, "default", nil))
			sameNumbersOut(t, lossy, m, 4)
			for _, n := range m.Main().Nodes {
				if n.Is(ir.QuantizeLinear) {
					t.Errorf("%s, pad %v: the input is quantized, expected it as it is", name, pad)
				}
			}
		}
	}
}

// TestQuantizeExact: sums stay within what float32 holds, however large the
// layer, and one row of zeros or a large bias does no harm.
func TestQuantizeExact(t *testing.T) {
	t.Parallel()
	g := newQuantNet(2)
	x := g.input(ir.F32, 1, 4000)
	w := ir.NewTensor(ir.T(ir.F32, 5, 4000))
	for i := range w.Floats() {
		switch i / 4000 {
		case 0:
			w.Floats()[i] = 1 // every weight is the largest
		case 1:
		default:
			w.Floats()[i] = float32(g.NormFloat64())
		}
		w.Floats()[i] += 1e-3 * float32(i%7) * float32(min(i/4000, 1))
	}
	w.Floats()[0] = 1.01
	bias := g.Const(ir.FloatTensor([]float32{0, 1, 1e9, -5, 1e-9}, 5))
	g.result(g.op(ir.Gemm, map[string]any{"trans_b": true}, x, g.Const(w), bias))
	m := g.module(t)
	runOnClips(t, m, "fold-constants, quantize", randomClips(m, 1))
	lossy := m.Clone()
	wantNoFloats(t, m, runOnClips(t, m, "default", nil))
	sameNumbersOut(t, lossy, m, 4)
}

func twoConvs(t *testing.T) *ir.Module {
	g := newQuantNet(4)
	x := g.input(ir.F32, 1, 3, 6, 6)
	g.Loc.Name = "stem"
	x = g.Op(ir.Conv, nil, x, g.normal(1, 4, 3, 3, 3))
	x = g.Op(ir.Relu, nil, x)
	g.Loc.Name = "head"
	g.result(g.Op(ir.Conv, nil, x, g.normal(1, 2, 4, 3, 3)))
	return g.module(t)
}

// TestQuantizeOptions: every option has its effect, and a mistake its place.
func TestQuantizeOptions(t *testing.T) {
	t.Parallel()
	run := func(text string, clips [][]*ir.Tensor) (*passes.Result, error) {
		steps, err := pipeline.Registry().Parse("test", text)
		if err != nil {
			t.Fatal(err)
		}
		return passes.Run(context.Background(), twoConvs(t), steps, passes.RunOptions{Clips: clips})
	}
	clips := randomClips(twoConvs(t), 2)
	for _, c := range []struct{ text, want string }{
		{"quantize{bits=9}", "test:1:15: pass quantize: option bits: found 9, expected 2 to 8"},
		{"quantize{bits=1}", "expected 2 to 8"},
		{"quantize{layers=stemm}", `test:1:17: pass quantize: option layers: no convolution or linear layer is called "stemm"; did you mean "stem"?; there are stem, head`},
	} {
		_, err := run(c.text, clips)
		if bad := (*passes.PipelineError)(nil); !errors.As(err, &bad) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, expected %q", c.text, err, c.want)
		}
	}
	if _, err := run("quantize", nil); err == nil || !strings.Contains(err.Error(), `"stem"`) || !strings.Contains(err.Error(), "--clips") {
		t.Errorf("without clips: %v", err)
	}
	result := func(text string) *passes.Result {
		res, err := run(text, clips)
		if err != nil {
			t.Fatal(err)
		}
		return res
	}
	if res := result("quantize{layers=[h*]}"); len(quantized(res)) != 1 || quantized(res)[0].Layer != "head" || len(res.Notes) != 2 {
		t.Errorf("layers: %+v, %q", quantized(res), res.Notes)
	}
	last := 0.0
	for _, bits := range []int{8, 6, 4, 2} {
		res := result(fmt.Sprintf("quantize{bits=%d}", bits))
		if e := res.Moved[0].Error; e <= last || math.IsNaN(e) || quantized(res)[0].Error <= 0 {
			t.Errorf("%d bits moved the output by %g, more bits by %g", bits, e, last)
		} else {
			last = e
		}
	}
	whole, cut := quantized(result("quantize")), quantized(result("quantize{outliers=10%}"))
	if whole[0].Input == cut[0].Input {
		t.Errorf("outliers: %s with and without", cut[0].Input)
	}
}

// TestQuantizeLeft: layers that cannot be quantized are named with the reason.
func TestQuantizeLeft(t *testing.T) {
	t.Parallel()
	for want, build := range map[string]func(g *quantNet, x *ir.Value) *ir.Value{
		"no constant": func(g *quantNet, x *ir.Value) *ir.Value {
			return g.op(ir.MatMul, nil, x, g.op(ir.Transpose, map[string]any{"perm": []int{1, 0}}, x))
		},
		"binary or of few bits": func(g *quantNet, x *ir.Value) *ir.Value {
			w := g.op(ir.Where, nil, g.op(ir.GreaterOrEqual, nil, g.normal(1, 4, 2), g.scalar(0)), g.scalar(1), g.scalar(-1))
			return g.op(ir.MatMul, nil, x, w)
		},
		"transposed": func(g *quantNet, x *ir.Value) *ir.Value {
			return g.op(ir.Gemm, map[string]any{"trans_a": true}, x, g.normal(1, 3, 2))
		},
		"not finite": func(g *quantNet, x *ir.Value) *ir.Value {
			return g.op(ir.Gemm, nil, x, g.Const(ir.FloatTensor([]float32{1, 2, 3, float32(math.Inf(1))}, 4, 1)))
		},
		"one number for every channel": func(g *quantNet, x *ir.Value) *ir.Value {
			return g.op(ir.Gemm, nil, x, g.normal(1, 4, 2), g.normal(1, 3, 2))
		},
	} {
		g := newQuantNet(3)
		g.result(build(g, g.input(ir.F32, 3, 4)))
		m := g.module(t)
		before, _ := ir.Print(m, "data")
		res := runOnClips(t, m, "quantize", randomClips(m, 1))
		after, _ := ir.Print(m, "data")
		if len(quantized(res)) != 1 || !strings.Contains(quantized(res)[0].Left, want) || !strings.Contains(strings.Join(res.Notes, "\n"), want) || before != after {
			t.Errorf("%s: %+v, %q", want, quantized(res), res.Notes)
		}
	}
}

// TestQuantizeBits: a layer that reads bits keeps them, and its own activation
// stays a comparison.
func TestQuantizeBits(t *testing.T) {
	t.Parallel()
	g := newQuantNet(7)
	x := g.op(ir.Cast, map[string]any{"to": "f32"}, g.op(ir.Greater, nil, g.input(ir.F32, 1, 4, 5, 5), g.scalar(0)))
	x = g.op(ir.Conv, map[string]any{"pad": []int{1, 1, 1, 1}}, x, g.normal(1, 6, 4, 3, 3))
	x = g.op(ir.BatchNorm, nil, x, g.normal(1, 6), g.normal(1, 6), g.normal(1, 6), g.positive(6))
	g.result(g.op(ir.Where, nil, g.op(ir.Greater, nil, x, g.scalar(0.25)), g.scalar(1), g.scalar(-1)))
	m := g.module(t)
	runOnClips(t, m, "fold-constants, quantize", nil)
	lossy := m.Clone()
	res := runOnClips(t, m, "default", nil)
	for _, e := range report.NewLedger(m, report.Certificates(m, res.Records)).Entries {
		if e.Kind == "float" && e.Op != "step" {
			t.Errorf("%s (%s) is float", e.Layer, e.Op)
		}
	}
	sameNumbersOut(t, lossy, m, 6)
}
