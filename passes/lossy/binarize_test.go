package lossy_test

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/billnet/billnet/ir"
	"github.com/billnet/billnet/passes"
	"github.com/billnet/billnet/passes/analysis"
	"github.com/billnet/billnet/passes/pipeline"
	"github.com/billnet/billnet/passes/report"
)

// floatNet builds small float networks on u8 video.
type floatNet struct {
	*ir.Builder
	rng  *rand.Rand
	x    *ir.Value
	taps []*ir.Value // activations that are results too
}

func newFloatNet(seed uint64, shape ...int) *floatNet {
	x := &ir.Value{Type: ir.T(ir.U8, shape...)}
	f := &ir.Func{Name: "main", Params: []ir.Port{{Name: "clip", Value: x}}}
	g := &floatNet{Builder: &ir.Builder{F: f}, rng: rand.New(rand.NewPCG(seed, 7))}
	g.x = g.Op(ir.Div, nil, g.Op(ir.Cast, map[string]any{"to": "f32"}, x), g.number(255))
	return g
}

func (g *floatNet) number(v float64) *ir.Value { return g.Const(ir.Scalar(ir.F32, v)) }

func (g *floatNet) random(scale float64, shape ...int) *ir.Value {
	t := ir.NewTensor(ir.T(ir.F32, shape...))
	for i := range t.Floats() {
		t.Floats()[i] = float32(scale * g.rng.NormFloat64())
	}
	return g.Const(t)
}

func (g *floatNet) at(name string) *floatNet {
	g.Loc.Name = name
	return g
}

func (g *floatNet) conv(x *ir.Value, out, kernel, stride, groups int, bias bool) *ir.Value {
	rank := x.Type.Rank() - 2
	shape := []int{out, x.Type.Shape[1] / groups}
	var pad []int
	for range rank {
		shape, pad = append(shape, kernel), append(pad, kernel/2, kernel/2)
	}
	args := []*ir.Value{x, g.random(1/math.Sqrt(float64(ir.Type{Shape: shape[1:]}.Elems())), shape...)}
	if bias {
		args = append(args, g.random(0.3, out))
	}
	return g.Op(ir.Conv, map[string]any{"groups": groups, "stride": slices.Repeat([]int{stride}, rank), "pad": pad}, args...)
}

func (g *floatNet) norm(x *ir.Value) *ir.Value {
	c := x.Type.Shape[1]
	v := ir.NewTensor(ir.T(ir.F32, c))
	for i := range v.Floats() {
		v.Floats()[i] = float32(0.2 + g.rng.Float64())
	}
	return g.Op(ir.BatchNorm, nil, x, g.random(1, c), g.random(0.3, c), g.random(0.3, c), g.Const(v))
}

func (g *floatNet) relu(x *ir.Value) *ir.Value {
	y := g.Op(ir.Relu, nil, x)
	g.taps = append(g.taps, y)
	return y
}

func (g *floatNet) pool(x *ir.Value) *ir.Value {
	two := slices.Repeat([]int{2}, x.Type.Rank()-2)
	return g.Op(ir.MaxPool, map[string]any{"kernel": two, "stride": two}, x)
}

func (g *floatNet) mean(x *ir.Value) *ir.Value {
	var axes []int
	for a := 2; a < x.Type.Rank(); a++ {
		axes = append(axes, a)
	}
	return g.Op(ir.ReduceMean, map[string]any{"axes": axes, "keepdims": false}, x)
}

func (g *floatNet) linear(x *ir.Value, out int) *ir.Value {
	return g.Op(ir.Gemm, map[string]any{"trans_b": true}, x, g.random(0.5, out, x.Type.Shape[1]), g.random(0.2, out))
}

// module ends the network.
func (g *floatNet) module(t *testing.T, y *ir.Value, taps bool) *ir.Module {
	t.Helper()
	if g.Err != nil {
		t.Fatal(g.Err)
	}
	g.F.Results = []ir.Port{{Name: "y", Value: y}}
	if taps {
		for i, v := range g.taps {
			g.F.Results = append(g.F.Results, ir.Port{Name: fmt.Sprintf("tap%d", i), Value: v})
		}
	}
	m := &ir.Module{Name: "net", Level: ir.Source, Funcs: []*ir.Func{g.F}}
	if err := ir.Verify(m); err != nil {
		t.Fatal(err)
	}
	return m
}

// videoClips are smooth random clips: a network's statistics on them differ from
// clip to clip.
func videoClips(f *ir.Func, seed uint64, n int) [][]*ir.Tensor {
	rng := rand.New(rand.NewPCG(seed, 99))
	var clips [][]*ir.Tensor
	for range n {
		var in []*ir.Tensor
		for _, p := range f.Params {
			x := ir.NewTensor(p.Value.Type)
			level, swing, phase := 60+130*rng.Float64(), 20+60*rng.Float64(), rng.Float64()
			for i := range x.Len() {
				x.SetFloat(i, level+swing*math.Sin(float64(i)*(0.1+0.3*phase))+15*rng.NormFloat64())
			}
			in = append(in, x)
		}
		clips = append(clips, in)
	}
	return clips
}

func runLossy(t *testing.T, m *ir.Module, text string, clips [][]*ir.Tensor) *passes.Result {
	t.Helper()
	res, err := tryLossy(m, text, clips)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return res
}

func tryLossy(m *ir.Module, text string, clips [][]*ir.Tensor) (*passes.Result, error) {
	steps, err := pipeline.Registry().Parse("test", text)
	if err != nil {
		return nil, err
	}
	return passes.Run(context.Background(), m, steps, passes.RunOptions{Clips: clips})
}

// sameAfterDefault lowers the module and compares: bits must be equal, floats
// within the bound of exact  It returns the ledger.
func sameAfterDefault(t *testing.T, m *ir.Module, clips [][]*ir.Tensor) *report.Ledger {
	t.Helper()
	low := m.Clone()
	res, err := passes.Run(context.Background(), low, pipeline.Default(), passes.RunOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for i, clip := range clips {
		want, err := ir.Eval(context.Background(), m.Main(), clip, nil)
		if err != nil {
			t.Fatal(err)
		}
		got, err := ir.Eval(context.Background(), low.Main(), clip, nil)
		if err != nil {
			t.Fatal(err)
		}
		for k, r := range m.Main().Results {
			d := ir.Compare(want[k], got[k])
			if strings.HasPrefix(r.Name, "tap") && d == "" && !want[k].Equal(got[k]) {
				d = "not the same bits"
			}
			if d != "" {
				text, _ := ir.Print(m, "")
				t.Fatalf("clip %d: output %q differs after the exact passes: %s\n%s", i, r.Name, d, head(text, 12000))
			}
		}
	}
	return report.NewLedger(low, report.Certificates(low, res.Records))
}

func head(s string, n int) string { return s[:min(len(s), n)] }

// floats lists the float layers of a ledger that give no output.
func floats(l *report.Ledger) (names []string) {
	for _, e := range l.Entries {
		if e.Kind == "float" && !e.Output {
			names = append(names, e.Layer+" ("+e.Op+")")
		}
	}
	return names
}

// randomFloatNet is a network of random blocks. Residual sums stand in it only
// when asked for.
func randomFloatNet(t *testing.T, seed uint64, sums, taps bool) *ir.Module {
	rng := rand.New(rand.NewPCG(seed, 3))
	shape := []int{1, 1 + rng.IntN(3)}
	for range 1 + rng.IntN(3) {
		shape = append(shape, []int{1, 4, 5, 6}[rng.IntN(4)])
	}
	g := newFloatNet(seed, shape...)
	x := g.x
	act := func(v *ir.Value) *ir.Value {
		switch rng.IntN(6) {
		case 0:
			return g.Op(ir.Clip, nil, v, g.number(0), g.number(6))
		case 1:
			return g.Op(ir.Mul, nil, v, g.Op(ir.Sigmoid, nil, v))
		case 2:
			return g.Op(ir.Tanh, nil, v)
		case 3:
			return g.Op(ir.LeakyRelu, nil, v)
		}
		return g.relu(v)
	}
	layer := func(v *ir.Value, out, stride int) *ir.Value {
		kernel, groups := 1+2*rng.IntN(2), 1
		if c := v.Type.Shape[1]; rng.IntN(4) == 0 && out%c == 0 {
			groups = c
		}
		bias := rng.IntN(2) == 0
		v = g.conv(v, out, kernel, stride, groups, bias)
		if rng.IntN(4) > 0 {
			v = g.norm(v)
		}
		return v
	}
	for i := range 2 + rng.IntN(3) {
		g.at(fmt.Sprintf("b%d", i))
		out := []int{1, 3, 4, 8}[rng.IntN(4)]
		switch kind := rng.IntN(6); {
		case kind == 0 && sums && i > 0: // identity
			c := x.Type.Shape[1]
			x = g.relu(g.Op(ir.Add, nil, layer(act(layer(x, c, 1)), c, 1), x))
		case kind == 1 && sums && i > 0: // strided, with a projection
			x = g.relu(g.Op(ir.Add, nil, layer(act(layer(x, out, 2)), out, 1), g.norm(g.conv(x, out, 1, 2, 1, false))))
		case kind == 2 && sums && i > 0: // linear bottleneck
			y := layer(x, out, 1)
			x = g.Op(ir.Add, nil, layer(act(layer(y, out, 1)), out, 1), y)
		case kind == 3: // a linear chain
			x = act(g.norm(g.conv(g.conv(g.conv(x, 4, 1, 1, 1, false), 4, 3, 1, 2, false), out, 1, 1, 1, true)))
		case kind == 4 && slices.Min(x.Type.Shape[2:]) >= 2: // pools on either side of the activation
			if v := layer(x, out, 1); rng.IntN(2) == 0 {
				x = g.pool(act(v))
			} else {
				x = act(g.pool(v))
			}
		case kind == 5: // a norm behind the activation
			x = g.norm(act(layer(x, out, 1)))
		default:
			x = act(layer(x, out, 1+rng.IntN(2)))
		}
	}
	g.at("head")
	y := g.mean(x)
	if rng.IntN(2) == 0 {
		y = g.at("hidden").relu(g.linear(y, 5))
	}
	return g.module(t, g.at("fc").linear(y, 4), taps)
}

// TestBinarizeRandom: what the lossy passes write, the exact passes make bits
// and integers of, down to the last bit, for every choice of options.
func TestBinarizeRandom(t *testing.T) {
	t.Parallel()
	seeds := uint64(120)
	if testing.Short() {
		seeds = 30
	}
	pick := func(rng *rand.Rand, s ...string) string { return s[rng.IntN(len(s))] }
	for seed := range seeds {
		rng := rand.New(rand.NewPCG(seed, 11))
		m := randomFloatNet(t, seed, false, true)
		text := "binarize{cut=" + pick(rng, "share", "start", "levels") + ",activations=" + pick(rng, "heaviside", "heaviside", "sign") +
			",mid=" + pick(rng, "linear", "bits") + ",weights=" + pick(rng, "binary", "binary", "ternary") + ",last=" + pick(rng, "float", "binary") + "}"
		clips := videoClips(m.Main(), seed, 3)
		res := runLossy(t, m, text, clips[:2])
		if len(binarized(res)) == 0 || len(res.Moved) == 0 {
			t.Fatalf("seed %d: no report", seed)
		}
		l := sameAfterDefault(t, m, clips)
		if f := floats(l); len(f) > 0 {
			t.Errorf("seed %d, %s: float layers %v", seed, text, f)
		}
	}
}

// TestGatesRandom: with insert-mux-or in front, residual networks are logic too.
func TestGatesRandom(t *testing.T) {
	t.Parallel()
	seeds := uint64(120)
	if testing.Short() {
		seeds = 30
	}
	for seed := range seeds {
		m := randomFloatNet(t, seed, true, true)
		wiring := []string{"mux-or", "or", "mux"}[seed%3]
		axes := []string{"thw", "hw"}[seed/3%2]
		text := "insert-mux-or{wiring=" + wiring + ",axes=" + axes + "},binarize"
		clips := videoClips(m.Main(), seed, 4)
		res := runLossy(t, m, text, clips[:3])
		for _, r := range gated(res) {
			if r.Left != "" && !strings.Contains(r.Left, "model's input") {
				t.Errorf("seed %d: %s", seed, r.String())
			}
		}
		l := sameAfterDefault(t, m, clips)
		if f := floats(l); len(f) > 0 && !slices.ContainsFunc(gated(res), func(r *report.Gating) bool { return r.Left != "" }) {
			t.Errorf("seed %d, %s: float layers %v", seed, text, f)
		}
	}
}

// plainNet is stem, a linear chain, a convolution and a head.
func plainNet(t *testing.T, taps bool) *ir.Module {
	g := newFloatNet(5, 1, 3, 4, 6, 6)
	x := g.at("stem").relu(g.norm(g.conv(g.x, 8, 3, 1, 1, false)))
	x = g.at("mid.in").conv(x, 8, 1, 1, 1, false)
	x = g.at("mid.core").conv(x, 8, 3, 1, 2, false)
	x = g.at("mid.out").relu(g.conv(x, 8, 1, 1, 1, true))
	x = g.at("last").relu(g.conv(x, 8, 3, 2, 1, true))
	x = g.at("hidden").relu(g.linear(g.mean(x), 6))
	return g.module(t, g.at("fc").linear(x, 4), taps)
}

func reportOf(t *testing.T, list []*report.Binarization, layer, op string) *report.Binarization {
	t.Helper()
	for _, r := range list {
		if r.Layer == layer && r.Op == op {
			return r
		}
	}
	t.Fatalf("no report for %q (%s) in %+v", layer, op, list)
	return &report.Binarization{}
}

func countOps(m *ir.Module, op *ir.Op) (n int) {
	for _, d := range m.Main().Nodes {
		if d.Is(op) {
			n++
		}
	}
	return n
}

// TestBinarizeOptions: every option has its effect.
func TestBinarizeOptions(t *testing.T) {
	t.Parallel()
	clips := videoClips(plainNet(t, false).Main(), 1, 4)
	run := func(options string) (*ir.Module, *passes.Result) {
		m := plainNet(t, false)
		return m, runLossy(t, m, "binarize"+options, clips)
	}
	m, res := run("")
	if n := countOps(m, ir.BatchNorm); n != 4 { // stem, mid.out, last, hidden
		t.Errorf("%d norms, expected one behind each of four layers", n)
	}
	if n := countOps(m, ir.Cast); n != 1+4 {
		t.Errorf("%d casts, expected the input's and those of four activations", n)
	}
	if r := reportOf(t, binarized(res), "mid.core", "conv"); r.Weights != "binary" || r.Input != "integer sums" || r.Norm != "" || r.Error < 0.3 || r.Error > 0.8 {
		t.Errorf("mid.core: %+v", r)
	}
	if r := reportOf(t, binarized(res), "fc", "gemm"); r.Weights != "float" || r.Input != "bits" {
		t.Errorf("fc: %+v", r)
	}
	if r := reportOf(t, binarized(res), "hidden", "gemm"); r.Weights != "binary" || r.Input != "means of bits" {
		t.Errorf("hidden: %+v", r)
	}
	if r := reportOf(t, binarized(res), "stem", "relu"); r.Bits != "heaviside" || math.Abs(r.Ones-0.1) > 0.02 {
		t.Errorf("stem's activation: %+v", r)
	}
	// The float weights are still there, behind the signs.
	if n := countOps(m, ir.GreaterOrEqual); n != 6 {
		t.Errorf("%d signs of weights, expected 6", n)
	}

	if _, res := run("{ones=40%}"); math.Abs(reportOf(t, binarized(res), "last", "relu").Ones-0.4) > 0.03 {
		t.Errorf("ones=40%%: %+v", reportOf(t, binarized(res), "last", "relu"))
	}
	if _, res := run("{cut=start}"); reportOf(t, binarized(res), "stem", "relu").Ones < 0.3 {
		t.Errorf("cut=start: %+v", reportOf(t, binarized(res), "stem", "relu"))
	}
	if _, a := run("{cut=levels}"); reportOf(t, binarized(a), "stem", "relu").Ones == reportOf(t, binarized(res), "stem", "relu").Ones {
		t.Errorf("cut=levels is cut=share: %+v", reportOf(t, binarized(a), "stem", "relu"))
	}
	if m, res := run("{activations=sign}"); countOps(m, ir.Greater) != 0 || reportOf(t, binarized(res), "stem", "relu").Bits != "sign" || reportOf(t, binarized(res), "last", "conv").Input != "signs" {
		t.Errorf("activations=sign: %+v", binarized(res))
	}
	if _, res := run("{mid=bits}"); reportOf(t, binarized(res), "mid.core", "conv").Input != "bits" || reportOf(t, binarized(res), "mid.in", "conv").Norm != "inserted" {
		t.Errorf("mid=bits: %+v", binarized(res))
	}
	if m, res := run("{last=binary}"); reportOf(t, binarized(res), "fc", "gemm").Weights != "binary" || countOps(m, ir.GreaterOrEqual) != 7 {
		t.Errorf("last=binary: %+v", binarized(res))
	}
	if m, res := run("{weights=float}"); countOps(m, ir.GreaterOrEqual) != 0 || reportOf(t, binarized(res), "last", "conv").Weights != "float" || reportOf(t, binarized(res), "last", "conv").Input != "bits" {
		t.Errorf("weights=float: %+v", binarized(res))
	}
	m, res = run("{weights=ternary}")
	if r := reportOf(t, binarized(res), "last", "conv"); r.Weights != "ternary" || r.Error > 0.55 {
		t.Errorf("weights=ternary: %+v", r)
	}
	l := sameAfterDefault(t, m, clips)
	if f := floats(l); len(f) > 0 {
		t.Errorf("weights=ternary leaves float layers %v", f)
	}
	zero := 0
	for _, n := range m.Main().Nodes {
		if n.Is(ir.Conv) {
			for _, w := range analysis.ConstantOf(n.Args[1]).Floats() {
				if w == 0 {
					zero++
				}
			}
		}
	}
	if zero == 0 {
		t.Error("weights=ternary: no weight is 0")
	}

	// Kept layers stay what they are, and so does what only they read.
	if m, res := run("{keep=[stem,mid.*]}"); countOps(m, ir.Relu) != 1 || reportOf(t, binarized(res), "mid.core", "conv").Left == "" || reportOf(t, binarized(res), "last", "conv").Left != "" {
		t.Errorf("keep: %d ReLUs, %+v", countOps(m, ir.Relu), binarized(res))
	}
	if m, res := run("{layers=[last,hidden]}"); countOps(m, ir.GreaterOrEqual) != 2 || reportOf(t, binarized(res), "stem", "conv").Left == "" {
		t.Errorf("layers: %+v", binarized(res))
	}

	for text, want := range map[string]string{
		"binarize{keep=[fc,lst]}":              `test:1:15: pass binarize: option keep: no layer is called "lst"; did you mean "last"?; there are stem, mid.in`,
		"binarize{layers=q*}":                  `test:1:17: pass binarize: option layers: no layer is called "q*"`,
		"binarize{cut=start,ones=20%}":         `option ones: cut=start fixes the steps`,
		"binarize{activations=relu}":           `option activations of pass binarize is heaviside or sign, found relu`,
		"insert-mux-or{blocks=nothing}":        `option blocks: no sum, convolution or activation is called "nothing"`,
		"binarize, insert-mux-or{wiring=or}":   `put insert-mux-or before binarize`,
		"insert-mux-or{wiring=and}":            `option wiring of pass insert-mux-or is mux-or or or or mux, found and`,
		"insert-mux-or{select=120%}, binarize": `option select of pass insert-mux-or is a number between 0 and 1`,
	} {
		if _, err := tryLossy(plainNet(t, false), text, clips); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, expected %q", text, err, want)
		}
	}
}

// TestBinarizeTwice: a second run with other layers leaves the first one's alone.
func TestBinarizeTwice(t *testing.T) {
	t.Parallel()
	m := plainNet(t, true)
	clips := videoClips(m.Main(), 1, 3)
	res := runLossy(t, m, "binarize{layers=[stem,mid.*]},binarize{layers=[last,hidden,fc],weights=ternary}", clips)
	if n := countOps(m, ir.GreaterOrEqual); n != 4 {
		t.Errorf("%d signs of weights, expected 4", n)
	}
	if n := countOps(m, ir.Less); n != 2 {
		t.Errorf("%d ternary weights, expected 2", n)
	}
	if f := floats(sameAfterDefault(t, m, clips)); len(f) > 0 {
		t.Errorf("float layers %v, notes %q", f, res.Notes)
	}
}

// TestBinarizeEdges: one channel, depthwise, sides of one element, falling norms,
// no norm, a shift behind the pool, a normalised input, GAP and average pools, a
// float input, no clips.
func TestBinarizeEdges(t *testing.T) {
	t.Parallel()
	type edge struct {
		name  string
		shape []int
		net   func(g *floatNet) *ir.Value
		mixed bool // other layers than the last one are float
	}
	falling := func(g *floatNet, x *ir.Value) *ir.Value {
		c := x.Type.Shape[1]
		gamma, one := ir.NewTensor(ir.T(ir.F32, c)), ir.NewTensor(ir.T(ir.F32, c))
		for i := range c {
			gamma.Floats()[i], one.Floats()[i] = -0.5-float32(i), 1
		}
		return g.Op(ir.BatchNorm, nil, x, g.Const(gamma), g.random(0.2, c), g.random(0.2, c), g.Const(one))
	}
	for _, e := range []edge{
		{"one channel", []int{1, 1, 3, 5, 5}, func(g *floatNet) *ir.Value {
			return g.linear(g.mean(g.relu(g.conv(g.relu(g.conv(g.x, 1, 3, 1, 1, true)), 1, 3, 1, 1, true))), 2)
		}, false},
		{"depthwise", []int{1, 4, 2, 6, 6}, func(g *floatNet) *ir.Value {
			return g.linear(g.mean(g.relu(g.norm(g.conv(g.relu(g.norm(g.conv(g.x, 4, 3, 1, 4, false))), 8, 3, 1, 4, false)))), 3)
		}, false},
		{"sides of one", []int{1, 3, 1, 1, 1}, func(g *floatNet) *ir.Value {
			return g.linear(g.mean(g.relu(g.conv(g.relu(g.norm(g.conv(g.x, 8, 3, 1, 1, false))), 8, 3, 1, 1, true))), 3)
		}, false},
		{"falling norms", []int{1, 2, 6, 6}, func(g *floatNet) *ir.Value {
			x := g.relu(falling(g, g.conv(g.x, 6, 3, 1, 1, false)))
			return g.linear(g.mean(g.relu(falling(g, g.pool(g.conv(x, 6, 3, 1, 1, true))))), 3)
		}, false},
		{"activation, then norm", []int{1, 2, 6, 6}, func(g *floatNet) *ir.Value {
			x := falling(g, g.relu(g.conv(g.x, 6, 3, 1, 1, true)))
			return g.linear(g.mean(g.relu(g.conv(x, 6, 3, 1, 1, true))), 3)
		}, false},
		{"no activation", []int{1, 2, 6, 6}, func(g *floatNet) *ir.Value {
			x := g.norm(g.conv(g.norm(g.conv(g.x, 6, 3, 1, 1, false)), 6, 3, 1, 1, false))
			return g.linear(g.mean(g.relu(g.norm(g.conv(x, 6, 1, 1, 1, false)))), 3)
		}, false},
		{"squeeze and excite", []int{1, 2, 6, 6}, func(g *floatNet) *ir.Value {
			x := g.relu(g.norm(g.conv(g.x, 6, 3, 1, 1, false)))
			s := g.Op(ir.Sigmoid, nil, g.linear(g.relu(g.linear(g.mean(x), 3)), 6))
			x = g.Op(ir.Mul, nil, x, g.Op(ir.Reshape, map[string]any{"shape": []int{1, 6, 1, 1}}, s))
			return g.linear(g.mean(g.relu(g.norm(g.conv(x, 6, 1, 1, 1, false)))), 3)
		}, false},
		{"pools", []int{1, 2, 8, 8}, func(g *floatNet) *ir.Value {
			x := g.relu(g.norm(g.conv(g.x, 6, 3, 1, 1, false)))
			x = g.Op(ir.AveragePool, map[string]any{"kernel": []int{2, 2}, "stride": []int{2, 2}}, x)
			x = g.Op(ir.GlobalAveragePool, nil, g.relu(g.conv(x, 6, 3, 1, 1, true)))
			x = g.relu(g.conv(x, 6, 1, 1, 1, true))
			x = g.Op(ir.ReduceMax, map[string]any{"axes": []int{2, 3}, "keepdims": false}, x)
			return g.linear(x, 3)
		}, false},
		{"a normalised input", []int{1, 3, 6, 6}, func(g *floatNet) *ir.Value {
			x := g.Op(ir.Div, nil, g.Op(ir.Sub, nil, g.x, g.random(0.5, 1, 3, 1, 1)), g.random(0.5, 1, 3, 1, 1))
			return g.linear(g.mean(g.relu(g.norm(g.conv(g.relu(g.conv(x, 6, 3, 1, 1, true)), 6, 3, 1, 1, false)))), 3)
		}, false},
		{"two heads", []int{1, 2, 6, 6}, func(g *floatNet) *ir.Value {
			x := g.relu(g.norm(g.conv(g.x, 6, 3, 1, 1, false)))
			return g.Op(ir.Add, nil, g.linear(g.mean(g.relu(g.conv(x, 6, 3, 1, 1, true))), 3), g.linear(g.mean(x), 3))
		}, true},
		{"matmul over frames", []int{1, 2, 6, 6}, func(g *floatNet) *ir.Value {
			x := g.relu(g.norm(g.conv(g.x, 6, 3, 1, 1, false)))
			x = g.Op(ir.Transpose, map[string]any{"perm": []int{0, 2, 1}}, g.Op(ir.ReduceMean, map[string]any{"axes": []int{3}, "keepdims": false}, x))
			x = g.relu(g.Op(ir.Add, nil, g.Op(ir.MatMul, nil, x, g.random(0.5, 6, 5)), g.random(0.1, 5)))
			return g.Op(ir.MatMul, nil, x, g.random(0.5, 5, 3))
		}, true},
	} {
		for _, text := range []string{"binarize", "binarize{activations=sign,mid=bits}", "binarize{cut=start,last=binary}"} {
			g := newFloatNet(9, e.shape...)
			y := e.net(g)
			m := g.module(t, y, true)
			clips := videoClips(m.Main(), 4, 4)
			res := runLossy(t, m, text, clips[:3])
			if f := floats(sameAfterDefault(t, m, clips)); len(f) > 0 && !e.mixed {
				t.Errorf("%s, %s: float layers %v; %q", e.name, text, f, res.Notes)
			}
		}
	}
	m := plainNet(t, true)
	res := runLossy(t, m, "binarize", nil)
	if !strings.Contains(strings.Join(res.Notes, "\n"), "no calibration clips") {
		t.Errorf("without clips: notes %q", res.Notes)
	}
	sameAfterDefault(t, m, videoClips(m.Main(), 4, 2))
}
