package passes_test

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
	"github.com/billnet/billnet/tests/shared"
)

// TestBillnets lowers every BILLNET network, evaluates the packed module with
// the interpreter and compares with PyTorch's logits; in a binary network
// nothing but the last linear layer may be float.
func TestBillnets(t *testing.T) {
	for _, path := range shared.Billnets {
		t.Run(filepath.Base(path), func(t *testing.T) {
			if testing.Short() && strings.Contains(path, "full") {
				t.Skip("large network in short mode")
			}
			base := shared.Dir(t, path+".onnx")
			base = strings.TrimSuffix(base, ".onnx")
			m, _, err := onnx.ImportFile(base+".onnx", onnx.Options{})
			if err != nil {
				t.Fatal(err)
			}
			res, err := passes.Run(context.Background(), m, passes.Pipeline, passes.RunOptions{})
			if err != nil {
				t.Fatal(err)
			}
			led := passes.NewLedger(m, res.Certs)
			if os.Getenv("SHOW") != "" {
				t.Log(res.Notes)
				led.Print(os.Stdout)
				text, _ := ir.Print(m, "")
				t.Log(text)
			}
			for _, e := range led.Entries {
				if e.Kind == "float" && e.Op != "gemm" && !(e.Op == "lstm" && strings.Contains(path, "floatlstm")) {
					t.Errorf("%s (%s) is float: %s", e.Layer, e.Op, e.Why)
				}
			}
			clips, logits := loadClips(t, base)
			for i := range clips {
				if i > 0 && (testing.Short() || i > 2 || strings.Contains(path, "full")) {
					break
				}
				out, err := ir.Eval(context.Background(), m.Main(), clips[i:i+1], nil)
				if err != nil {
					t.Fatal(err)
				}
				if d := maxDiff(out[0].F, logits[i]); d > 1e-3 {
					t.Errorf("clip %d: logits differ from PyTorch's by %g", i, d)
				}
				if argMax(out[0].F) != argMax(logits[i]) {
					t.Errorf("clip %d: label %d, PyTorch says %d", i, argMax(out[0].F), argMax(logits[i]))
				}
			}
		})
	}
}

// loadClips returns the u8 clips of a model and the recorded logits.
func loadClips(t *testing.T, base string) (clips []*ir.Tensor, logits [][]float32) {
	if _, err := os.Stat(base + ".clips.u8.npy"); err != nil {
		base = filepath.Join(filepath.Dir(base), strings.TrimPrefix(filepath.Base(base), "t2_"))
	}
	a := shared.NPY(t, base+".clips.u8.npy")
	l := shared.NPY(t, base+".logits.npy")
	lf, err := l.Float32s()
	if err != nil {
		t.Fatal(err)
	}
	n := a.Shape[0]
	size := len(a.Data) / n
	for i := range n {
		v := make([]int64, size)
		for j, b := range a.Data[i*size : (i+1)*size] {
			v[j] = int64(b)
		}
		clips = append(clips, ir.IntTensor(ir.U8, v, append([]int{1}, a.Shape[1:]...)...))
		logits = append(logits, lf[i*len(lf)/n:(i+1)*len(lf)/n])
	}
	return clips, logits
}

func maxDiff(a, b []float32) float64 {
	m := 0.0
	for i := range a {
		if d := math.Abs(float64(a[i]) - float64(b[i])); !(d <= m) {
			m = d
		}
	}
	return m
}

func argMax(a []float32) int {
	best := 0
	for i := range a {
		if a[i] > a[best] {
			best = i
		}
	}
	return best
}
