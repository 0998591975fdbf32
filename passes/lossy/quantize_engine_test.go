package lossy_test

import (
	"context"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/billnet/billnet/frontend/onnx"
	"github.com/billnet/billnet/ir"
	"github.com/billnet/billnet/passes"
	"github.com/billnet/billnet/passes/pipeline"
	"github.com/billnet/billnet/passes/report"
	"github.com/billnet/billnet/runtime"
	"github.com/billnet/billnet/tests/randgraph"
	"github.com/billnet/billnet/tests/shared"
)

// TestQuantizedEngine: quantized networks run as bytecode, on every engine, and
// give the interpreter's numbers at every value.
func TestQuantizedEngine(t *testing.T) {
	t.Parallel()
	for seed := range uint64(24) {
		m := QuantizedNet(t, seed)
		if _, err := passes.Run(context.Background(), m, pipeline.Default(), passes.RunOptions{}); err != nil {
			t.Fatal(err)
		}
		all, err := randgraph.Expose(m)
		if err != nil {
			t.Fatal(err)
		}
		p, err := randgraph.Load(all, runtime.Loader{})
		if err != nil {
			t.Fatal(err)
		}
		sets := randgraph.Inputs(all.Main(), rand.New(rand.NewPCG(seed, 1)), 3)
		for _, e := range randgraph.Engines() {
			s, err := p.NewSession(runtime.Options{ISA: e.ISA, Threads: e.Threads})
			if err != nil {
				t.Fatal(err)
			}
			for _, in := range sets {
				want, err := randgraph.Eval(all, in)
				if err != nil {
					t.Fatal(err)
				}
				got, err := randgraph.Run(s, all.Main(), in)
				if err != nil {
					t.Fatal(err)
				}
				if d := randgraph.Diff(all.Main(), want, got); d != "" {
					text, _ := ir.Print(all, "data")
					t.Fatalf("seed %d, %s: %s\n%s", seed, e, d, text)
				}
			}
		}
	}
}

// TestQuantizeBinaryNets: float layers of binary networks become integers, and
// what is binary stays.
func TestQuantizeBinaryNets(t *testing.T) {
	t.Parallel()
	seeds := uint64(40)
	if testing.Short() {
		seeds = 12
	}
	for seed := range seeds {
		m := randgraph.Seed(seed, randgraph.Config{Blocks: 2})
		rng := rand.New(rand.NewPCG(seed, 2))
		clips := randgraph.Inputs(m.Main(), rng, 3)
		steps, err := pipeline.Registry().Parse("test", "fold-constants, quantize, quantize-lstm")
		if err != nil {
			t.Fatal(err)
		}
		res, err := passes.Run(context.Background(), m, steps, passes.RunOptions{Clips: clips})
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		for _, q := range quantized(res) {
			if q.Left != "" && !strings.Contains(q.Left, "of few bits already") {
				t.Errorf("seed %d: %+v", seed, q)
			}
		}
		if _, err := passes.Run(context.Background(), m, pipeline.Default(), passes.RunOptions{Check: 3}); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
	}
}

// TestQuantizeTorch quantizes PyTorch's export of a float Conv3D-LSTM network:
// nothing of it stays float, and no label moves.
func TestQuantizeTorch(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("evaluates a large network")
	}
	m, _, err := onnx.ImportFile(context.Background(), shared.Dir(t, "models/torch/a_float_op13.onnx"), onnx.Options{})
	if err != nil {
		t.Fatal(err)
	}
	a := shared.NPY(t, shared.Dir(t, "models/torch/input_ncthw.npy"))
	in, err := ir.TensorFromData(m.Main().Params[0].Value.Type, a.Data)
	if err != nil {
		t.Fatal(err)
	}
	steps, err := pipeline.Registry().Parse("test", `fold-constants, quantize{layers=["/f/*", "/fc/*"]}, quantize-lstm{gates=4}`)
	if err != nil {
		t.Fatal(err)
	}
	res, err := passes.Run(context.Background(), m, steps, passes.RunOptions{Clips: [][]*ir.Tensor{{in}}})
	if err != nil {
		t.Fatal(err)
	}
	if e := res.Moved[0]; e.Error > 0.02 || e.Labels != 0 {
		t.Errorf("quantize moved the logits by %g and %d labels", e.Error, e.Labels)
	}
	if res, err = passes.Run(context.Background(), m, pipeline.Default(), passes.RunOptions{}); err != nil {
		t.Fatal(err)
	}
	l := report.NewLedger(m, report.Certificates(m, res.Records))
	for _, e := range l.Entries {
		if e.Kind == "float" {
			t.Errorf("%s (%s) is float: %s", e.Layer, e.Op, e.Why)
		}
	}
	if l.FloatMACs != 0 || l.FloatBytes != 0 || l.IntMACs == 0 {
		t.Errorf("%d MACs on integers, %d MACs and %d bytes in float", l.IntMACs, l.FloatMACs, l.FloatBytes)
	}
}
