// Package models_test compiles real exports of PyTorch, Larq and Brevitas and
// compares what comes out with what their own frameworks computed.
package models_test

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/billnet/billnet/codegen/bytecode"
	"github.com/billnet/billnet/frontend/onnx"
	"github.com/billnet/billnet/ir"
	"github.com/billnet/billnet/passes"
	"github.com/billnet/billnet/passes/pipeline"
	"github.com/billnet/billnet/passes/report"
	"github.com/billnet/billnet/runtime"
	"github.com/billnet/billnet/runtime/clip"
	"github.com/billnet/billnet/tests/shared"
)

// model is one export with recorded inputs and outputs.
type model struct {
	path   string // below the shared folder, without .onnx
	dims   map[string]int
	inputs []string // .npy files below the shared folder
	want   string
	bound  float64 // largest difference, relative to the largest output or 1
	label  bool    // the largest output must be the same one
	bits   bool    // every layer with binary weights must be bits in the ledger
}

func models(t *testing.T) []model {
	var list []model
	glob := func(pattern string) []string {
		paths, err := filepath.Glob(shared.Dir(t, "models") + "/" + pattern)
		if err != nil || len(paths) == 0 {
			t.Fatalf("no models match %s", pattern)
		}
		for i := range paths {
			rel, _ := filepath.Rel(shared.Dir(t), paths[i])
			paths[i] = strings.TrimSuffix(rel, ".onnx")
		}
		return paths
	}
	for _, p := range glob("torch/*.onnx") {
		name := filepath.Base(p)
		m := model{path: p, want: p + ".expected.npy", bound: 1e-4, label: true, inputs: []string{"models/torch/input_ncthw.npy"}}
		switch {
		case strings.HasPrefix(name, "c_td"):
			m.inputs = []string{"models/torch/input_ntchw.npy"}
		case strings.Contains(name, "manlstm"):
			m.inputs = []string{"models/torch/input_manlstm.npy"}
			m.bound = 3e-3
		case strings.Contains(name, "muxin"):
			m.inputs = append(m.inputs, "models/torch/input_muxin_sel.npy")
		case strings.Contains(name, "dynT"):
			m.dims = map[string]int{"time": 16}
		}
		if strings.HasPrefix(name, "b_") {
			m.bound, m.bits = 3e-3, true
		}
		list = append(list, m)
	}
	for _, p := range glob("torch2/t2_[a-e]_*.onnx") {
		m := model{path: p, want: p + ".expected.npy", bound: 1e-4, label: true}
		name := filepath.Base(p)
		if strings.Contains(name, "_b_") || strings.Contains(name, "manlstm") {
			m.bound, m.bits = 3e-3, strings.Contains(name, "_b_")
		}
		if strings.Contains(name, "dynT") {
			m.dims = map[string]int{"4*t4": 16}
		}
		list = append(list, m)
	}
	for _, p := range glob("larq/*.onnx") {
		base := strings.TrimSuffix(strings.TrimSuffix(p, "_op13"), "_op17")
		list = append(list, model{path: p, want: base + ".expected.npy", inputs: []string{base + ".input_0.npy"}, bound: 1e-4})
	}
	for _, p := range glob("brevitas/*.onnx") {
		base := strings.TrimSuffix(strings.TrimSuffix(p, "_qonnx_op13"), "_qcdq_op13")
		list = append(list, model{path: p, want: base + ".expected.npy", inputs: []string{base + ".input_0.npy"}, bound: 1e-4})
	}
	for i := range list {
		for k := 0; len(list[i].inputs) <= k && list[i].want != ""; k++ {
			file := fmt.Sprintf("%s.input_%d.npy", list[i].path, k)
			if _, err := os.Stat(shared.Dir(t) + "/" + file); err != nil {
				break
			}
			list[i].inputs = append(list[i].inputs, file)
		}
	}
	return list
}

func TestModels(t *testing.T) {
	for _, m := range models(t) {
		t.Run(filepath.Base(m.path), func(t *testing.T) { m.run(t) })
	}
}

func (m *model) run(t *testing.T) {
	mod, _, err := onnx.ImportFile(context.Background(), shared.Dir(t, m.path+".onnx"), onnx.Options{Dims: m.dims})
	if err != nil {
		t.Fatal(err)
	}
	res, err := passes.Run(context.Background(), mod, pipeline.Default(), passes.RunOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var in []*ir.Tensor
	for i, p := range mod.Main().Params {
		in = append(in, tensor(t, shared.NPY(t, shared.Dir(t, m.inputs[i])), p.Value.Type))
	}
	want, err := shared.NPY(t, shared.Dir(t, m.want)).Float32s()
	if err != nil {
		t.Fatal(err)
	}
	if m.bits {
		m.checkLedger(t, report.NewLedger(mod, report.Certificates(mod, res.Records)))
	}
	out, err := ir.Eval(context.Background(), mod.Main(), in, nil)
	if err != nil {
		t.Fatal(err)
	}
	m.compare(t, "interpreter", out[0].Floats(), want)
	got, err := runBytecode(mod, report.Certificates(mod, res.Records), in, len(want))
	if err != nil {
		t.Fatal(err)
	}
	m.compare(t, "bytecode", got, want)
	if d := largest(got, out[0].Floats()); d > 1e-5*scale(want) {
		t.Errorf("bytecode differs from the interpreter by %g", d)
	}
}

// checkLedger wants every convolution but the first to be bits: these networks
// keep a float stem and binarize the rest.
func (m *model) checkLedger(t *testing.T, l *report.Ledger) {
	first := true
	for _, e := range l.Entries {
		if e.Op == "conv" && !first {
			t.Errorf("%s is a float convolution: %s", e.Layer, e.Why)
		}
		if strings.Contains(e.Op, "conv") {
			first = false
		}
	}
	if l.BitMACs == 0 {
		t.Error("no layer works on bits")
	}
}

func (m *model) compare(t *testing.T, what string, got, want []float32) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s gives %d outputs, expected %d", what, len(got), len(want))
	}
	if d := largest(got, want) / scale(want); d > m.bound {
		t.Errorf("%s differs from the recorded output by %.2g of its scale (at most %g)", what, d, m.bound)
	}
	if m.label && argmax(got) != argmax(want) {
		t.Errorf("%s says class %d, recorded is %d", what, argmax(got), argmax(want))
	}
}

func runBytecode(mod *ir.Module, certs []report.Certificate, in []*ir.Tensor, n int) ([]float32, error) {
	img, _, err := bytecode.Generate(mod, report.EncodeCertificates(certs))
	if err != nil {
		return nil, err
	}
	data, err := img.Encode()
	if err != nil {
		return nil, err
	}
	p, err := runtime.LoadBytes(data)
	if err != nil {
		return nil, err
	}
	s, err := p.NewSession(runtime.Options{})
	if err != nil {
		return nil, err
	}
	defer s.Close()
	out := make([]float32, n)
	feed := make([][]byte, len(in))
	for i, x := range in {
		feed[i] = x.Data()
	}
	return out, s.Run(feed, append([][]byte{runtime.Bytes(out)}, make([][]byte, len(img.Outputs)-1)...))
}

// tensor converts a recorded input to a parameter's type.
func tensor(t *testing.T, a *clip.NPY, want ir.Type) *ir.Tensor {
	t.Helper()
	d, ok := ir.ParseDType(a.DType)
	if !ok {
		t.Fatalf("no element type %s", a.DType)
	}
	x, err := ir.TensorFromData(ir.T(d, a.Shape...), a.Data)
	if err != nil {
		t.Fatal(err)
	}
	return x.Convert(want.DType).Reshape(want.Shape...)
}

func largest(a, b []float32) float64 {
	m := 0.0
	for i := range a {
		if d := math.Abs(float64(a[i]) - float64(b[i])); !(d <= m) {
			m = d
		}
	}
	return m
}

func scale(v []float32) float64 {
	m := 1.0
	for _, x := range v {
		m = max(m, math.Abs(float64(x)))
	}
	return m
}

func argmax(v []float32) int {
	best := 0
	for i := range v {
		if v[i] > v[best] {
			best = i
		}
	}
	return best
}

// TestThirdParty compiles quantized networks of other projects and compares
// bytecode with the interpreter of the source graph on random inputs.
func TestThirdParty(t *testing.T) {
	for name, integers := range map[string]bool{"TFC_1W1A": true, "TFC_1W2A": true, "TFC_2W2A": true, "kwsmlp_w3a3": true, "q_mnist-conv_model": false} {
		t.Run(name, func(t *testing.T) {
			mod, _, err := onnx.ImportFile(context.Background(), shared.Dir(t, "models/qonnx/"+name+".onnx"), onnx.Options{})
			if err != nil {
				t.Fatal(err)
			}
			source := mod.Clone()
			res, err := passes.Run(context.Background(), mod, pipeline.Default(), passes.RunOptions{})
			if err != nil {
				t.Fatal(err)
			}
			l := report.NewLedger(mod, report.Certificates(mod, res.Records))
			if integers && (l.FloatMACs > 0 || l.BitMACs+l.IntMACs == 0) {
				t.Errorf("%d multiply-accumulates are float", l.FloatMACs)
			}
			rng := rand.New(rand.NewPCG(7, 9))
			for i := range 6 {
				in := ir.RandomInputs(source.Main(), rng, i)
				want, err := ir.Eval(context.Background(), source.Main(), in, nil)
				if err != nil {
					t.Fatal(err)
				}
				got, err := runBytecode(mod, report.Certificates(mod, res.Records), in, want[0].Len())
				if err != nil {
					t.Fatal(err)
				}
				if d := largest(got, want[0].Floats()) / scale(want[0].Floats()); d > 1e-4 {
					t.Errorf("input %d: bytecode differs from the source graph by %.2g of its scale", i, d)
				}
			}
		})
	}
}
