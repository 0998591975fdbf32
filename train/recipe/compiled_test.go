package recipe

import (
	"context"
	"math"
	"testing"

	"github.com/billnet/billnet/codegen/bytecode"
	"github.com/billnet/billnet/ir"
	"github.com/billnet/billnet/passes"
	"github.com/billnet/billnet/passes/pipeline"
	"github.com/billnet/billnet/passes/report"
	"github.com/billnet/billnet/runtime"
	"github.com/billnet/billnet/train"
	"github.com/billnet/billnet/train/data"
)

// headInput is what the last matrix product of a function takes.
func headInput(t testing.TB, f *ir.Func, x *ir.Tensor) *ir.Tensor {
	t.Helper()
	values := map[*ir.Value]*ir.Tensor{}
	var last *ir.Node
	_, err := ir.Eval(context.Background(), f, []*ir.Tensor{x}, func(n *ir.Node, out []*ir.Tensor) {
		for i, v := range n.Results {
			values[v] = out[i]
		}
		if n.Is(ir.Gemm) {
			last = n
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	if last == nil || values[last.Args[0]] == nil {
		t.Fatalf("@%s has no matrix product at its end", f.Name)
	}
	return values[last.Args[0]]
}

// TestCompiled: what a run ends with compiles with no further step, nothing of
// it is float but its last layer, the integers that enter that layer are those of
// the trained network, and the bytecode's logits those of the trainer.
func TestCompiled(t *testing.T) {
	r := newRun(t, t.TempDir(), "float{steps=30, warmup=5}, all{steps=30, warmup=5}")
	r.Batch = 8
	m, err := r.Train(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	packed := m.Clone()
	if _, err := passes.Run(context.Background(), packed, pipeline.Default(), passes.RunOptions{}); err != nil {
		t.Fatal(err)
	}
	for _, e := range report.NewLedger(packed, nil).Entries {
		if e.Kind == "float" && !(e.Op == "gemm" && e.Output) {
			t.Errorf("%s (%s) is float: %s", e.Layer, e.Op, e.Why)
		}
	}
	img, _, err := bytecode.Generate(packed, nil)
	if err != nil {
		t.Fatal(err)
	}
	code, err := img.Encode()
	if err != nil {
		t.Fatal(err)
	}
	prog, err := runtime.LoadBytes(code)
	if err != nil {
		t.Fatal(err)
	}
	session, err := prog.NewSession(runtime.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer session.Close()
	const clips, classes = 50, 4
	pix := make([]uint8, r.Source.Size().Bytes())
	logits := make([]float32, classes)
	seen := map[int]bool{}
	for i := range clips {
		if _, err := r.Source.Clip(data.Val, i, 0, pix); err != nil {
			t.Fatal(err)
		}
		if err := session.Run([][]byte{pix}, [][]byte{runtime.Bytes(logits)}); err != nil {
			t.Fatal(err)
		}
		want, err := r.trainer.Forward(pix, nil)
		if err != nil {
			t.Fatal(err)
		}
		if train.Argmax(logits) != train.Argmax(want) {
			t.Errorf("clip %d: class %d, the trainer says %d", i, train.Argmax(logits), train.Argmax(want))
		}
		seen[train.Argmax(logits)] = true
		for c, v := range want {
			if d := math.Abs(float64(logits[c] - v)); !(d <= 1e-5) {
				t.Errorf("clip %d: logit %d is %v, the trainer's %v", i, c, logits[c], v)
			}
		}
		x, err := ir.TensorFromData(m.Main().Params[0].Value.Type, pix)
		if err != nil {
			t.Fatal(err)
		}
		a, b := headInput(t, m.Main(), x), headInput(t, packed.Main(), x)
		if a.Len() != b.Len() || a.Len() == 0 {
			t.Fatalf("the last layer takes %s, compiled %s", a.Type, b.Type)
		}
		for k := range a.Len() {
			if v := a.Float(k); v != b.Float(k) || v != math.Trunc(v) {
				t.Errorf("clip %d: input %d of the last layer is %v, compiled %v, expected one integer", i, k, v, b.Float(k))
			}
		}
	}
	if len(seen) < 2 {
		t.Errorf("all clips are of one class: %v", seen)
	}
}
