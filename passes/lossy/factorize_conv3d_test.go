package lossy

import (
	"context"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"gonum.org/v1/gonum/mat"

	"github.com/billnet/billnet/ir"
	"github.com/billnet/billnet/passes"
	"github.com/billnet/billnet/passes/analysis"
	"github.com/billnet/billnet/passes/exact"
	"github.com/billnet/billnet/passes/report"
)

// convModule is y = conv(x, w, bias) with weights of a synthetic kernel.
func convModule(t *testing.T, k *kernel3, kernel [3]int, attrs map[string]any) *ir.Module {
	t.Helper()
	w := ir.NewTensor(ir.T(ir.F32, k.O, k.I, kernel[0], kernel[1], kernel[2]))
	for o := range k.O {
		for i := range k.I {
			for tap := range k.T {
				w.Floats()[(o*k.I+i)*k.T+tap] = float32(k.out.At(o, tap*k.I+i))
			}
		}
	}
	bias := ir.NewTensor(ir.T(ir.F32, k.O))
	for o := range bias.Floats() {
		bias.Floats()[o] = float32(o)
	}
	groups, _ := attrs["groups"].(int)
	x := &ir.Value{Type: ir.T(ir.F32, 1, max(groups, 1)*k.I, 5, 6, 7)}
	f := &ir.Func{Name: "main", Params: []ir.Port{{Name: "x", Value: x}}}
	b := &ir.Builder{F: f, Loc: ir.Loc{Name: "enc.0"}}
	f.Results = []ir.Port{{Name: "y", Value: b.Op(ir.Conv, attrs, x, b.Const(w), b.Const(bias))}}
	if b.Err != nil {
		t.Fatal(b.Err)
	}
	return &ir.Module{Name: "conv", Level: ir.Source, Funcs: []*ir.Func{f}}
}

func factorized(r *passes.Result) []*report.Factorization {
	return passes.RecordsOf[report.Factorization](r.Records)
}

// lossyPasses are those that the tests inside the package name.
var lossyPasses = passes.NewRegistry(nil, FactorizeConv3D, exact.FoldConstants, exact.MergeEqual)

func runText(t *testing.T, m *ir.Module, text string) (*passes.Result, error) {
	t.Helper()
	steps, err := lossyPasses.Parse("test", text)
	if err != nil {
		return nil, err
	}
	return passes.Run(context.Background(), m, steps, passes.RunOptions{})
}

// TestFactorizedModule: kernels, strides, paddings and dilations of every form
// give the outputs of the convolution they came from.
func TestFactorizedModule(t *testing.T) {
	t.Parallel()
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
		r := factorized(res)[0]
		if len(factorized(res)) != 1 || r.Layer != "enc.0" || r.Error > 1e-5 || r.Left != "" || r.Params >= r.ParamsBefore || r.MACs <= 0 || len(res.Notes) != 1 {
			t.Errorf("%v: report %+v, notes %q", c, factorized(res), res.Notes)
		}
		if r.Params != blockTermParams(12, 8, k.T, 8, 4) {
			t.Errorf("%v: %d parameters, expected %d", c, r.Params, blockTermParams(12, 8, k.T, 8, 4))
		}
		in := ir.RandomInputs(m.Main(), rand.New(rand.NewPCG(1, 1)), 2)
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
	t.Parallel()
	noisy := syntheticKernel(16, 16, 27, 16, 8, 0.5, 3)
	pad := map[string]any{"pad": []int{1, 1, 1, 1, 1, 1}}
	run := func(text string) (*report.Factorization, *ir.Module) {
		t.Helper()
		m := convModule(t, noisy, [3]int{3, 3, 3}, pad)
		res, err := runText(t, m, text)
		if err != nil {
			t.Fatal(err)
		}
		return factorized(res)[0], m
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
			for i, x := range w.Floats() {
				w.Floats()[i] = 1
				if x < 0 {
					w.Floats()[i] = -1
				}
			}
		},
		"zero":     func(w *ir.Tensor) { clear(w.Floats()) },
		"infinite": func(w *ir.Tensor) { w.Floats()[3] = float32(math.Inf(1)) },
	} {
		m := convModule(t, noisy, [3]int{3, 3, 3}, pad)
		change(m.Main().Nodes[0].Const)
		if res, err := runText(t, m, "factorize-conv3d"); err != nil || factorized(res)[0].Left == "" {
			t.Errorf("%s weights: %+v, %v", name, res, err)
		}
	}
}

// TestFactorizeGroupedLayer: a convolution of several groups is factorized group
// by group, with the same number of channels in each.
func TestFactorizeGroupedLayer(t *testing.T) {
	t.Parallel()
	parts := []*kernel3{syntheticKernel(10, 8, 27, 8, 4, 0, 3), syntheticKernel(10, 8, 27, 8, 4, 0, 4)}
	w := make([]float64, 20*8*27)
	for q, k := range parts {
		for o := range 10 {
			for i := range 8 {
				for tap := range 27 {
					w[((q*10+o)*8+i)*27+tap] = k.out.At(o, tap*8+i)
				}
			}
		}
	}
	m := convModule(t, newKernel3(w, 20, 8, 27), [3]int{3, 3, 3}, map[string]any{"groups": 2, "stride": []int{1, 2, 2}, "pad": []int{1, 1, 1, 1, 1, 1}})
	before := m.Clone()
	res, err := runText(t, m, "factorize-conv3d{mid=8,groups=4}")
	if err != nil {
		t.Fatal(err)
	}
	r := factorized(res)[0]
	if r.LayerGroups != 2 || r.Mid != 8 || r.Groups != 4 || r.Error > 1e-5 || r.Left != "" || r.Params != 2*blockTermParams(10, 8, 27, 8, 4) {
		t.Errorf("%+v", r)
	}
	if e := outputDistance(t, before, m, ir.RandomInputs(m.Main(), rand.New(rand.NewPCG(1, 1)), 2)); e > 1e-5 {
		t.Errorf("outputs differ by %g of their norm", e)
	}
	noisy := convModule(t, newKernel3(addNoise(w, 0.5), 20, 8, 27), [3]int{3, 3, 3}, map[string]any{"groups": 2})
	res, err = runText(t, noisy, "factorize-conv3d{error=0.4,groups=2}")
	if err != nil || factorized(res)[0].Left != "" || factorized(res)[0].Error > 0.4 {
		t.Errorf("error=0.4: %+v, %v", factorized(res), err)
	}
}

func addNoise(w []float64, size float64) []float64 {
	rng := rand.New(rand.NewPCG(2, 3))
	out := make([]float64, len(w))
	for i, x := range w {
		out[i] = x + size*rng.NormFloat64()
	}
	return out
}

// outputDistance is the norm of the difference of the first outputs over the
// norm of a's.
func outputDistance(t *testing.T, a, b *ir.Module, in []*ir.Tensor) float64 {
	t.Helper()
	x, err := ir.Eval(context.Background(), a.Main(), in, nil)
	if err != nil {
		t.Fatal(err)
	}
	y, err := ir.Eval(context.Background(), b.Main(), in, nil)
	if err != nil {
		t.Fatal(err)
	}
	var diff, norm float64
	for i := range x[0].Len() {
		d := y[0].Float(i) - x[0].Float(i)
		diff, norm = diff+d*d, norm+x[0].Float(i)*x[0].Float(i)
	}
	return math.Sqrt(diff / norm)
}

// twoLayers is y = conv(relu(conv(x))), the layers enc.0 and enc.1.
func twoLayers(t *testing.T) *ir.Module {
	t.Helper()
	m := convModule(t, syntheticKernel(16, 16, 27, 12, 4, 0.5, 3), [3]int{3, 3, 3}, map[string]any{"pad": []int{1, 1, 1, 1, 1, 1}})
	second := convModule(t, syntheticKernel(16, 16, 27, 12, 4, 0.5, 5), [3]int{3, 3, 3}, map[string]any{"pad": []int{1, 1, 1, 1, 1, 1}})
	f := m.Main()
	b := &ir.Builder{F: f, Loc: ir.Loc{Name: "enc.1"}}
	y := b.Op(ir.Relu, nil, f.Results[0].Value)
	n := second.Main().Nodes[2]
	y = b.Op(ir.Conv, n.Attrs, y, b.Const(ir.ConstOf(n.Args[1])))
	if b.Err != nil {
		t.Fatal(b.Err)
	}
	f.Results[0].Value = y
	return m
}

// TestLayerByLayer: every layer may have settings of its own; a later run leaves
// the factors of an earlier one alone.
func TestLayerByLayer(t *testing.T) {
	t.Parallel()
	m := twoLayers(t)
	res, err := runText(t, m, "factorize-conv3d{layers=enc.0,mid=12,groups=4}, factorize-conv3d{params=20%,groups=2}")
	if err != nil {
		t.Fatal(err)
	}
	byName := map[string]*report.Factorization{}
	for _, r := range factorized(res) {
		byName[r.Layer] = r
	}
	if r := byName["enc.0"]; r.Mid != 12 || r.Groups != 4 {
		t.Errorf("enc.0: %+v", r)
	}
	if r := byName["enc.1"]; r.Groups != 2 || r.Left != "" || r.Params > r.ParamsBefore/5 {
		t.Errorf("enc.1: %+v", r)
	}
	if r := byName["enc.0.mid"]; !strings.Contains(r.Left, "between two pointwise") || len(byName) != 3 {
		t.Errorf("%+v", factorized(res))
	}
	convs := 0
	for _, n := range m.Main().Nodes {
		if n.Is(ir.Conv) {
			convs++
		}
	}
	if convs != 6 {
		t.Errorf("%d convolutions, expected 6", convs)
	}
}

// correlatedClips are inputs whose channels are mixtures of few sources that
// vary slowly over space.
func correlatedClips(m *ir.Module, count int, seed uint64) [][]*ir.Tensor {
	rng := rand.New(rand.NewPCG(seed, 1))
	mixRng := rand.New(rand.NewPCG(7, 7)) // of the data, not of the draw
	shape := m.Main().Params[0].Value.Type.Shape
	c, inner := shape[1], ir.Type{Shape: shape[2:]}.Elems()
	const sources = 4
	mix := make([]float64, c*sources)
	for i := range mix {
		mix[i] = mixRng.NormFloat64()
	}
	clips := make([][]*ir.Tensor, count)
	for k := range clips {
		x := ir.NewTensor(m.Main().Params[0].Value.Type)
		var s [sources]float64
		for p := range inner {
			for j := range s {
				s[j] = 0.9*s[j] + rng.NormFloat64()
			}
			for i := range c {
				v := 0.1 * rng.NormFloat64()
				for j := range s {
					v += mix[i*sources+j] * s[j]
				}
				x.Floats()[i*inner+p] = float32(v)
			}
		}
		clips[k] = []*ir.Tensor{x}
	}
	return clips
}

// TestWeighedByInputs: with clips the outputs' error is what falls, also on other
// clips of the same kind, and what is reported is what an evaluation gives.
func TestWeighedByInputs(t *testing.T) {
	t.Parallel()
	run := func(text string) (*report.Factorization, float64) {
		m := convModule(t, randomKernel(16, 16, 27, 4), [3]int{3, 3, 3}, map[string]any{"pad": []int{1, 1, 1, 1, 1, 1}})
		clear(m.Main().Nodes[1].Const.Floats()) // no bias, so that the outputs' own error is the reported one
		before, clips := m.Clone(), correlatedClips(m, 3, 1)
		steps, err := lossyPasses.Parse("test", text)
		if err != nil {
			t.Fatal(err)
		}
		res, err := passes.Run(context.Background(), m, steps, passes.RunOptions{Clips: clips})
		if err != nil {
			t.Fatal(err)
		}
		r := factorized(res)[0]
		if r.OutputError == nil || math.Abs(*r.OutputError-res.Moved[0].Error) > 1e-5 {
			t.Fatalf("%s: reported %+v, the outputs moved by %g", text, r, res.Moved[0].Error)
		}
		return r, outputDistance(t, before, m, correlatedClips(m, 1, 2)[0])
	}
	plain, plainOther := run("factorize-conv3d{mid=8,groups=2,weigh=off}")
	weighed, other := run("factorize-conv3d{mid=8,groups=2}")
	t.Logf("kernel %.3f, outputs %.3f, other clip %.3f; weighed: kernel %.3f, estimate %.3f, outputs %.3f, other clip %.3f",
		plain.Error, *plain.OutputError, plainOther, weighed.Error, *weighed.Weighed, *weighed.OutputError, other)
	if plain.Weighed != nil || *weighed.OutputError > 0.7**plain.OutputError || other > 0.7*plainOther || weighed.Error < plain.Error {
		t.Errorf("weighing changes the outputs' error from %.3f to %.3f, on another clip from %.3f to %.3f", *plain.OutputError, *weighed.OutputError, plainOther, other)
	}
	if e := *weighed.Weighed; e > 2**weighed.OutputError || *weighed.OutputError > 2*e {
		t.Errorf("the estimate is %.3f, the outputs' error %.3f", e, *weighed.OutputError)
	}
	bound, _ := run("factorize-conv3d{error=0.3,groups=2}")
	if *bound.Weighed > 0.3001 || bound.Error < 0.3 {
		t.Errorf("error=0.3: %+v, weighed %.4f", bound, *bound.Weighed)
	}
}

// TestMomentsOfPatches compares the sampled moments with patches read through the
// reference convolution: a kernel with one weight gives one element of them.
func TestMomentsOfPatches(t *testing.T) {
	t.Parallel()
	attrs := map[string]any{"groups": 2, "stride": []int{2, 1, 2}, "pad": []int{1, 0, 2, 0, 1, 1}, "dilation": []int{1, 2, 1}}
	m := convModule(t, randomKernel(4, 2, 12, 1), [3]int{2, 2, 3}, attrs)
	n := m.Main().Nodes[2]
	x := ir.RandomInputs(m.Main(), rand.New(rand.NewPCG(1, 1)), 2)[0]
	list := newPatchMoments(n)
	samplePatches(list, n, x, 1<<30, rand.New(rand.NewPCG(1, 1)))
	positions := n.Result().Type.Elems() / 4
	for q := range 2 {
		var rows [2][12][]float32 // x[i,t] over the positions
		for i := range 2 {
			for tap := range 12 {
				w := ir.NewTensor(n.In(1))
				w.Floats()[(2*q*2+i)*12+tap] = 1
				like, err := ir.NewNode(ir.Conv, n.Args[:2], analysis.ConvAttrs(n), n.Loc)
				if err != nil {
					t.Fatal(err)
				}
				y, err := ir.EvalNode(like, []*ir.Tensor{x, w})
				if err != nil {
					t.Fatal(err)
				}
				rows[i][tap] = y[0].Floats()[2*q*positions : (2*q+1)*positions]
			}
		}
		dot := func(a, b []float32) (s float64) {
			for p := range a {
				s += float64(a[p]) * float64(b[p])
			}
			return s
		}
		for i := range 2 {
			for j := range 2 {
				want := 0.0
				for tap := range 12 {
					want += dot(rows[i][tap], rows[j][tap])
				}
				if got := list[q].channels.At(i, j); math.Abs(got-want) > 1e-6*(1+math.Abs(want)) {
					t.Errorf("group %d, channels %d and %d: %g, expected %g", q, i, j, got, want)
				}
			}
		}
		for a := range 12 {
			for b := range 12 {
				want := dot(rows[0][a], rows[0][b]) + dot(rows[1][a], rows[1][b])
				if got := list[q].taps.At(a, b); math.Abs(got-want) > 1e-6*(1+math.Abs(want)) {
					t.Errorf("group %d, taps %d and %d: %g, expected %g", q, a, b, got, want)
				}
			}
		}
	}
}

// TestWhitener: the Frobenius norm of a whitened kernel is the output error that
// the moments predict, and back undoes forth.
func TestWhitener(t *testing.T) {
	t.Parallel()
	k, other := randomKernel(5, 4, 6, 1), randomKernel(4, 6, 4, 2)
	m := &patchMoments{gram(other.out), gram(other.in)}
	w := m.whitener()
	var c, s mat.Dense
	c.Mul(w.a, w.a.T())
	s.Mul(w.b, w.b.T())
	want := 0.0
	for o := range 5 {
		for i := range 4 {
			for j := range 4 {
				for tap := range 6 {
					for u := range 6 {
						want += k.out.At(o, tap*4+i) * k.out.At(o, u*4+j) * c.At(i, j) * s.At(tap, u)
					}
				}
			}
		}
	}
	if got := w.kernel(k).norm2; math.Abs(got-want) > 1e-9*want {
		t.Errorf("norm %g, expected %g", got, want)
	}
	d := newBlockTerm(k, 6, 2)
	rng := rand.New(rand.NewPCG(1, 1))
	for _, f := range append([]*mat.Dense{d.U, d.V}, d.G...) {
		randomRows(f, 0, rng)
	}
	e := d.clone()
	w.forth(e)
	w.back(e)
	if diff := relativeErrorOf([]*blockTerm{e}, []*kernel3{d.kernel(k)}); diff > 1e-9 {
		t.Errorf("back and forth leave %g", diff)
	}
}

// kernel is the kernel that a decomposition stands for, of the shape of like.
func (d *blockTerm) kernel(like *kernel3) *kernel3 {
	r := d.residual(newKernel3(make([]float64, like.O*like.I*like.T), like.O, like.I, like.T))
	w := make([]float64, like.O*like.I*like.T)
	for o := range like.O {
		for i := range like.I {
			for tap := range like.T {
				w[(o*like.I+i)*like.T+tap] = -r.At(o, tap*like.I+i)
			}
		}
	}
	return newKernel3(w, like.O, like.I, like.T)
}

// TestAutoGroups: within a budget auto finds the least error of all numbers of
// groups, within an error the fewest parameters.
func TestAutoGroups(t *testing.T) {
	t.Parallel()
	run := func(text string) *report.Factorization {
		t.Helper()
		m := convModule(t, syntheticKernel(16, 16, 27, 16, 4, 0.2, 3), [3]int{3, 3, 3}, nil)
		res, err := runText(t, m, text)
		if err != nil {
			t.Fatal(err)
		}
		return factorized(res)[0]
	}
	budget, bound := run("factorize-conv3d{groups=auto,params=2300}"), run("factorize-conv3d{groups=auto,error=0.2}")
	for _, groups := range []string{"1", "2", "4", "8", "16"} {
		if r := run("factorize-conv3d{groups=" + groups + ",params=2300}"); r.Left == "" && r.Error < budget.Error {
			t.Errorf("auto takes %d groups with error %.4f, %s groups give %.4f", budget.Groups, budget.Error, groups, r.Error)
		}
		if r := run("factorize-conv3d{groups=" + groups + ",error=0.2}"); r.Left == "" && r.Params < bound.Params {
			t.Errorf("auto takes %d groups with %d parameters, %s groups need %d", bound.Groups, bound.Params, groups, r.Params)
		}
	}
	if budget.Groups != 4 || bound.Error > 0.2 || bound.Left != "" {
		t.Errorf("%+v, %+v", budget, bound)
	}
}
