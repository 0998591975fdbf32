package train

import (
	"context"
	"math"
	"math/rand/v2"
	"path/filepath"
	"testing"

	"github.com/billnet/billnet/frontend/onnx"
	"github.com/billnet/billnet/ir"
	"github.com/billnet/billnet/tests/shared"
)

// load imports a model of the collection.
func load(t testing.TB, path string) *ir.Module {
	t.Helper()
	m, _, err := onnx.ImportFile(context.Background(), shared.Dir(t, path+".onnx"), onnx.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// randomClips returns n clips of the module's input, bytes as floats.
func randomClips(r *rand.Rand, m *ir.Module, n int) []float32 {
	x := make([]float32, n*m.Main().Params[0].Value.Type.Elems())
	for i := range x {
		x[i] = float32(r.IntN(256))
	}
	return x
}

// TestForwardIsReference compares inference with the reference interpreter, clip
// by clip. Binary layers must agree bit by bit: a wrong one would move logits by
// far more than rounding does.
func TestForwardIsReference(t *testing.T) {
	for _, path := range []string{
		"models/billnet_trained/billnet_trained", "models/billnet/billnet_floatlstm", "models/torch/b_gate_or_logical_op16",
		"models/larq/larq_lstm2d_op13", "models/brevitas/brev_w4a2_3d_qonnx_op13", "models/brevitas/brev_w4a2_3d_qcdq_op13",
	} {
		t.Run(filepath.Base(path), func(t *testing.T) {
			m := load(t, path)
			const units = 1
			tr, err := New(m, Options{Batch: 2})
			if err != nil {
				t.Fatal(err)
			}
			clips := randomClips(rand.New(rand.NewPCG(1, 2)), m, units)
			// A step moves weights and statistics; its batch is of other clips.
			other := randomClips(rand.New(rand.NewPCG(3, 4)), m, 2/tr.clipsPerUnit)
			if _, err := tr.Step(Batch{Floats: other, Labels: []int{0, 1}}, Hyper{Rate: 0.01, MaxNorm: 1}); err != nil {
				t.Fatal(err)
			}
			got, err := tr.Forward(nil, clips)
			if err != nil {
				t.Fatal(err)
			}
			in := m.Main().Params[0].Value.Type
			size, worst := in.Elems(), 0.0
			for u := range units {
				x := ir.FloatTensor(clips[u*size:(u+1)*size], in.Shape...).Convert(in.DType)
				want, err := ir.Eval(context.Background(), tr.Module().Main(), []*ir.Tensor{x}, nil)
				if err != nil {
					t.Fatal(err)
				}
				for i := range want[0].Len() {
					worst = max(worst, math.Abs(want[0].Float(i)-float64(got[u*want[0].Len()+i])))
				}
			}
			if !(worst < 2e-4) {
				t.Errorf("logits differ by %g", worst)
			}
			t.Logf("%d parameters, %d binary operations, logits within %.2g", len(tr.params), len(tr.steps), worst)
		})
	}
}
