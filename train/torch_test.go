package train

import (
	"encoding/json"
	"math"
	"os"
	"strings"
	"testing"

	"github.com/billnet/billnet/ir"
)

// record is one network of testdata/torch.json, which bench/train_step.py
// writes: weights, a batch, and the loss and gradients that PyTorch computed.
type record struct {
	Shape    []int
	Clips    []float32
	Labels   []int
	Teacher  []float32
	Settings Loss
	Params   map[string]struct {
		Shape []int
		Data  []float32
		Grad  []float32
	}
	After  map[string][]float32 // running statistics after the step
	Loss   float64
	Logits [][]float32
}

// torchNet builds the networks of the record.
type torchNet struct {
	ir.Builder
	rec *record
}

func (b *torchNet) tensor(name string, shape []int, data []float32) *ir.Value {
	b.Loc = ir.Loc{Name: name}
	return b.Const(ir.FloatTensor(data, shape...))
}

func (b *torchNet) param(name string) *ir.Value {
	p := b.rec.Params[name]
	return b.tensor(name, p.Shape, p.Data)
}

func (b *torchNet) scalar(v float64) *ir.Value { return b.Const(ir.Scalar(ir.F32, v)) }

// sign is the idiom of binary weights.
func (b *torchNet) sign(w *ir.Value) *ir.Value {
	return b.Op(ir.Where, nil, b.Op(ir.GreaterOrEqual, nil, w, b.scalar(0)), b.scalar(1), b.scalar(-1))
}

func (b *torchNet) weight(name string) *ir.Value { return b.sign(b.param(name)) }

func (b *torchNet) bit(x *ir.Value) *ir.Value {
	return b.Op(ir.Cast, attrs{"to": "f32"}, b.Op(ir.Greater, nil, x, b.scalar(0)))
}

func (b *torchNet) norm(name string, x *ir.Value) *ir.Value {
	return b.Op(ir.BatchNorm, nil, x, b.param(name+".weight"), b.param(name+".bias"), b.param(name+".running_mean"), b.param(name+".running_var"))
}

func (b *torchNet) mean34(x *ir.Value) *ir.Value {
	return b.Op(ir.ReduceMean, attrs{"axes": []int{3, 4}, "keepdims": false}, x)
}

func (b *torchNet) linear(name string, x *ir.Value) *ir.Value {
	return b.Op(ir.Gemm, attrs{"trans_b": true}, x, b.param(name+".weight"), b.param(name+".bias"))
}

func (b *torchNet) binary(x *ir.Value) []ir.Port {
	x = b.Op(ir.Conv, attrs{"stride": []int{1, 2, 2}, "pad": []int{1, 1, 1, 1, 1, 1}}, x, b.weight("stem"))
	x = b.bit(b.norm("bs", x))
	f := b.Op(ir.Conv, nil, x, b.weight("mor.f.a"))
	f = b.Op(ir.Conv, attrs{"groups": 2, "pad": []int{1, 1, 1, 1, 1, 1}}, f, b.weight("mor.f.b"))
	f = b.bit(b.norm("mor.f.bn", b.Op(ir.Conv, nil, f, b.weight("mor.f.c"))))
	s := b.bit(b.Op(ir.Sub, nil, b.Op(ir.ReduceMean, attrs{"axes": []int{2, 3, 4}}, x), b.param("mor.t")))
	x = b.Op(ir.Add, nil, b.Op(ir.Mul, nil, s, b.Op(ir.Max, nil, f, x)), b.Op(ir.Mul, nil, b.Op(ir.Sub, nil, b.scalar(1), s), f))
	x = b.mean34(b.Op(ir.MaxPool, attrs{"kernel": []int{1, 2, 2}, "stride": []int{1, 2, 2}}, x))
	seq := b.Op(ir.Transpose, attrs{"perm": []int{0, 2, 1}}, b.bit(b.norm("bg", x)))
	wi, wh := b.param("cell.wi"), b.param("cell.wh")
	norm := map[string]*ir.Value{}
	for _, s := range []string{"weight", "bias", "running_mean", "running_var"} {
		norm[s] = b.param("cell.bn." + s)
	}
	hidden := wh.Type.Shape[1]
	h := b.Const(ir.NewTensor(ir.T(ir.F32, 1, hidden)))
	c := h
	for t := range seq.Type.Shape[1] {
		xt := b.Op(ir.Gather, attrs{"axis": 1}, seq, b.Const(ir.IntTensor(ir.I64, []int64{int64(t)})))
		z := b.Op(ir.Add, nil, b.Op(ir.MatMul, nil, xt, b.Op(ir.Transpose, nil, b.sign(wi))), b.Op(ir.MatMul, nil, h, b.Op(ir.Transpose, nil, b.sign(wh))))
		z = b.Op(ir.BatchNorm, nil, z, norm["weight"], norm["bias"], norm["running_mean"], norm["running_var"])
		var gate [4]*ir.Value // i f o g
		for k := range gate {
			gate[k] = b.Op(ir.Slice, attrs{"starts": []int{k * hidden}, "ends": []int{(k + 1) * hidden}, "axes": []int{1}}, z)
		}
		g := b.Op(ir.Where, nil, b.Op(ir.Greater, nil, gate[3], b.scalar(0)), b.scalar(1), b.scalar(-1))
		c = b.Op(ir.Add, nil, b.Op(ir.Mul, nil, b.bit(gate[1]), c), b.Op(ir.Mul, nil, b.bit(gate[0]), g))
		h = b.Op(ir.Mul, nil, b.bit(gate[2]), b.Op(ir.Sign, nil, c))
	}
	aux := b.linear("aux", b.Op(ir.ReduceMean, attrs{"axes": []int{2}, "keepdims": false}, x))
	return []ir.Port{{Name: "logits", Value: b.linear("fc", h)}, {Name: "aux.mean", Value: aux}}
}

// gateRows reorders PyTorch's rows i f g o into those of ONNX, i o f g.
func gateRows(x []float32) []float32 {
	n := len(x) / 4
	return append(append(append(append([]float32{}, x[:n]...), x[3*n:]...), x[n:2*n]...), x[2*n:3*n]...)
}

// lstmParam joins PyTorch's parameters of both directions, prefix by prefix.
func (b *torchNet) lstmParam(name string, grad bool) []float32 {
	var all []float32
	for _, suffix := range []string{"", "_reverse"} {
		prefixes := []string{"lstm.weight_" + name + "_l0"}
		if name == "bias" {
			prefixes = []string{"lstm.bias_ih_l0", "lstm.bias_hh_l0"}
		}
		for _, prefix := range prefixes {
			p := b.rec.Params[prefix+suffix]
			if grad {
				p.Data = p.Grad
			}
			all = append(all, gateRows(p.Data)...)
		}
	}
	return all
}

func (b *torchNet) float(x *ir.Value) []ir.Port {
	x = b.Op(ir.Conv, attrs{"stride": []int{1, 2, 2}, "pad": []int{1, 1, 1, 1, 1, 1}}, x, b.param("a.weight"), b.param("a.bias"))
	x = b.Op(ir.Relu, nil, b.norm("bn", x))
	x = b.Op(ir.Conv, attrs{"groups": 2, "pad": []int{1, 1, 0, 1, 1, 0}, "dilation": []int{1, 1, 2}}, x, b.param("b.weight"), b.param("b.bias"))
	x = b.Op(ir.Tanh, nil, b.Op(ir.MaxPool, attrs{"kernel": []int{1, 2, 2}, "stride": []int{1, 2, 2}, "ceil": true}, x))
	seq := b.Op(ir.Transpose, attrs{"perm": []int{2, 0, 1}}, b.mean34(x))
	w, r, bias := b.tensor("lstm.w", []int{2, 16, 6}, b.lstmParam("ih", false)), b.tensor("lstm.r", []int{2, 16, 4}, b.lstmParam("hh", false)), b.tensor("lstm.b", []int{2, 32}, b.lstmParam("bias", false))
	y := b.Op(ir.LSTM, attrs{"hidden": 4, "direction": "bidirectional"}, seq, w, r, bias)
	last := b.Op(ir.Gather, attrs{"axis": 0}, y, b.Const(ir.IntTensor(ir.I64, []int64{int64(seq.Type.Shape[0] - 1)})))
	last = b.Op(ir.Reshape, attrs{"shape": []int{1, 8}}, b.Op(ir.Transpose, attrs{"perm": []int{1, 0, 2}}, last))
	return []ir.Port{{Name: "logits", Value: b.linear("fc", last)}}
}

// TestTorch repeats a training step that PyTorch computed, from the same weights
// on the same batch: logits, loss, gradients and running statistics.
func TestTorch(t *testing.T) {
	data, err := os.ReadFile("testdata/torch.json")
	if err != nil {
		t.Fatal(err)
	}
	var records map[string]*record
	if err := json.Unmarshal(data, &records); err != nil {
		t.Fatal(err)
	}
	for name, build := range map[string]func(*torchNet, *ir.Value) []ir.Port{"binary": (*torchNet).binary, "float": (*torchNet).float} {
		t.Run(name, func(t *testing.T) {
			rec := records[name]
			b := &torchNet{rec: rec}
			clip := &ir.Value{Type: ir.T(ir.U8, append([]int{1}, rec.Shape[1:]...)...)}
			b.F = &ir.Func{Name: "main", Params: []ir.Port{{Name: "clip", Value: clip}}}
			x := b.Op(ir.Div, nil, b.Op(ir.Cast, attrs{"to": "f32"}, clip), b.scalar(255))
			b.F.Results = build(b, x)
			if b.Err != nil {
				t.Fatal(b.Err)
			}
			tr, err := New(&ir.Module{Level: ir.Source, Funcs: []*ir.Func{b.F}}, Options{Batch: rec.Shape[0], Threads: 2})
			if err != nil {
				t.Fatal(err)
			}
			batch := Batch{Floats: rec.Clips, Labels: rec.Labels, Teacher: rec.Teacher}
			// A step with rate 0: gradients and running statistics.
			res, err := tr.Step(batch, Hyper{Loss: rec.Settings})
			if err != nil {
				t.Fatal(err)
			}
			near(t, "loss", []float32{float32(res.Loss)}, []float32{float32(rec.Loss)})
			for i, h := range tr.heads {
				near(t, h.name, h.logits.data, rec.Logits[i])
			}
			grads := map[string][]float32{}
			for name, p := range rec.Params {
				if p.Grad != nil && !strings.HasPrefix(name, "lstm.") {
					grads[name] = p.Grad
				}
			}
			if name == "float" {
				grads["lstm.w"], grads["lstm.r"], grads["lstm.b"] = b.lstmParam("ih", true), b.lstmParam("hh", true), b.lstmParam("bias", true)
			}
			for name, want := range grads {
				p := tr.Param(name)
				if p == nil {
					t.Errorf("%s is no parameter", name)
					continue
				}
				near(t, "gradient of "+name, p.Grad, want)
			}
			for name, want := range rec.After {
				near(t, name, tr.Param(name).Data, want)
			}
			t.Logf("%d gradients, loss %.6f", len(grads), res.Loss)
		})
	}
}

// near checks that got is within 1e-4 of the largest of want.
func near(t *testing.T, what string, got, want []float32) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("%s: %d numbers, expected %d", what, len(got), len(want))
		return
	}
	size, worst := 0.0, 0.0
	for i, w := range want {
		size = max(size, math.Abs(float64(w)))
		worst = max(worst, math.Abs(float64(w-got[i])))
	}
	if !(worst <= 1e-4*max(size, 1e-3)) {
		t.Errorf("%s: off by %.3g, the largest is %.3g", what, worst, size)
	}
}
