package lossy_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/billnet/billnet/ir"
	"github.com/billnet/billnet/passes"
	"github.com/billnet/billnet/passes/lossy"
	"github.com/billnet/billnet/passes/pipeline"
	"github.com/billnet/billnet/passes/report"
)

// recurrentNet is an LSTM or GRU whose results are all results of the module.
type recurrentNet struct {
	op              *ir.Op
	direction       string
	steps, in, h    int
	batch, layout   int
	linear, bias    bool
	bits            bool // its input is bits, otherwise float
	state           bool // it starts at constants other than 0
	second          bool // another layer behind it
	weights         string
	gates, cellBits int
}

func (c recurrentNet) build(t testing.TB, seed uint64) *ir.Module {
	g := newQuantNet(seed)
	shape := []int{c.steps, c.batch, c.in}
	if c.layout == 1 {
		shape = []int{c.batch, c.steps, c.in}
	}
	x := g.input(ir.F32, shape...)
	if c.bits {
		x = g.op(ir.Cast, map[string]any{"to": "f32"}, g.op(ir.Greater, nil, x, g.scalar(0.5)))
	}
	n := g.recurrent(c, x, c.in)
	if c.second {
		// As PyTorch stacks layers: [S,D,B,H] becomes [S,B,D*H].
		y, perm := n.Result(), []int{0, 2, 1, 3}
		if c.layout == 1 {
			perm = []int{0, 1, 2, 3}
		}
		y = g.op(ir.Transpose, map[string]any{"perm": perm}, y)
		s := y.Type.Shape
		n = g.recurrent(c, g.op(ir.Reshape, map[string]any{"shape": []int{s[0], s[1], s[2] * s[3]}}, y), s[2]*s[3])
	}
	for _, v := range n.Results {
		g.result(v)
	}
	return g.module(t)
}

func (g *quantNet) recurrent(c recurrentNet, x *ir.Value, in int) *ir.Node {
	dirs, gates := 1, map[*ir.Op]int{ir.LSTM: 4, ir.GRU: 3}[c.op]
	if c.direction == "bidirectional" {
		dirs = 2
	}
	var b, h0, c0 *ir.Value
	if c.bias {
		b = g.normal(0.5, dirs, 2*gates*c.h)
	}
	state := []int{dirs, c.batch, c.h}
	if c.layout == 1 {
		state = []int{c.batch, dirs, c.h}
	}
	if c.state {
		h0, c0 = g.normal(1, state...), g.normal(1.5, state...)
	}
	w, r := g.normal(0.7, dirs, gates*c.h, in), g.normal(0.7, dirs, gates*c.h, c.h)
	attrs := map[string]any{"direction": c.direction, "layout": c.layout}
	args := []*ir.Value{x, w, r, b, nil, h0}
	if c.op == ir.LSTM {
		args = append(args, c0)
	} else {
		attrs["linear_before_reset"] = c.linear
	}
	g.layer++
	g.Loc = ir.Loc{Name: fmt.Sprintf("%s.%d", c.op.Name, g.layer)}
	n := g.Node(c.op, attrs, args...)
	if g.Err != nil {
		panic(g.Err)
	}
	return n
}

func (c recurrentNet) pass() string {
	return fmt.Sprintf("quantize-lstm{weights=%s,gates=%d,cell=%d}", c.weights, c.gates, c.cellBits)
}

func randomRecurrentNet(rng *rand.Rand) recurrentNet {
	c := recurrentNet{op: []*ir.Op{ir.LSTM, ir.GRU}[rng.IntN(2)], direction: []string{"forward", "reverse", "bidirectional"}[rng.IntN(3)],
		steps: 1 + rng.IntN(4), in: 1 + rng.IntN(9), h: 1 + rng.IntN(5), batch: 1 + rng.IntN(2), layout: rng.IntN(2), linear: rng.IntN(2) == 0,
		bias: rng.IntN(3) > 0, bits: rng.IntN(2) == 0, state: rng.IntN(4) == 0, second: rng.IntN(4) == 0,
		weights: []string{"binary", "ternary"}[rng.IntN(2)], gates: 1, cellBits: 4 + rng.IntN(13)}
	if rng.IntN(2) == 0 {
		c.gates = 2 + rng.IntN(7)
	}
	if c.gates == 1 && rng.IntN(3) == 0 {
		c.cellBits = 2 // saturates
	}
	return c
}

// TestQuantizeLSTMNets: recurrent layers of every form become integers, their h
// -1, 0 and 1, and the exact passes do not change one number.
func TestQuantizeLSTMNets(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(8, 9))
	for seed := range uint64(80) {
		c := randomRecurrentNet(rng)
		m := c.build(t, seed)
		res := runOnClips(t, m, "fold-constants, "+c.pass(), randomClips(m, 4))
		for _, r := range quantized(res) {
			if r.Left != "" || r.Weights != c.weights || r.Gates != c.gates || r.Cell != c.cellBits || r.Steps != c.steps || r.Input == "" || r.Error < 0 || r.Error > 0.9 {
				t.Errorf("%+v: %+v", c, r)
			}
		}
		lossy := m.Clone()
		res = runOnClips(t, m, "default", nil)
		if c.bits {
			for _, e := range report.NewLedger(m, report.Certificates(m, res.Records)).Entries {
				if e.Kind == "float" && e.Op != "step" && e.Op != "sub" { // the input's own comparison
					text, _ := ir.Print(m, "data")
					t.Fatalf("%+v: %s (%s %s) is float: %s\n%s", c, e.Layer, e.Op, e.Shape, e.Why, text)
				}
			}
		} else {
			wantNoFloats(t, m, res)
		}
		sameNumbersOut(t, lossy, m, 4)
		out, err := ir.Eval(context.Background(), lossy.Main(), ir.RandomInputs(lossy.Main(), rng, 2), nil)
		if err != nil {
			t.Fatal(err)
		}
		for k := range 2 {
			for i := range out[k].Len() {
				if v := out[k].Float(i); v != 0 && math.Abs(v) != 1 {
					t.Fatalf("%+v: result %d has %v, expected -1, 0 and 1", c, k, v)
				}
			}
		}
		rolled := slices.ContainsFunc(m.Main().Nodes, func(n *ir.Node) bool { return n.Is(ir.BLSTM) })
		if want := c.op == ir.LSTM && c.gates == 1 && c.weights == "binary" && c.bits && !c.state && c.cellBits >= 4; want && !rolled {
			text, _ := ir.Print(m, "data")
			t.Errorf("%+v: there is no blstm\n%s", c, text)
		}
	}
}

// TestHardCellSimulation: the cell that calibration runs is the one that the
// pass writes.
func TestHardCellSimulation(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(4, 5))
	for seed := range uint64(60) {
		c := randomRecurrentNet(rng)
		c.second = false
		m := c.build(t, seed)
		clips := randomClips(m, 3)
		node := m.Main().Nodes[slices.IndexFunc(m.Main().Nodes, func(n *ir.Node) bool { return n.Is(c.op) })]
		s := lossy.Simulate(t, m, node, c.pass(), clips)
		if s.Left != "" {
			t.Fatal(s.Left)
		}
		for k, clip := range clips {
			out, err := ir.Eval(context.Background(), m.Main(), clip, nil)
			if err != nil {
				t.Fatal(err)
			}
			for d := range s.Directions() {
				for b := range c.batch {
					c.compareH(t, s, k, d, b, out[1])
				}
			}
		}
	}
}

// compareH compares the last h of one sequence of a clip with the simulation's.
func (c recurrentNet) compareH(t *testing.T, s *lossy.Simulated, clip, direction, sequence int, last *ir.Tensor) {
	t.Helper()
	var seq []float64
	for step := range c.steps {
		at := (step*c.batch + sequence) * c.in
		if c.layout == 1 {
			at = (sequence*c.steps + step) * c.in
		}
		seq = append(seq, s.Levels[clip][at:at+c.in]...)
	}
	h, sure := s.H(direction, sequence, seq)
	at := (direction*c.batch + sequence) * c.h
	if c.layout == 1 {
		at = (sequence*s.Directions() + direction) * c.h
	}
	for i, want := range h {
		if got := last.Float(at + i); got != want && sure {
			t.Errorf("%+v: clip %d, direction %d, sequence %d: h[%d] is %v, calibration has %v", c, clip, direction, sequence, i, got, want)
		}
	}
}

// TestQuantizeLSTMOptions: mistakes have their place, and what cannot be done its
// reason.
func TestQuantizeLSTMOptions(t *testing.T) {
	t.Parallel()
	base := recurrentNet{op: ir.LSTM, direction: "forward", steps: 3, in: 4, h: 3, batch: 1, bits: true, weights: "binary", gates: 1, cellBits: 8}
	for _, c := range []struct{ text, want string }{
		{"quantize-lstm{gates=9}", "test:1:21: pass quantize-lstm: option gates: found 9, expected 1 to 8"},
		{"quantize-lstm{cell=17}", "expected 2 to 16"},
		{"quantize-lstm{cell=2,gates=3}", "expected at least 4 for gates of 3 bits"},
		{"quantize-lstm{layers=lstm.9}", `no LSTM or GRU is called "lstm.9"; did you mean "lstm.3"?`},
		{"quantize-lstm{weights=quaternary}", "test:1:23: option weights of pass quantize-lstm is binary or ternary, found quaternary"},
	} {
		steps, err := pipeline.Registry().Parse("test", c.text)
		if err == nil {
			_, err = passes.Run(context.Background(), base.build(t, 1), steps, passes.RunOptions{})
		}
		if bad := (*passes.PipelineError)(nil); !errors.As(err, &bad) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, expected %q", c.text, err, c.want)
		}
	}
	for want, change := range map[string]func(n *ir.Node, b *ir.Builder){
		"peephole": func(n *ir.Node, b *ir.Builder) {
			for len(n.Args) < 8 {
				n.Args = append(n.Args, nil)
			}
			n.Args[7] = b.Const(ir.NewTensor(ir.T(ir.F32, 1, 9)))
		},
		"input_forget": func(n *ir.Node, _ *ir.Builder) { _ = n.SetAttr("input_forget", true) },
		"lengths of their own": func(n *ir.Node, b *ir.Builder) {
			n.Args[4] = b.Const(ir.IntTensor(ir.I32, []int64{2}, 1))
		},
		"is Affine": func(n *ir.Node, _ *ir.Builder) { _ = n.SetAttr("activations", []string{"Sigmoid", "Affine", "Tanh"}) },
	} {
		m := base.build(t, 1)
		f := m.Main()
		at := slices.IndexFunc(f.Nodes, func(n *ir.Node) bool { return n.Is(ir.LSTM) })
		extra := &ir.Func{}
		change(f.Nodes[at], &ir.Builder{F: extra})
		f.Nodes = slices.Insert(f.Nodes, at, extra.Nodes...)
		res := runOnClips(t, m, "quantize-lstm", nil)
		if len(quantized(res)) != 1 || !strings.Contains(quantized(res)[0].Left, want) || !strings.Contains(strings.Join(res.Notes, "\n"), want) {
			t.Errorf("%s: %+v, %q", want, quantized(res), res.Notes)
		}
	}
	// Without clips the norm follows from the weights; a float input stays float
	// and is said to.
	m := base.build(t, 1)
	runOnClips(t, m, "quantize-lstm, default", nil)
	if !slices.ContainsFunc(m.Main().Nodes, func(n *ir.Node) bool { return n.Is(ir.BLSTM) }) {
		t.Error("without clips: there is no blstm")
	}
	base.bits = false
	m = base.build(t, 1)
	res := runOnClips(t, m, "quantize-lstm", nil)
	if r := quantized(res)[0]; r.Left != "" || !strings.HasPrefix(r.Input, "float") {
		t.Errorf("float input without clips: %+v", r)
	}
	runOnClips(t, m, "default", nil)
}

// TestQuantizeLSTMGates: on the clips the gates are neither all open nor all
// shut, and more bits follow the float layer more closely.
func TestQuantizeLSTMGates(t *testing.T) {
	t.Parallel()
	for _, op := range []*ir.Op{ir.LSTM, ir.GRU} {
		c := recurrentNet{op: op, direction: "forward", steps: 6, in: 24, h: 16, batch: 1, bits: true, bias: true, weights: "binary", gates: 1, cellBits: 8}
		m := c.build(t, 2)
		clips := randomClips(m, 12)
		res := runOnClips(t, m, c.pass(), clips)
		if d := quantized(res)[0].Density; d < 0.2 || d > 0.8 {
			t.Errorf("%s: %.2f of the gates are set", op, d)
		}
		c.weights = "ternary"
		coarse, fine := c.follows(t, "quantize-lstm{gates=1,weights=ternary}"), c.follows(t, "quantize-lstm{gates=6,weights=ternary,cell=12}")
		t.Logf("%s: correlation with the float layer: %.2f with gates of one bit, %.2f with six", op, coarse, fine)
		if coarse < 0.3 || fine < coarse {
			t.Errorf("%s: the outputs' correlation with those of the float layer is %.2f with gates of one bit and %.2f with six", op, coarse, fine)
		}
	}
}

// follows is the correlation of a quantized layer's h with the float layer's on
// inputs that it was not calibrated on.
func (c recurrentNet) follows(t *testing.T, pass string) float64 {
	var xy, xx, yy float64
	for seed := range uint64(4) {
		m := c.build(t, seed)
		source := m.Clone()
		runOnClips(t, m, pass, randomClips(m, 12))
		rng := rand.New(rand.NewPCG(seed, 77))
		for range 6 {
			in := ir.RandomInputs(m.Main(), rng, 2)
			a, err := ir.Eval(context.Background(), source.Main(), in, nil)
			if err != nil {
				t.Fatal(err)
			}
			b, err := ir.Eval(context.Background(), m.Main(), in, nil)
			if err != nil {
				t.Fatal(err)
			}
			for i := range a[0].Len() {
				x, y := a[0].Float(i), b[0].Float(i)
				xy, xx, yy = xy+x*y, xx+x*x, yy+y*y
			}
		}
	}
	return xy / math.Sqrt(xx*yy)
}
