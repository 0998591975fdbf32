package randgraph

import (
	"context"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/billnet/billnet/frontend/onnx"
	"github.com/billnet/billnet/ir"
	"github.com/billnet/billnet/passes"
	"github.com/billnet/billnet/passes/pipeline"
	"github.com/billnet/billnet/runtime"
	"github.com/billnet/billnet/tests/shared"
)

// TestBillnets compares the bytecode of the BILLNET networks with the
// interpreter on every intermediate value, on every engine, and the logits with
// PyTorch's: three clips and all clips, one of the large networks. Large networks
// whose layers others have too are evaluated only with BILLNET_LONG=1; their logits
// are always compared.
func TestBillnets(t *testing.T) {
	for _, path := range shared.Billnets() {
		t.Run(filepath.Base(path), func(t *testing.T) {
			t.Parallel()
			large := strings.Contains(path, "full")
			if testing.Short() && path != shared.Billnets()[0] {
				t.Skip("one network in short mode")
			}
			base := strings.TrimSuffix(shared.Dir(t, path+".onnx"), ".onnx")
			m, _, err := onnx.ImportFile(context.Background(), base+".onnx", onnx.Options{})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := passes.Run(context.Background(), m, pipeline.Default(), passes.RunOptions{}); err != nil {
				t.Fatal(err)
			}
			clips, logits := clipsOf(t, base)
			if large || testing.Short() {
				clips = clips[:1]
			}
			if !strings.HasSuffix(path, "full_mid") || os.Getenv("BILLNET_LONG") != "" {
				compareValues(t, m, clips[:min(3, len(clips))])
			}
			engines := Engines()
			if large {
				engines = engines[len(engines)-1:]
			}
			compareLogits(t, m, engines, clips, logits)
		})
	}
}

// compareValues compares all intermediate values.
func compareValues(t *testing.T, m *ir.Module, clips [][]*ir.Tensor) {
	total := &tally{count: map[string]int{}}
	compareBytecode(t, m, clips, total)
	if total.count["modules run as bytecode"] == 0 {
		t.Errorf("no bytecode: %v", total.count)
	}
	total.log(t)
}

// compareLogits runs every clip on the engines and compares with PyTorch.
func compareLogits(t *testing.T, m *ir.Module, engines []Engine, clips [][]*ir.Tensor, logits [][]float32) {
	p, err := Load(m, runtime.Loader{})
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range engines {
		s, err := p.NewSession(runtime.Options{ISA: e.ISA, Threads: e.Threads})
		if err != nil {
			t.Fatal(err)
		}
		for i, clip := range clips {
			out, err := Run(s, m.Main(), clip)
			if err != nil {
				t.Fatal(err)
			}
			for k, want := range logits[i] {
				if d := math.Abs(float64(out[0].Float32(k) - want)); !(d <= 1e-3) {
					t.Errorf("%s, clip %d: logit %d is %v, PyTorch says %v", e, i, k, out[0].Float32(k), want)
				}
			}
			if got, want := largest(out[0].Floats()), largest(logits[i]); got != want {
				t.Errorf("%s, clip %d: label %d, PyTorch says %d", e, i, got, want)
			}
		}
		s.Close()
	}
}

// clipsOf returns the clips of a model, each as a set of inputs, and PyTorch's
// logits.
func clipsOf(t *testing.T, base string) (clips [][]*ir.Tensor, logits [][]float32) {
	if found, _ := filepath.Glob(base + ".clips.u8.npy"); len(found) == 0 {
		base = filepath.Join(filepath.Dir(base), strings.TrimPrefix(filepath.Base(base), "t2_"))
	}
	a, l := shared.NPY(t, base+".clips.u8.npy"), shared.NPY(t, base+".logits.npy")
	lf, err := l.Float32s()
	if err != nil {
		t.Fatal(err)
	}
	n := a.Shape[0]
	size := len(a.Data) / n
	for i := range n {
		x := ir.NewTensor(ir.T(ir.U8, append([]int{1}, a.Shape[1:]...)...))
		for j, b := range a.Data[i*size : (i+1)*size] {
			x.Ints()[j] = int64(b)
		}
		clips = append(clips, []*ir.Tensor{x})
		logits = append(logits, lf[i*len(lf)/n:(i+1)*len(lf)/n])
	}
	return clips, logits
}

func largest(v []float32) int {
	best := 0
	for i := range v {
		if v[i] > v[best] {
			best = i
		}
	}
	return best
}
