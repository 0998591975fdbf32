package golden

import (
	"context"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/billnet/billnet/codegen/bytecode"
	"github.com/billnet/billnet/frontend/onnx"
	"github.com/billnet/billnet/ir"
	"github.com/billnet/billnet/passes"
	"github.com/billnet/billnet/passes/pipeline"
	"github.com/billnet/billnet/passes/report"
	"github.com/billnet/billnet/tests/golden/script"
	"github.com/billnet/billnet/tests/shared"
)

// models are the networks that run on the clips of models/clips.npy.
var models = []struct {
	name string
	opt  onnx.Options
}{
	{name: "tiny"},
	{name: "tiny18"},
	{name: "tiny_dyn"},
	{name: "raw", opt: onnx.Options{Inputs: map[string]string{"clip": "u8"}}},
}

func modelFile(name string) string { return filepath.Join(script.Models(), name) }

func importModel(t *testing.T, name string, opt onnx.Options) *ir.Module {
	t.Helper()
	m, _, err := onnx.ImportFile(context.Background(), modelFile(name+".onnx"), opt)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// compile lowers a clone of a source module; every pass is checked on a few
// inputs.
func compile(t *testing.T, source *ir.Module) (packed *ir.Module, program []byte) {
	t.Helper()
	packed = source.Clone()
	res, err := passes.Run(context.Background(), packed, pipeline.Default(), passes.RunOptions{Check: 3})
	if err != nil {
		t.Fatal(err)
	}
	img, _, err := bytecode.Generate(packed, report.EncodeCertificates(report.Certificates(packed, res.Records)))
	if err != nil {
		t.Fatal(err)
	}
	program, err = img.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return packed, program
}

// clips returns the clips as u8 tensors of a batch of one.
func clips(t *testing.T) []*ir.Tensor {
	t.Helper()
	a := shared.NPY(t, modelFile("clips.npy"))
	n := a.Shape[0]
	size := len(a.Data) / n
	var list []*ir.Tensor
	for i := range n {
		x, err := ir.TensorFromData(ir.T(ir.U8, append([]int{1}, a.Shape[1:]...)...), a.Data[i*size:(i+1)*size])
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, x)
	}
	return list
}

// recorded returns what ONNX Runtime gave for the clips.
func recorded(t *testing.T, name string) [][]float32 {
	t.Helper()
	a := shared.NPY(t, modelFile(name+".logits.npy"))
	f, err := a.Float32s()
	if err != nil {
		t.Fatal(err)
	}
	rows := make([][]float32, a.Shape[0])
	for i := range rows {
		rows[i] = f[i*len(f)/len(rows) : (i+1)*len(f)/len(rows)]
	}
	return rows
}

// probes are inputs that tell two functions apart: the clips, then zeros, the
// largest values, and random ones.
func probes(t *testing.T, f *ir.Func) [][]*ir.Tensor {
	t.Helper()
	var list [][]*ir.Tensor
	for _, c := range clips(t) {
		list = append(list, ir.ConvertInputs(f, []*ir.Tensor{c}))
	}
	rng := rand.New(rand.NewPCG(1, 2))
	for i := range 8 {
		list = append(list, ir.RandomInputs(f, rng, i))
	}
	return list
}

func eval(t *testing.T, m *ir.Module, in ...*ir.Tensor) []*ir.Tensor {
	t.Helper()
	out, err := ir.Eval(context.Background(), m.Main(), ir.ConvertInputs(m.Main(), in), nil)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// golden compares text with a file, or rewrites the file.
func golden(t *testing.T, file, text string) {
	t.Helper()
	old, err := os.ReadFile(file)
	switch {
	case err == nil && string(old) == text:
	case script.Updating():
		if err := os.MkdirAll(filepath.Dir(file), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
		t.Logf("wrote %s", file)
	case err != nil:
		t.Fatalf("%v; -update writes it", err)
	default:
		t.Fatalf("%s is not what the compiler gives; -update rewrites it\n%s", file, firstDifference(string(old), text))
	}
}
