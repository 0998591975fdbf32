package gestures

import (
	"context"
	"math"
	"os"
	"testing"

	"github.com/billnet/billnet/codegen/bytecode"
	"github.com/billnet/billnet/frontend/bill"
	"github.com/billnet/billnet/frontend/onnx"
	"github.com/billnet/billnet/ir"
	"github.com/billnet/billnet/passes"
	"github.com/billnet/billnet/passes/pipeline"
	"github.com/billnet/billnet/passes/report"
	"github.com/billnet/billnet/runtime"
	"github.com/billnet/billnet/train"
	"github.com/billnet/billnet/train/data"
)

// lastProduct is the matrix product at a function's end.
func lastProduct(t testing.TB, f *ir.Func) *ir.Node {
	t.Helper()
	for i := len(f.Nodes) - 1; i >= 0; i-- {
		if f.Nodes[i].Is(ir.Gemm) {
			return f.Nodes[i]
		}
	}
	t.Fatalf("@%s has no matrix product", f.Name)
	return nil
}

// cut is a module that ends with what the last layer takes.
func cut(t testing.TB, m *ir.Module) *ir.Module {
	t.Helper()
	m = m.Clone()
	f := m.Main()
	f.Results = []ir.Port{{Name: "logits", Value: lastProduct(t, f).Args[0]}}
	f.RemoveDead()
	return m
}

// packed compiles a source module; the last layer is all that is float.
func packed(t testing.TB, m *ir.Module) *ir.Module {
	t.Helper()
	m = m.Clone()
	if _, err := passes.Run(context.Background(), m, pipeline.Default(), passes.RunOptions{}); err != nil {
		t.Fatal(err)
	}
	for _, e := range report.NewLedger(m, nil).Entries {
		if e.Kind == "float" && !(e.Op == "gemm" && e.Output) {
			t.Errorf("%s (%s) is float: %s", e.Layer, e.Op, e.Why)
		}
	}
	return m
}

// program is a packed module as bytecode.
func program(t testing.TB, m *ir.Module) []byte {
	t.Helper()
	img, _, err := bytecode.Generate(m, nil)
	if err != nil {
		t.Fatal(err)
	}
	code, err := img.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return code
}

// runner returns a function that runs bytecode on a clip.
func runner(t testing.TB, code []byte) func(clip []uint8) []float32 {
	t.Helper()
	prog, err := runtime.LoadBytes(code)
	if err != nil {
		t.Fatal(err)
	}
	session, err := prog.NewSession(runtime.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { session.Close() })
	out := make([]float32, ir.Type{Shape: prog.Outputs()[0].Shape}.Elems())
	return func(clip []uint8) []float32 {
		if err := session.Run([][]byte{clip}, [][]byte{runtime.Bytes(out)}); err != nil {
			t.Fatal(err)
		}
		return out
	}
}

// engine returns the training engine's inference for so many clips at once.
func engine(t testing.TB, m *ir.Module, batch int) *train.Trainer {
	t.Helper()
	e, err := train.New(m, train.Options{Batch: batch})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// TestTrainedIsCompiled: the bytecode gives the labels of the network as the
// trainer evaluates it, the integers that enter its last layer, and its logits to
// 1e-5. BILLNET_LONG takes 1,000 clips of the test split.
func TestTrainedIsCompiled(t *testing.T) {
	clips := 96
	if os.Getenv("BILLNET_LONG") != "" {
		clips = 1000
	}
	m, err := bill.ParseFile("gestures.trained.bill")
	if err != nil {
		t.Fatal(err)
	}
	code, err := os.ReadFile("gestures.billb")
	if err != nil {
		t.Fatal(err)
	}
	logits, integers := runner(t, code), runner(t, program(t, cut(t, packed(t, m))))
	const batch = 8
	trainer, head := engine(t, m, batch), engine(t, cut(t, m), batch)
	shape := m.Main().Params[0].Value.Type.Shape
	src, err := data.Open("gestures", data.Options{Size: data.Size{T: shape[2], H: shape[3], W: shape[4]}})
	if err != nil {
		t.Fatal(err)
	}
	right := 0
	worst := 0.0
	seen := map[int]bool{}
	for first := 0; first < clips; first += batch {
		n := min(batch, clips-first)
		size := src.Size().Bytes()
		pix, labels := make([]uint8, n*size), make([]int, n)
		for i := range n {
			if labels[i], err = src.Clip(data.Test, first+i, 0, pix[i*size:(i+1)*size]); err != nil {
				t.Fatal(err)
			}
		}
		want, err := trainer.Forward(pix, nil)
		if err != nil {
			t.Fatal(err)
		}
		wantHead, err := head.Forward(pix, nil)
		if err != nil {
			t.Fatal(err)
		}
		for i := range n {
			clip := pix[i*size : (i+1)*size]
			got, ints := logits(clip), integers(clip)
			row, rowHead := want[i*len(got):(i+1)*len(got)], wantHead[i*len(ints):(i+1)*len(ints)]
			label := train.Argmax(got)
			if label != train.Argmax(row) {
				t.Errorf("clip %d: class %d, the trainer says %d", first+i, label, train.Argmax(row))
			}
			for c, v := range row {
				worst = max(worst, math.Abs(float64(got[c]-v)))
			}
			for k, v := range rowHead {
				if float64(v) != math.Trunc(float64(v)) || ints[k] != v {
					t.Errorf("clip %d: input %d of the last layer is %v, the trainer's %v, expected one integer", first+i, k, ints[k], v)
				}
			}
			seen[label] = true
			if label == labels[i] {
				right++
			}
		}
	}
	t.Logf("%d clips, largest difference of a logit %.1e, accuracy %.2f %%", clips, worst, 100*float64(right)/float64(clips))
	if worst > 1e-5 {
		t.Errorf("a logit differs by %v, at most 1e-5 is expected", worst)
	}
	if len(seen) < 12 || right < clips*9/10 {
		t.Errorf("%d of %d clips are right, %d classes appear", right, clips, len(seen))
	}
}

// TestONNX: the network's ONNX form compiles to the same bytes but for names.
func TestONNX(t *testing.T) {
	m, _, err := onnx.ImportBytes(context.Background(), "gestures.onnx", Model(), onnx.Options{})
	if err != nil {
		t.Fatal(err)
	}
	code, err := os.ReadFile("gestures.billb")
	if err != nil {
		t.Fatal(err)
	}
	a, b := runner(t, code), runner(t, program(t, packed(t, m)))
	src, err := data.NewGestures(data.DefaultSize(), data.GestureOptions{})
	if err != nil {
		t.Fatal(err)
	}
	pix := make([]uint8, src.Size().Bytes())
	for i := range 12 {
		if _, err := src.Clip(data.Test, i, 0, pix); err != nil {
			t.Fatal(err)
		}
		got, want := b(pix), a(pix)
		for c := range want {
			if got[c] != want[c] {
				t.Errorf("clip %d: logit %d is %v through ONNX and %v from the text", i, c, got[c], want[c])
			}
		}
	}
}
