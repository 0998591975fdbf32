package passes

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/billnet/billnet/ir"
)

// convModule is y = conv(x, w, bias) with weights of a synthetic kernel.
func convModule(t *testing.T, k *kernel3, kernel [3]int, attrs map[string]any) *ir.Module {
	t.Helper()
	w := ir.NewTensor(ir.T(ir.F32, k.O, k.I, kernel[0], kernel[1], kernel[2]))
	for o := range k.O {
		for i := range k.I {
			for tap := range k.T {
				w.F[(o*k.I+i)*k.T+tap] = float32(k.out.At(o, tap*k.I+i))
			}
		}
	}
	bias := ir.NewTensor(ir.T(ir.F32, k.O))
	for o := range bias.F {
		bias.F[o] = float32(o)
	}
	x := &ir.Value{Type: ir.T(ir.F32, 1, k.I, 5, 6, 7)}
	f := &ir.Func{Name: "main", Params: []ir.Port{{Name: "x", Value: x}}}
	b := &ir.Builder{F: f, Loc: ir.Loc{Name: "enc.0"}}
	f.Results = []ir.Port{{Name: "y", Value: b.Op("conv", attrs, x, b.Const(w), b.Const(bias))}}
	if b.Err != nil {
		t.Fatal(b.Err)
	}
	return &ir.Module{Name: "conv", Level: ir.Source, Funcs: []*ir.Func{f}}
}

func runText(t *testing.T, m *ir.Module, text string) (*Result, error) {
	t.Helper()
	steps, err := ParsePipeline("test", text)
	if err != nil {
		return nil, err
	}
	return RunSteps(context.Background(), m, steps, RunOptions{})
}

// TestFactorizedModule: kernels, strides, paddings and dilations of every form
// give the outputs of the convolution they came from.
func TestFactorizedModule(t *testing.T) {
	for _, c := range []struct {
		kernel [3]int
		attrs  map[string]any
	}{
		{[3]int{3, 3, 3}, map[string]any{"pad": []int{1, 1, 1, 1, 1, 1}}},
		{[3]int{3, 3, 3}, map[string]any{"stride": []int{1, 2, 2}, "pad": []int{1, 1, 1, 1, 1, 1}}},
		{[3]int{3, 3, 3}, map[string]any{"stride": []int{2, 1, 3}}},
		{[3]int{3, 3, 3}, map[string]any{"dilation": []int{1, 2, 2}, "pad": []int{2, 2, 0, 0, 1, 2}}},
		{[3]int{1, 3, 3}, map[string]any{"pad": []int{0, 1, 1, 0, 1, 1}}},
		{[3]int{2, 3, 5}, map[string]any{"pad": []int{1, 0, 3, 0, 2, 1}}},
	} {
		k := syntheticKernel(12, 8, c.kernel[0]*c.kernel[1]*c.kernel[2], 8, 4, 0, 2)
		m := convModule(t, k, c.kernel, c.attrs)
		before := m.Clone()
		res, err := runText(t, m, "factorize-conv3d{mid=8,groups=4}")
		if err != nil {
			t.Fatal(err)
		}
		r := res.Factorized[0]
		if len(res.Factorized) != 1 || r.Layer != "enc.0" || r.Error > 1e-5 || r.Left != "" || r.Params >= r.ParamsBefore || r.MACs <= 0 || len(res.Notes) != 1 {
			t.Errorf("%v: report %+v, notes %q", c, res.Factorized, res.Notes)
		}
		if r.Params != blockTermParams(12, 8, k.T, 8, 4) {
			t.Errorf("%v: %d parameters, expected %d", c, r.Params, blockTermParams(12, 8, k.T, 8, 4))
		}
		in := RandomInputs(m.Main(), rand.New(rand.NewPCG(1, 1)), 2)
		want, err := ir.Eval(context.Background(), before.Main(), in, nil)
		if err != nil {
			t.Fatal(err)
		}
		got, err := ir.Eval(context.Background(), m.Main(), in, nil)
		if err != nil {
			t.Fatal(err)
		}
		largest, diff := 0.0, 0.0
		for i := range want[0].Len() {
			largest, diff = max(largest, want[0].Float(i)), max(diff, want[0].Float(i)-got[0].Float(i), got[0].Float(i)-want[0].Float(i))
		}
		if diff > 1e-5*largest || largest == 0 {
			t.Errorf("%v: outputs differ by %g of %g", c, diff, largest)
		}
		if n := len(m.Main().Nodes); n != 7 {
			t.Errorf("%v: %d nodes, expected three convolutions and four constants", c, n)
		}
	}
}

// TestFactorizeOptions: budget, error bound and seed do what they say, and
// layers that cannot or need not get smaller are named.
func TestFactorizeOptions(t *testing.T) {
	noisy := syntheticKernel(16, 16, 27, 16, 8, 0.5, 3)
	pad := map[string]any{"pad": []int{1, 1, 1, 1, 1, 1}}
	run := func(text string) (Factorization, *ir.Module) {
		t.Helper()
		m := convModule(t, noisy, [3]int{3, 3, 3}, pad)
		res, err := runText(t, m, text)
		if err != nil {
			t.Fatal(err)
		}
		return res.Factorized[0], m
	}
	if r, _ := run("factorize-conv3d"); r.Groups != 8 || r.Params > r.ParamsBefore/4 || r.Left != "" {
		t.Errorf("default: %+v", r)
	}
	if r, _ := run("factorize-conv3d{params=900,groups=2}"); r.Groups != 2 || r.Params > 900 || r.Params < 500 {
		t.Errorf("params=900: %+v", r)
	}
	loose, _ := run("factorize-conv3d{error=0.5,groups=4}")
	tight, _ := run("factorize-conv3d{error=20%,groups=4}")
	if loose.Error > 0.5 || tight.Error > 0.2 || loose.Mid >= tight.Mid || loose.Left+tight.Left != "" {
		t.Errorf("error bounds: %+v, %+v", loose, tight)
	}
	for text, want := range map[string]string{
		"factorize-conv3d{error=0.0001}":             "too many parameters",
		"factorize-conv3d{error=0.01,params=10%}":    "too many parameters",
		"factorize-conv3d{mid=4000,groups=1}":        "as many parameters as the kernel",
		"factorize-conv3d{mid=2000000000,groups=1}":  "as many parameters as the kernel",
		"factorize-conv3d{groups=2000000000}":        "groups of one channel need more",
		"factorize-conv3d{params=10, layers=enc*}":   "groups of one channel need more",
		`factorize-conv3d{params=10, layers="en*0"}`: "groups of one channel need more",
	} {
		if r, m := run(text); !strings.Contains(r.Left, want) || len(m.Main().Nodes) != 3 || r.Params != r.ParamsBefore {
			t.Errorf("%s: %+v", text, r)
		}
	}
	_, a := run("factorize-conv3d{seed=5}")
	_, b := run("factorize-conv3d{seed=5}")
	for i, n := range a.Main().Nodes {
		if n.Const != nil && !n.Const.Equal(b.Main().Nodes[i].Const) {
			t.Errorf("the same seed gives other factors in node %d", i)
		}
	}

	for name, change := range map[string]func(w *ir.Tensor){
		"binary": func(w *ir.Tensor) {
			for i, x := range w.F {
				w.F[i] = 1
				if x < 0 {
					w.F[i] = -1
				}
			}
		},
		"zero":     func(w *ir.Tensor) { clear(w.F) },
		"infinite": func(w *ir.Tensor) { w.F[3] = float32(math.Inf(1)) },
	} {
		m := convModule(t, noisy, [3]int{3, 3, 3}, pad)
		change(m.Main().Nodes[0].Const)
		if res, err := runText(t, m, "factorize-conv3d"); err != nil || res.Factorized[0].Left == "" {
			t.Errorf("%s weights: %+v, %v", name, res, err)
		}
	}
	grouped := convModule(t, syntheticKernel(16, 8, 27, 8, 4, 0.1, 3), [3]int{3, 3, 3}, nil)
	n := grouped.Main().Nodes[2]
	x := &ir.Value{Type: ir.T(ir.F32, 1, 16, 5, 6, 7)}
	g, err := ir.NewNode("conv", []*ir.Value{x, n.Args[1], n.Args[2]}, map[string]any{"groups": 2}, n.Loc)
	if err != nil {
		t.Fatal(err)
	}
	grouped.Main().Params[0].Value, grouped.Main().Nodes[2], grouped.Main().Results[0].Value = x, g, g.Result()
	if res, err := runText(t, grouped, "factorize-conv3d"); err != nil || res.Factorized[0].Left != "it has 2 groups already" {
		t.Errorf("two groups: %+v, %v", res, err)
	}
}

// TestPipelineErrors: every mistake is found at its place in the text.
func TestPipelineErrors(t *testing.T) {
	for text, want := range map[string]string{
		"":                                               "test:1:1: found the end of the text",
		"merge-equal,\n  factorise-conv3d":               `test:2:3: unknown pass "factorise-conv3d"; did you mean "factorize-conv3d"`,
		"defaults":                                       `test:1:1: unknown pass "defaults"; did you mean "default"`,
		"factorize-conv3d{group=8}":                      `test:1:18: pass factorize-conv3d has no option "group"; did you mean "groups"`,
		"factorize-conv3d{groups=8,error=2}":             "test:1:33: option error of pass factorize-conv3d is a number between 0 and 1",
		"factorize-conv3d{groups=0}":                     "test:1:25: option groups of pass factorize-conv3d is a whole number from 1",
		"factorize-conv3d{groups=1.5}":                   "test:1:25: option groups",
		"factorize-conv3d{groups=99999999999}":           "test:1:25: option groups",
		"factorize-conv3d{seed=-1}":                      "test:1:23: option seed",
		"factorize-conv3d{params=-5%}":                   "test:1:25: option params",
		"factorize-conv3d{params=NaN%}":                  "test:1:25: option params",
		"factorize-conv3d{error=nan}":                    "test:1:24: option error",
		"factorize-conv3d{mid=[1,2]}":                    "test:1:22: option mid",
		"factorize-conv3d{mid=8,mid=8}":                  "test:1:24: option mid of pass factorize-conv3d is given twice",
		"factorize-conv3d{mid=12,groups=8}":              "test:1:32: pass factorize-conv3d: option groups: 8 groups do not divide mid=12",
		"merge-equal, factorize-conv3d{mid=12}":          "test:1:14: pass factorize-conv3d: option groups: 8 groups do not divide mid=12",
		"factorize-conv3d{mid=8,error=0.1}":              "test:1:30: pass factorize-conv3d: option error",
		"factorize-conv3d{mid=8,params=10%}":             "test:1:31: pass factorize-conv3d: option params",
		"factorize-conv3d{layers=[enc.1,stem]}":          `test:1:25: pass factorize-conv3d: option layers: no Conv3D is called "enc.1"; did you mean "enc.0"`,
		"factorize-conv3d{layers=[]}":                    `test:1:26: found "]"`,
		"factorize-conv3d{":                              "test:1:18: found the end of the text",
		`factorize-conv3d{layers="a`:                     "test:1:25: ",
		"merge-equal merge-equal":                        `test:1:13: found "merge-equal"`,
		"default{mid=8}":                                 `test:1:1: unknown pass "default"`,
		"merge-equal{x=1}":                               `test:1:13: pass merge-equal has no options, found "x"`,
		"fold-constants{},merge-equal\t, \nmerge-equal,": "test:2:13: found the end of the text",
	} {
		_, err := runText(t, convModule(t, randomKernel(8, 8, 27, 1), [3]int{3, 3, 3}, nil), text)
		var at *PipelineError
		if !errors.As(err, &at) || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%q: error is %v, expected %s", text, err, want)
		}
	}
}

// TestStepText: the text of a step reads back as the same step.
func TestStepText(t *testing.T) {
	for _, text := range []string{
		"merge-equal", "factorize-conv3d{groups=8,error=5%}", `factorize-conv3d{layers=[enc.0,/a/b:1,"c d","\"x","a,b"]}`, `factorize-conv3d{layers="[a]",params=25%}`,
	} {
		steps, err := ParsePipeline("test", " "+text+" ")
		if err != nil {
			t.Fatal(err)
		}
		if got := steps[0].String(); got != text {
			t.Errorf("%s reads back as %s", text, got)
		}
	}
	if steps, err := ParsePipeline("test", "fold-constants, default"); err != nil || len(steps) != len(Pipeline)+1 {
		t.Errorf("default: %d steps, %v", len(steps), err)
	}
	for _, s := range Default() {
		if s.Pass.Class == Lossy {
			t.Errorf("the lossy pass %s is in the default pipeline", s.Pass.Name)
		}
	}
}

func FuzzParsePipeline(f *testing.F) {
	f.Add("factorize-conv3d{groups=8,layers=[a,\"b\"]}, merge-equal")
	f.Fuzz(func(t *testing.T, text string) {
		steps, err := ParsePipeline("fuzz", text)
		if err != nil {
			return
		}
		for _, s := range steps {
			again, err := ParsePipeline("fuzz", s.String())
			if err != nil || len(again) != 1 || again[0].String() != s.String() {
				t.Errorf("%q: step %s reads back as %v, %v", text, s, again, err)
			}
		}
	})
}
