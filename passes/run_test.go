package passes

import (
	"context"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/billnet/billnet/ir"
)

// The passes below exist in this test only: one that panics, one that leaves a
// module that is not well formed, one that changes results.
var _ = register(&Pass{Name: "test-panic", Run: func(*Context, *ir.Module) error { panic("oh") }})

var _ = register(&Pass{Name: "test-malformed", Run: func(_ *Context, m *ir.Module) error {
	m.Main().Nodes = nil
	return nil
}})

var _ = register(&Pass{Name: "test-wrong", Run: eachFunc(func(_ *Context, f *ir.Func) error {
	return rewrite(f, func(rw *rewriter, n *ir.Node) []*ir.Value {
		if n.Op.Name != "relu" {
			return nil
		}
		return []*ir.Value{rw.Op("neg", nil, n.Args[0])}
	})
})})

// reluModule is y = relu(x).
func reluModule(t *testing.T) *ir.Module {
	x := &ir.Value{Type: ir.T(ir.F32, 1, 3)}
	f := &ir.Func{Name: "main", Params: []ir.Port{{Name: "x", Value: x}}}
	b := &ir.Builder{F: f, Loc: ir.Loc{Name: "layer"}}
	f.Results = []ir.Port{{Name: "y", Value: b.Op("relu", nil, x)}}
	if b.Err != nil {
		t.Fatal(b.Err)
	}
	return &ir.Module{Name: "relu", Level: ir.Source, Funcs: []*ir.Func{f}}
}

// TestFailingPass: a pass that fails is named, its fault is an internal one, and
// the reproducer gets the module before it and the rest of the pipeline.
func TestFailingPass(t *testing.T) {
	for name, want := range map[string]string{
		"test-panic":     "pass test-panic: BUG: oh",
		"test-malformed": "pass test-malformed: BUG: the module is not well formed afterwards",
		"test-wrong":     "pass test-wrong: BUG: input 2 of 4: output \"y\" differs: element 0 is 2 against -2",
	} {
		m := reluModule(t)
		var before *ir.Module
		var rest []string
		_, err := Run(context.Background(), m, []string{"fold-constants", name, "merge-equal"}, RunOptions{
			Check:     4,
			Reproduce: func(_ string, m *ir.Module, r []string) { before, rest = m, r },
		})
		if err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s: error is %v, expected %s", name, err, want)
		}
		if before == nil || len(before.Main().Nodes) != 1 || !before.Main().Nodes[0].Is("relu") || strings.Join(rest, " ") != name+" merge-equal" {
			t.Errorf("%s: the reproducer got %v and %v", name, before, rest)
		}
	}
}

func TestUnknownPass(t *testing.T) {
	if _, err := Run(context.Background(), reluModule(t), []string{"fold"}, RunOptions{}); err == nil || !strings.Contains(err.Error(), `unknown pass "fold"`) {
		t.Errorf("error is %v", err)
	}
}

// TestThresholdSearch compares thresholds with a batch norm and a comparison
// evaluated at every accumulator, for slopes of both signs, zero, and values
// that lie on the tie.
func TestThresholdSearch(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	pick := func(v ...float32) float32 { return v[rng.IntN(len(v))] }
	for range 300 {
		const c = 7
		params := make([][]float32, 4) // scale, bias, mean, var
		for i := range params {
			params[i] = make([]float32, c)
		}
		for k := range c {
			params[0][k] = pick(0, 1, -1, 0.5, rng.Float32()-0.5, -1e-30)
			params[1][k] = pick(0, 1, -1, rng.Float32()-0.5)
			params[2][k] = pick(0, float32(rng.IntN(21)-10), rng.Float32()*20-10)
			params[3][k] = pick(1, 0, 4, rng.Float32()*10)
		}
		eps := float64(float32(1e-5))
		strict := rng.IntN(2) == 0
		lo, hi := int64(-rng.IntN(30)), int64(rng.IntN(30))

		f := &ir.Func{Name: "main", Params: []ir.Port{{Name: "z", Value: &ir.Value{Type: ir.T(ir.I32, 1, c)}}}}
		b := &ir.Builder{F: f}
		args := []*ir.Value{b.Op("to_float", nil, f.Params[0].Value)}
		for _, p := range params {
			args = append(args, b.Const(ir.FloatTensor(p, c)))
		}
		step := b.Node("step", map[string]any{"strict": strict}, b.Op("batch_norm", map[string]any{"epsilon": eps}, args...))
		if b.Err != nil {
			t.Fatal(b.Err)
		}
		ch := findChain(step.Args[0])
		if ch == nil {
			t.Fatal("no chain was found")
		}
		ch.step = step
		cert, err := ch.search(uniform(lo, hi))
		if err != nil || cert == nil {
			t.Fatal(cert, err)
		}
		for k, p := range cert.Channels {
			for z := lo; z <= hi; z++ {
				y := ir.BatchNormScalar(float32(z), params[0][k], params[1][k], params[2][k], params[3][k], float32(eps))
				want := y > 0 || !strict && y == 0
				if (p.bit(z) == 1) != want {
					t.Fatalf("scale %g bias %g mean %g var %g strict %v: z = %d gives %v, the threshold %d (flip %v) says %d",
						params[0][k], params[1][k], params[2][k], params[3][k], strict, z, want, p.T, p.Flip, p.bit(z))
				}
			}
		}
	}
}
