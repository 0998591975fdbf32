package train

import (
	"fmt"
	"math"
	"testing"

	"github.com/billnet/billnet/ir"
)

// TestSurrogates: every surrogate has integral 1 and its stated values.
func TestSurrogates(t *testing.T) {
	for _, s := range []Surrogate{{Triangle, 1}, {Triangle, 0.3}, {Triangle, 3}, {Box, 1}, {Box, 2}, {Logistic, 2}, {Logistic, 1}} {
		const n = 40000
		x, ones, d := make([]float32, n), make([]float32, n), make([]float32, n)
		for i := range x {
			x[i], ones[i] = 40*(float32(i)+0.5)/n-20, 1
		}
		s.derivative(d, ones, x, 1)
		total := 0.0
		for _, v := range d {
			total += float64(v) * 40 / n
		}
		if math.Abs(total-1) > 1e-3 {
			t.Errorf("%v: the integral is %v", s, total)
		}
	}
	for _, c := range []struct {
		s       Surrogate
		x, want float32
	}{{Surrogate{Triangle, 1}, -0.25, 0.75}, {Surrogate{Triangle, 0.3}, 0.1, 0.2 / 0.09}, {Surrogate{Box, 1}, 1, 0.5}, {Surrogate{Box, 1}, 1.01, 0}, {Surrogate{Logistic, 2}, 0, 0.5}} {
		got := []float32{1}
		c.s.derivative(got, []float32{2}, []float32{c.x}, 3)
		if want := 1 + 6*c.want; math.Abs(float64(got[0]-want)) > 1e-5 {
			t.Errorf("%v at %v adds up to %v, expected %v", c.s, c.x, got[0], want)
		}
	}
}

// bits makes {0,1} of x by the idiom of exporters.
func (n *net) bits(x *ir.Value) *ir.Value {
	return n.Op(ir.Cast, attrs{"to": "f32"}, n.Op(ir.Greater, nil, x, n.scalar(0)))
}

// TestStraightThrough: the gradient of a hard step is that of its surrogate, of
// OR and MUX that of the polynomials, on a net small enough to write down.
func TestStraightThrough(t *testing.T) {
	n := newNet(3, 1, 6)
	p, q, s := n.bits(n.Op(ir.Mul, nil, n.x, n.param("p", 1, 6))), n.bits(n.Op(ir.Mul, nil, n.x, n.param("q", 1, 6))), n.bits(n.Op(ir.Mul, nil, n.x, n.param("s", 1, 6)))
	or := n.Op(ir.Max, nil, p, q)
	y := n.Op(ir.Add, nil, n.Op(ir.Mul, nil, s, or), n.Op(ir.Mul, nil, n.Op(ir.Sub, nil, n.scalar(1), s), p))
	tr := n.trainer(t, 2, y)
	g := tr.graph
	g.training = true
	if err := g.forward(); err != nil {
		t.Fatal(err)
	}
	gy := g.gradOf(tr.heads[0].logits)
	for i := range gy {
		gy[i] = float32(i + 1)
	}
	saved := append([]float32{}, gy...)
	for _, v := range g.params {
		clear(v.param.Grad)
		v.grad = v.param.Grad
	}
	g.backward()
	want := map[string][]float64{"p": make([]float64, 6), "q": make([]float64, 6), "s": make([]float64, 6)}
	for u := range 2 {
		for j := range 6 {
			x := float64(g.inputs[0].unit(u)[j]) * float64(tr.Param("x scale").Data[j])
			bit, slope := map[string]float64{}, map[string]float64{}
			for name := range want {
				z := x * float64(tr.Param(name).Data[j])
				bit[name] = choose(z > 0, 1, 0)
				slope[name] = x * max(0, 1-math.Abs(z))
			}
			d := float64(saved[6*u+j])
			a, b, s := bit["p"], bit["q"], bit["s"]
			want["p"][j] += d * (1 - s*b) * slope["p"]
			want["q"][j] += d * s * (1 - a) * slope["q"]
			want["s"][j] += d * (math.Max(a, b) - a) * slope["s"]
		}
	}
	for name, w := range want {
		for j := range w {
			if got := float64(tr.Param(name).Grad[j]); math.Abs(got-w[j]) > 1e-4 {
				t.Errorf("%s[%d]: gradient %v, expected %v", name, j, got, w[j])
			}
		}
	}
}

// TestWeightsStraightThrough: the gradient of a latent weight is that of the
// weight where |w| <= 1.
func TestWeightsStraightThrough(t *testing.T) {
	n := newNet(4, 1, 5)
	latent := n.param("w", 3, 5)
	sign := n.Op(ir.Where, nil, n.Op(ir.GreaterOrEqual, nil, latent, n.scalar(0)), n.scalar(1), n.scalar(-1))
	tr := n.trainer(t, 2, n.Op(ir.Gemm, attrs{"trans_b": true}, n.x, sign))
	w := tr.Param("w")
	if _, err := tr.Gradients(Batch{Floats: append([]float32{}, tr.graph.inputs[0].data...), Labels: []int{0, 2}}, Loss{}); err != nil {
		t.Fatal(err)
	}
	hard := append([]float32{}, w.Grad...)
	inside := 0
	// A soft weight is the latent itself: at the latents' signs it has the gradient
	// that the sign passes on.
	for i, v := range w.Data {
		w.Data[i] = float32(math.Copysign(1, float64(v)))
		if math.Abs(float64(v)) > 1 {
			hard[i] = float32(math.NaN())
		} else {
			inside++
		}
	}
	was := append([]float32{}, tr.heads[0].logits.data...)
	tr.SetSoft(Weight, Soft{On: true})
	if _, err := tr.Gradients(Batch{Floats: append([]float32{}, tr.graph.inputs[0].data...), Labels: []int{0, 2}}, Loss{}); err != nil {
		t.Fatal(err)
	}
	near(t, "logits", tr.heads[0].logits.data, was)
	for i, v := range hard {
		if v == v && math.Abs(float64(v-w.Grad[i])) > 1e-5 {
			t.Errorf("w[%d]: gradient %v, expected %v", i, v, w.Grad[i])
		}
	}
	if inside == 0 || inside == len(hard) {
		t.Errorf("%d of %d latent weights within 1: the test needs both", inside, len(hard))
	}
}

// TestSoftGradients checks the smooth forms of all roles with differences.
func TestSoftGradients(t *testing.T) {
	n := newNet(6, 1, 3, 8)
	sel := n.bits(n.Op(ir.Sub, nil, n.Op(ir.ReduceMean, attrs{"axes": []int{2}}, n.x), n.param("t", 1, 3, 1)))
	act := n.bits(n.x)
	signed := n.Op(ir.Where, nil, n.Op(ir.Greater, nil, n.x, n.scalar(0)), n.scalar(1), n.scalar(-1))
	y := n.Op(ir.Add, nil, n.Op(ir.Mul, nil, sel, act), signed)
	z := n.Op(ir.MatMul, nil, n.Op(ir.Reshape, attrs{"shape": []int{1, 24}}, y), n.Op(ir.Sign, nil, n.param("w", 24, 12)))
	slices := func(k int) *ir.Value {
		return n.Op(ir.Slice, attrs{"starts": []int{4 * k}, "ends": []int{4*k + 4}, "axes": []int{1}}, z)
	}
	c := n.Op(ir.Add, nil, n.Op(ir.Mul, nil, n.bits(slices(0)), n.param("c", 1, 4)), n.Op(ir.Mul, nil, n.bits(slices(1)), n.Op(ir.Sign, nil, slices(2))))
	tr := n.trainer(t, 3, n.Op(ir.Sign, nil, c))
	roles := map[Role]int{}
	for _, s := range tr.Steps() {
		roles[s.Role]++
	}
	want := map[Role]int{Select: 1, Activation: 2, Weight: 1, Gate: 2, Candidate: 1, Cell: 1}
	if fmt.Sprint(roles) != fmt.Sprint(want) {
		t.Errorf("roles %v, expected %v", roles, want)
	}
	for role := range numRoles {
		tr.SetSoft(role, Soft{On: true})
	}
	check(t, tr)
}

func TestSchedule(t *testing.T) {
	s := Schedule{Rate: 1, Final: 0.1, Warmup: 4, Steps: 104}
	for _, c := range []struct {
		decay Decay
		at    int
		want  float64
	}{{Constant, 0, 0.25}, {Constant, 3, 1}, {Constant, 90, 1}, {Linear, 4, 1}, {Linear, 54, 0.55}, {Linear, 104, 0.1}, {Linear, 1000, 0.1}, {Cosine, 54, 0.55}, {Cosine, 29, 0.1 + 0.9*(1+math.Sqrt2/2)/2},
		{Stairs, 53, 1}, {Stairs, 54, 0.5}, {Stairs, 1000, 0.1}} {
		s.Decay, s.Every, s.Factor = c.decay, 50, 0.5
		if got := s.At(c.at); math.Abs(got-c.want) > 1e-12 {
			t.Errorf("%q at %d is %v, expected %v", c.decay, c.at, got, c.want)
		}
	}
	for _, name := range []string{"constant", "linear", "cosine", "step"} {
		if _, err := ParseDecay(name); err != nil {
			t.Error(err)
		}
	}
	if _, err := ParseDecay("steep"); err == nil {
		t.Error("an unknown schedule is taken")
	}
	for r := range numRoles {
		if got, err := ParseRole(r.String()); err != nil || got != r {
			t.Errorf("role %s parses to %s: %v", r, got, err)
		}
	}
}

// TestOptimizers: a few steps against the equations, written down in float64.
func TestOptimizers(t *testing.T) {
	grads := []float64{0.5, -1, 0.25, 2}
	const rate, decay, scale = 0.1, 0.01, 0.5
	reference := map[string]func(n int, g float64, w, m, v *float64){
		"adam": func(n int, g float64, w, m, v *float64) {
			g += decay * *w
			*m, *v = 0.9**m+0.1*g, 0.99**v+0.01*g*g
			*w -= rate * (*m / (1 - math.Pow(0.9, float64(n)))) / (math.Sqrt(*v/(1-math.Pow(0.99, float64(n)))) + 1e-8)
		},
		"adamw": func(n int, g float64, w, m, v *float64) {
			*w -= rate * decay * *w
			*m, *v = 0.9**m+0.1*g, 0.99**v+0.01*g*g
			*w -= rate * (*m / (1 - math.Pow(0.9, float64(n)))) / (math.Sqrt(*v/(1-math.Pow(0.99, float64(n)))) + 1e-8)
		},
		"sgd":      func(n int, g float64, w, m, _ *float64) { g += decay * *w; *m = 0.9**m + g; *w -= rate * *m },
		"nesterov": func(n int, g float64, w, m, _ *float64) { g += decay * *w; *m = 0.9**m + g; *w -= rate * (g + 0.9**m) },
	}
	for name, o := range map[string]Optimizer{"adam": Adam{Beta2: 0.99}, "adamw": Adam{Beta2: 0.99, Decoupled: true}, "sgd": SGD{Momentum: 0.9}, "nesterov": SGD{Momentum: 0.9, Nesterov: true}} {
		p := &Param{Data: []float32{0.7}, Grad: []float32{0}}
		w, m, v := float64(p.Data[0]), 0.0, 0.0
		for i, g := range grads {
			p.Grad[0] = float32(g / scale)
			o.update(p, rate, decay, i+1, scale)
			reference[name](i+1, g, &w, &m, &v)
			if got := float64(p.Data[0]); math.Abs(got-w) > 1e-5 {
				t.Errorf("%s, step %d: %v, expected %v", name, i, got, w)
			}
		}
	}
}
