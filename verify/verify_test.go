package verify

import (
	"context"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/billnet/billnet/codegen/bytecode"
	"github.com/billnet/billnet/frontend/bill"
	"github.com/billnet/billnet/frontend/onnx"
	"github.com/billnet/billnet/ir"
	"github.com/billnet/billnet/passes"
	"github.com/billnet/billnet/passes/pipeline"
	"github.com/billnet/billnet/passes/report"
	"github.com/billnet/billnet/runtime/billb"
	"github.com/billnet/billnet/tests/golden/script"
)

func tiny(t *testing.T) *ir.Module {
	t.Helper()
	m, _, err := onnx.ImportFile(context.Background(), filepath.Join(script.Models(), "tiny.onnx"), onnx.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// compiled lowers a clone and returns the packed module and its program.
func compiled(t *testing.T, source *ir.Module) (*ir.Module, *Program) {
	t.Helper()
	m := source.Clone()
	res, err := passes.Run(context.Background(), m, pipeline.Default(), passes.RunOptions{})
	if err != nil {
		t.Fatal(err)
	}
	img, _, err := bytecode.Generate(m, report.EncodeCertificates(report.Certificates(m, res.Records)))
	if err != nil {
		t.Fatal(err)
	}
	file, err := img.Encode()
	if err != nil {
		t.Fatal(err)
	}
	p, err := NewProgram("program", file)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return m, p
}

// TestLayersOfProgram: every layer of the runtime has the value that the
// interpreter gives for it, and both see the same ones.
func TestLayersOfProgram(t *testing.T) {
	source := tiny(t)
	m, p := compiled(t, source)
	packed := &Module{M: m}
	inputs, err := RandomInputs(packed, p, 4)
	if err != nil {
		t.Fatal(err)
	}
	for i, in := range inputs {
		l, err := CompareLayers(context.Background(), packed, p, in, 0)
		if err != nil {
			t.Fatal(err)
		}
		if l.Compared < 12 || l.First != nil {
			t.Errorf("input %d: %d layers compared, first difference %+v", i, l.Compared, l.First)
		}
	}
}

// TestWideLayers: layers of many channels, whose thresholds a module keeps in fewer
// bytes, have certificates like all others.
func TestWideLayers(t *testing.T) {
	source, _, err := onnx.ImportFile(context.Background(), filepath.Join("..", "examples", "gestures", "gestures.onnx"), onnx.Options{})
	if err != nil {
		t.Fatal(err)
	}
	_, p := compiled(t, source)
	r, err := CheckCertificate(context.Background(), p, source, pipeline.Default(), passes.RunOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if !r.Sound() || !slices.ContainsFunc(r.Layers, func(l report.LayerCheck) bool { return l.Channels >= 64 }) {
		t.Errorf("%q, %d layers", r.FirstFault(), len(r.Layers))
	}
}

// TestEveryThreshold changes every threshold of a program in turn by one: the
// check of the certificate names that layer and channel.
func TestEveryThreshold(t *testing.T) {
	source := tiny(t)
	_, p := compiled(t, source)
	r, err := CheckCertificate(context.Background(), p, source, pipeline.Default(), passes.RunOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if !r.Sound() || len(r.Layers) < 5 || r.Constants == 0 {
		t.Fatalf("the untouched program: %+v", r)
	}
	for k, th := range thresholdsOf(p.Image()) {
		for _, ch := range []int{0, len(th.t) - 1} {
			for _, what := range []string{"threshold", "flip"} {
				bad := tampered(t, p, k, ch, what)
				r, err := CheckCertificate(context.Background(), bad, source, pipeline.Default(), passes.RunOptions{})
				if err != nil {
					t.Fatal(err)
				}
				// Layers may share a constant: a change may be a fault of others too.
				if !slices.ContainsFunc(r.Layers, func(l report.LayerCheck) bool {
					return l.Layer == th.layer && slices.ContainsFunc(l.Faults, func(f report.ChannelFault) bool { return f.Channel == ch })
				}) {
					t.Errorf("layer %s, %s of channel %d is changed; found: %q", th.layer, what, ch, r.FirstFault())
				}
			}
		}
	}
}

// tampered changes one threshold or flip of the k-th instruction that has any.
func tampered(t *testing.T, p *Program, k, ch int, what string) *Program {
	t.Helper()
	img := *p.Image()
	img.Consts = slices.Clone(img.Consts)
	for _, in := range img.Code {
		id := in.Constant("t")
		if id < 0 {
			continue
		}
		if k--; k >= 0 {
			continue
		}
		bit, i := byte(1), 4*ch
		if what == "flip" {
			id, bit, i = in.Constant("flip"), 1<<(ch%8), ch/8
		}
		c := &img.Consts[id]
		c.Data = slices.Clone(c.Data)
		c.Data[i] ^= bit
		break
	}
	file, err := img.Encode()
	if err != nil {
		t.Fatal(err)
	}
	bad, err := NewProgram("tampered", file)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(bad.Close)
	return bad
}

// TestDifference: integers and bits to the last bit, floats within the bound,
// NaN equal to NaN, infinities to themselves.
func TestDifference(t *testing.T) {
	f := func(v ...float32) *ir.Tensor { return ir.FloatTensor(v, len(v)) }
	n := func(d ir.DType, v ...int64) *ir.Tensor { return ir.IntTensor(d, v, len(v)) }
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	for _, c := range []struct {
		name string
		a, b *ir.Tensor
		at   int // -1: equal
	}{
		{"equal", f(1, 2, 3), f(1, 2, 3), -1},
		{"within", f(1, 1000), f(1.000005, 1000.005), -1},
		{"beyond", f(1, 1000), f(1, 1000.5), 1},
		{"nan", f(nan, 1), f(nan, 1), -1},
		{"nan and number", f(1, nan), f(1, 0), 1},
		{"infinite", f(inf), f(inf), -1},
		{"infinite and finite", f(inf), f(1e30), 0},
		{"integers", n(ir.I32, 1<<24+1), n(ir.I32, 1<<24), 0},
		{"widths", n(ir.I8, -3), n(ir.I16, -3), -1},
		{"bit and sbit", n(ir.Bit, 0, 1), n(ir.SBit, -1, 1), -1},
		{"bit and wrong sbit", n(ir.Bit, 0, 1), n(ir.SBit, -1, -1), 1},
		{"integer and float", n(ir.U8, 7), f(7), -1},
	} {
		d, _ := difference(c.a, c.b, 1e-5)
		got := -1
		if d != nil {
			got = d.Element[0]
		}
		if got != c.at {
			t.Errorf("%s: first difference at %d, expected %d", c.name, got, c.at)
		}
	}
	d, largest := difference(f(1, 2, 3, 4), f(1, 2.5, 3, 5), 1e-5)
	if d.Count != 2 || d.Elems != 4 || largest != 1 || d.A != 2 || d.B != 2.5 {
		t.Errorf("difference %+v, largest %g", d, largest)
	}
}

// TestBisect puts a pass that negates a value at every place of the pipeline: it
// is found there.
func TestBisect(t *testing.T) {
	source := tiny(t)
	inputs, err := RandomInputs(&Module{M: source}, &Module{M: source}, 3)
	if err != nil {
		t.Fatal(err)
	}
	wrong := &passes.Pass{Name: "wrong", Run: func(_ *passes.Context, m *ir.Module) error {
		f := m.Main()
		b := &ir.Builder{F: f, Loc: ir.Loc{Name: "wrong"}}
		f.Results[0].Value = b.Op(ir.Neg, nil, f.Results[0].Value)
		return b.Err
	}}
	for _, at := range []int{0, 1, 7, len(pipeline.Default()) - 1} {
		steps := slices.Insert(pipeline.Default(), at, passes.Step{Pass: wrong})
		c, err := Bisect(context.Background(), source, steps, passes.RunOptions{}, inputs, DefaultBound)
		if err != nil {
			t.Fatal(err)
		}
		if c.Step != at+1 || c.Pass != "wrong" || c.Output == nil || c.Output.Name != "logits" {
			t.Errorf("the pass at step %d: found %+v", at+1, c)
		}
	}
	c, err := Bisect(context.Background(), source, pipeline.Default(), passes.RunOptions{}, inputs, DefaultBound)
	if err != nil || c.Step != 0 || c.Steps != len(pipeline.Default())+1 {
		t.Errorf("the pipeline as it is: %+v, %v", c, err)
	}
}

// TestPortsThatDoNotFit: evaluators of unlike interfaces are refused by name.
func TestPortsThatDoNotFit(t *testing.T) {
	a := tiny(t)
	b, _, err := onnx.ImportFile(context.Background(), filepath.Join(script.Models(), "gate.onnx"), onnx.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := RandomInputs(&Module{M: a}, &Module{M: b, Label: "other"}, 1); err == nil || !strings.Contains(err.Error(), "correspond") {
		t.Errorf("error is %v", err)
	}
}

// TestDamagedProgram: what is no program is an error that names the file.
func TestDamagedProgram(t *testing.T) {
	data, err := os.ReadFile(filepath.Join(script.Models(), "tiny.onnx"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := NewProgram("x.billb", data); err == nil || !strings.HasPrefix(err.Error(), "x.billb: ") {
		t.Errorf("error is %v", err)
	}
}

// TestLayersOfReadResults: of an LSTM with one state that is read, that state is
// compared, whichever results the program keeps.
func TestLayersOfReadResults(t *testing.T) {
	source, err := bill.Parse("lstm", []byte(`bill 1
module "lstm" level=source
func @main(%x "x": f32[3,1,2]) {
  %w = const [1, -2, 0.5, 1, -1, 0.25, 2, 1] : f32[1,4,2]
  %r = const [0.5, -0.5, 1, 2] : f32[1,4,1]
  %y, %h, %c = lstm %x, %w, %r {hidden=1} loc("cell")
  return %h "y"
}`), nil)
	if err != nil {
		t.Fatal(err)
	}
	_, p := compiled(t, source)
	inputs, err := RandomInputs(&Module{M: source}, p, 4)
	if err != nil {
		t.Fatal(err)
	}
	for i, in := range inputs {
		l, err := CompareLayers(context.Background(), &Module{M: source}, p, in, DefaultBound)
		if err != nil {
			t.Fatal(err)
		}
		if l.Compared == 0 || l.First != nil {
			t.Errorf("input %d: %d layers compared, first difference %+v", i, l.Compared, l.First)
		}
	}
}

// TestCompareLayersOfSteps: a convolution whose steps go on behind it, to the sum
// with a residual, is not taken for the layer that it begins with.
func TestCompareLayersOfSteps(t *testing.T) {
	source, err := bill.Parse("residual", []byte(`bill 1
module "residual" level=source
func @main(%x "x": f32[1,2,5,5]) {
  %a = const [1, -1, -1, 1] : f32[2,2,1,1]
  %k = const [0.5] : f32[1]
  %s = sign %x : f32[1,2,5,5] loc("sign")
  %c = conv %s, %a : f32[1,2,5,5] loc("conv")
  %d = mul %c, %k : f32[1,2,5,5] loc("conv")
  %y = add %d, %x : f32[1,2,5,5] loc("sum")
  %z = softmax %y {axis=1} : f32[1,2,5,5] loc("last")
  return %z "z"
}`), nil)
	if err != nil {
		t.Fatal(err)
	}
	_, p := compiled(t, source)
	if !slices.ContainsFunc(p.Image().Code, func(in billb.Instr) bool { return in.Op == billb.OpBConvSteps && in.Name == "conv" }) {
		t.Fatal("the convolution has no steps")
	}
	in, err := RandomInputs(&Module{M: source}, p, 1)
	if err != nil {
		t.Fatal(err)
	}
	l, err := CompareLayers(context.Background(), &Module{M: source}, p, in[0], DefaultBound)
	if err != nil {
		t.Fatal(err)
	}
	if l.Compared == 0 || l.First != nil {
		t.Errorf("%d layers compared, first difference %+v", l.Compared, l.First)
	}
}
