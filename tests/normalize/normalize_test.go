// Package normalize_test compiles networks that take normalized floats into ones
// that take bytes, and compares them with the source that is fed those floats.
package normalize_test

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/billnet/billnet/codegen/bytecode"
	"github.com/billnet/billnet/frontend/bill"
	"github.com/billnet/billnet/frontend/normalize"
	"github.com/billnet/billnet/frontend/onnx"
	"github.com/billnet/billnet/ir"
	"github.com/billnet/billnet/passes"
	"github.com/billnet/billnet/passes/pipeline"
	"github.com/billnet/billnet/passes/report"
	"github.com/billnet/billnet/runtime"
	"github.com/billnet/billnet/runtime/clip"
	"github.com/billnet/billnet/tests/shared"
)

// compiled is the bytecode of a module and its ledger.
func compiled(t *testing.T, m *ir.Module) (*runtime.Session, *report.Ledger) {
	t.Helper()
	res, err := passes.Run(context.Background(), m, pipeline.Default(), passes.RunOptions{})
	if err != nil {
		t.Fatal(err)
	}
	certs := report.Certificates(m, res.Records)
	img, _, err := bytecode.Generate(m, nil)
	if err != nil {
		t.Fatal(err)
	}
	file, err := img.Encode()
	if err != nil {
		t.Fatal(err)
	}
	p, err := runtime.LoadBytes(file)
	if err != nil {
		t.Fatal(err)
	}
	s, err := p.NewSession(runtime.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s, report.NewLedger(m, certs)
}

// text is a network of a stem of 3x3x3 weights, a step and the counts of its
// bits, whose input has its axes in an order.
func text(order string, size map[byte]int, weights string, bias []string) string {
	var shape, perm []string
	for _, a := range []byte(order) {
		shape = append(shape, fmt.Sprint(size[a]))
	}
	for _, a := range []byte("CTHW") {
		perm = append(perm, fmt.Sprint(1+strings.IndexByte(order, a)))
	}
	return fmt.Sprintf(`bill 1
module "stem" level=source
func @main(%%x "x": f32[1, %s]) {
  %%c = transpose %%x {perm=[0, %s]}
  %%w = const %s : f32[8, 3, 3, 3, 3]
  %%s = conv %%c, %%w {pad=[1,1,1,1,1,1]}
  %%t = const [%s] : f32[1, 8, 1, 1, 1]
  %%z = greater_or_equal %%s, %%t
  %%b = cast %%z {to="f32"}
  %%y = reduce_mean %%b {axes=[2,3,4], keepdims=false}
  return %%y "y"
}
`, strings.Join(shape, ", "), strings.Join(perm, ", "), weights, strings.Join(bias, ", "))
}

// signs is a list of 648 numbers -1 or 1.
func signs(r *rand.Rand) string {
	list := make([]string, 648)
	for i := range list {
		list[i] = []string{"-1", "1"}[r.IntN(2)]
	}
	return "[" + strings.Join(list, ", ") + "]"
}

func floats(r *rand.Rand, n int, scale float64) []string {
	list := make([]string, n)
	for i := range list {
		list[i] = fmt.Sprintf("%.7g", scale*r.NormFloat64())
	}
	return list
}

// normalized is what a network that is not baked is fed.
func normalized(pix *ir.Tensor, axis int, n clip.Norm) *ir.Tensor {
	x := ir.NewTensor(pix.Type.With(ir.F32))
	inner := 1
	for _, d := range pix.Type.Shape[axis+1:] {
		inner *= d
	}
	for i := range x.Floats() {
		x.Floats()[i] = n.Byte(uint8(pix.Float(i)), i/inner%pix.Type.Shape[axis])
	}
	return x
}

// The baked network in the interpreter and as bytecode equals the source that is
// fed normalized floats, also where sums meet the thresholds: with a scale and
// means that are whole numbers every sum is exact.
func TestBake(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 7))
	size := map[byte]int{'C': 3, 'T': 3, 'H': 5, 'W': 6}
	imagenet := clip.Norm{Mean: []float32{0.485, 0.456, 0.406}, Std: []float32{0.229, 0.224, 0.225}}
	for _, order := range []string{"CTHW", "TCHW", "THWC", "CTWH"} {
		for _, c := range []struct {
			name  string
			norm  clip.Norm
			exact bool // arithmetic of whole numbers
			fold  bool // into the thresholds of a binary stem
		}{
			{"imagenet", imagenet, false, false},
			{"one std", clip.Norm{Mean: []float32{0.485, 0.456, 0.406}, Std: []float32{0.225}}, false, true},
			{"kinetics", clip.Norm{Mean: []float32{0.45}, Std: []float32{0.225}}, false, true},
			{"scale", clip.Norm{Scale: clip.Scale{Mul: 1, Div: 255}}, false, true},
			{"whole", clip.Norm{Mean: []float32{104, 117, 123}, Scale: clip.Scale{Mul: 1, Div: 1}}, true, true},
			{"halves", clip.Norm{Mean: []float32{10, -3, 7}, Std: []float32{2}, Scale: clip.Scale{Mul: 1, Div: 4}}, true, true},
		} {
			for _, binary := range []bool{true, false} {
				weights, bias := signs(r), floats(r, 8, 3)
				if !binary {
					weights = "[" + strings.Join(floats(r, 648, 0.3), ", ") + "]"
				}
				if c.exact { // thresholds that are sums
					for i := range bias {
						bias[i] = fmt.Sprint(r.IntN(400) - 200)
					}
				}
				src := text(order, size, weights, bias)
				source, err := bill.Parse("stem.bill", []byte(src), nil)
				if err != nil {
					t.Fatal(err)
				}
				baked := source.Clone()
				axis := 1 + strings.IndexByte(order, 'C')
				if err := normalize.Bake(baked, "x", axis, c.norm); err != nil {
					t.Fatal(err)
				}
				if p := baked.Main().Params[0]; p.Name != "x" || p.Value.Type.DType != ir.U8 {
					t.Fatalf("the port is %q %s", p.Name, p.Value.Type)
				}
				low := baked.Clone()
				session, ledger := compiled(t, low)
				folded := true
				for _, e := range ledger.Entries {
					folded = folded && e.Kind != "float"
				}
				if binary && folded != c.fold {
					t.Errorf("%s, %s: folded %v, want %v:\n%+v", order, c.name, folded, c.fold, ledger.Entries)
				}
				for k := range 8 {
					pix := ir.NewTensor(baked.Main().Params[0].Value.Type)
					for i := range pix.Len() {
						pix.SetFloat(i, []float64{0, 255, float64(i % 256), float64(r.IntN(4)), 1}[min(k, 4)])
						if k > 4 {
							pix.SetFloat(i, float64(r.IntN(256)))
						}
					}
					want := eval(t, source, normalized(pix, axis, c.norm))
					if got := eval(t, baked, pix); !slices.Equal(got.Floats(), want.Floats()) {
						t.Errorf("%s, %s, binary %v, clip %d: interpreter %v, want %v", order, c.name, binary, k, got.Floats(), want.Floats())
					}
					got := make([]float32, want.Len())
					if err := session.Run([][]byte{pix.Data()}, [][]byte{runtime.Bytes(got)}); err != nil {
						t.Fatal(err)
					}
					// The source's own float sums decide near a tie; whole numbers leave no doubt.
					if tie := 1.01 / float64(3*5*6); !near(got, want.Floats(), map[bool]float64{true: 0, false: tie}[c.exact]) {
						t.Errorf("%s, %s, binary %v, clip %d: bytecode %v, want %v", order, c.name, binary, k, got, want.Floats())
					}
				}
			}
		}
	}
}

func near(a, b []float32, bound float64) bool {
	for i := range a {
		if !(math.Abs(float64(a[i]-b[i])) <= bound) {
			return false
		}
	}
	return true
}

func eval(t *testing.T, m *ir.Module, in *ir.Tensor) *ir.Tensor {
	t.Helper()
	out, err := ir.Eval(context.Background(), m.Main(), []*ir.Tensor{in}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return out[0]
}

// Networks of PyTorch, with the logits it gives for clips that were normalized.
func TestLikePyTorch(t *testing.T) {
	for name, axis := range map[string]int{"binary_cthw": 1, "binary_tchw": 2, "float_thwc": 4} {
		for kind, n := range map[string]clip.Norm{
			"channels": {Mean: []float32{0.485, 0.456, 0.406}, Std: []float32{0.229, 0.224, 0.225}},
			"one":      {Mean: []float32{0.45}, Std: []float32{0.225}},
		} {
			m, _, err := onnx.ImportFile(context.Background(), "testdata/"+name+".onnx", onnx.Options{})
			if err != nil {
				t.Fatal(err)
			}
			if err := normalize.Bake(m, "clip", axis, n); err != nil {
				t.Fatal(err)
			}
			s, _ := compiled(t, m)
			clips, logits := shared.NPY(t, "testdata/"+name+".clips.npy"), shared.NPY(t, "testdata/"+name+"."+kind+".npy")
			want, err := logits.Float32s()
			if err != nil {
				t.Fatal(err)
			}
			size, classes := len(clips.Data)/clips.Shape[0], logits.Shape[1]
			for i := range clips.Shape[0] {
				got := make([]float32, classes)
				if err := s.Run([][]byte{clips.Data[i*size : (i+1)*size]}, [][]byte{runtime.Bytes(got)}); err != nil {
					t.Fatal(err)
				}
				if w := want[i*classes : (i+1)*classes]; !near(got, w, 1e-5) {
					t.Errorf("%s, %s, clip %d: %v, PyTorch gives %v", name, kind, i, got, w)
				}
			}
		}
	}
}

func TestBakeErrors(t *testing.T) {
	m, err := bill.Parse("stem.bill", []byte("bill 1\nmodule \"m\" level=source\nfunc @main(%x \"x\": f32[1,3,2,4,4], %b \"b\": u8[1,3,2,4,4]) {\n  %y = relu %x\n  return %y \"y\"\n}\n"), nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		input string
		norm  clip.Norm
		want  string
	}{
		{"z", clip.Norm{Std: []float32{1}}, `no input "z"`},
		{"b", clip.Norm{Std: []float32{1}}, "only f32 inputs"},
		{"x", clip.Norm{Mean: []float32{1, 2}}, "2 values of mean for 3 channels"},
		{"x", clip.Norm{Std: []float32{1, 2, 0}}, "std 0 is not positive"},
		{"x", clip.Norm{Mean: []float32{float32(math.NaN())}}, "mean NaN is not a finite number"},
		{"x", clip.Norm{Scale: clip.Scale{Mul: 1}}, "is not a positive number"},
	} {
		if err := normalize.Bake(m, c.input, 1, c.norm); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v: %v, want %q", c.norm, err, c.want)
		}
	}
}
