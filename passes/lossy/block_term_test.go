package lossy

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

// syntheticKernel is a product of random factors plus noise of the given size.
func syntheticKernel(o, i, taps, mid, groups int, noise float64, seed uint64) *kernel3 {
	rng := rand.New(rand.NewPCG(seed, 7))
	d := newBlockTerm(&kernel3{O: o, I: i, T: taps}, mid, groups)
	randomRows(d.U, 0, rng)
	randomRows(d.V, 0, rng)
	for _, g := range d.G {
		randomRows(g, 0, rng)
	}
	zero := newKernel3(make([]float64, o*i*taps), o, i, taps)
	r := d.residual(zero)
	w := make([]float64, o*i*taps)
	for a := range o {
		for b := range i {
			for t := range taps {
				w[(a*i+b)*taps+t] = -r.At(a, t*i+b) + noise*rng.NormFloat64()
			}
		}
	}
	return newKernel3(w, o, i, taps)
}

func randomKernel(o, i, taps int, seed uint64) *kernel3 {
	rng := rand.New(rand.NewPCG(seed, 8))
	w := make([]float64, o*i*taps)
	for j := range w {
		w[j] = rng.NormFloat64()
	}
	return newKernel3(w, o, i, taps)
}

// TestFactorizeRecovers: a kernel that is pointwise, grouped, pointwise is found
// again, also where one side has fewer channels than the middle.
func TestFactorizeRecovers(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ o, i, taps, mid, groups int }{
		{16, 16, 27, 16, 4}, {24, 16, 27, 16, 2}, {32, 32, 27, 16, 4}, {32, 32, 27, 32, 8}, {16, 20, 27, 12, 12}, {16, 16, 27, 8, 1},
		{20, 12, 9, 12, 4}, {12, 12, 3, 12, 4}, {64, 64, 27, 64, 8}, {16, 3, 27, 3, 1}, {15, 15, 27, 15, 5}, {15, 15, 27, 15, 3},
	} {
		for seed := range uint64(3) {
			if c.o == 64 && (seed > 0 || testing.Short()) {
				continue
			}
			k := syntheticKernel(c.o, c.i, c.taps, c.mid, c.groups, 0, seed)
			if e := factorize(t.Context(), k, c.mid, c.groups, 1).relativeError(k); e > 1e-5 {
				t.Errorf("%+v, seed %d: relative error %.3g, expected at most 1e-5", c, seed, e)
			}
		}
	}
}

// TestErrorFallsWithRank: each rank starts from the last, and a full rank with
// one group is exact.
func TestErrorFallsWithRank(t *testing.T) {
	t.Parallel()
	for _, groups := range []int{1, 2, 4} {
		k := randomKernel(12, 12, 27, 3)
		d := factorize(t.Context(), k, 4, groups, 1)
		last := d.relativeError(k)
		for mid := 8; mid <= 12; mid += 4 {
			d = d.grow(t.Context(), k, mid, 1)
			e := d.relativeError(k)
			if e >= last {
				t.Errorf("groups %d: error %.6f at mid %d, %.6f before", groups, e, mid, last)
			}
			last = e
		}
		if groups == 1 && last > 1e-6 {
			t.Errorf("full rank leaves an error of %.3g", last)
		}
	}
}

// TestALSIsMonotone: without a ridge no round raises the error.
func TestALSIsMonotone(t *testing.T) {
	t.Parallel()
	k := randomKernel(10, 8, 27, 5)
	for _, groups := range []int{1, 2, 4, 8} {
		d := newBlockTerm(k, 8, groups)
		rng := rand.New(rand.NewPCG(1, 1))
		randomRows(d.U, 0, rng)
		randomRows(d.V, 0, rng)
		errs := d.als(t.Context(), k, 40, 0, 1e-9)
		for i := 1; i < len(errs); i++ {
			if errs[i] > errs[i-1] {
				t.Errorf("groups %d, round %d: %v after %v", groups, i, errs[i], errs[i-1])
			}
		}
		if errs[len(errs)-1] >= 0.999 {
			t.Errorf("groups %d: the error stays %v", groups, errs[len(errs)-1])
		}
	}
}

// TestGroupsBeatTucker: for a random kernel, some number of groups leaves less
// error than one group does with at least as many parameters.
func TestGroupsBeatTucker(t *testing.T) {
	t.Parallel()
	const n, taps = 16, 27
	k := randomKernel(n, n, taps, 9)
	wins := 0
	for _, mid := range []int{6, 9, 11} {
		budget := blockTermParams(n, n, taps, mid, 1)
		tucker := factorize(t.Context(), k, mid, 1, 1).relativeError(k)
		for _, groups := range []int{2, 4, 8} {
			m := midWithin(n, n, taps, groups, budget)
			e := factorize(t.Context(), k, m, groups, 1).relativeError(k)
			t.Logf("mid %d, one group: %d parameters, error %.4f; mid %d, %d groups: %d parameters, error %.4f",
				mid, budget, tucker, m, groups, blockTermParams(n, n, taps, m, groups), e)
			if e < tucker {
				wins++
			}
		}
	}
	if wins == 0 {
		t.Error("one group is always better")
	}
}

func BenchmarkFactorize(b *testing.B) {
	for _, c := range []struct{ n, mid, groups int }{{64, 32, 4}, {256, 64, 8}, {256, 128, 8}, {256, 288, 8}, {256, 576, 64}} {
		b.Run(fmt.Sprintf("%dx%dx27/mid=%d,groups=%d", c.n, c.n, c.mid, c.groups), func(b *testing.B) {
			k := randomKernel(c.n, c.n, 27, 1)
			for b.Loop() {
				b.ReportMetric(factorize(b.Context(), k, c.mid, c.groups, 1).relativeError(k), "error")
			}
		})
	}
}

// BenchmarkFactorizeError searches for the channels that reach an error bound,
// for a kernel whose singular values fall as those of trained ones do.
func BenchmarkFactorizeError(b *testing.B) {
	k := syntheticKernel(256, 256, 27, 96, 8, 10, 1)
	g := &factorizer{bound: 0.3}
	for b.Loop() {
		d, left := g.withinError(b.Context(), []*kernel3{k}, 8, midWithin(256, 256, 27, 8, 256*256*27))
		if d == nil {
			b.Fatal(left)
		}
		b.ReportMetric(float64(d[0].Mid), "mid")
		b.ReportMetric(relativeErrorOf(d, []*kernel3{k}), "error")
	}
}

// BenchmarkGroups is the table of errors at equal parameters: a kernel that has
// 8 groups under noise, and one that has none.
func BenchmarkGroups(b *testing.B) {
	const n, budget = 64, 64 * 64 * 27 / 4
	for name, k := range map[string]*kernel3{"grouped": syntheticKernel(n, n, 27, n, 8, 10, 1), "random": randomKernel(n, n, 27, 1)} {
		for groups := 1; groups <= 32; groups *= 2 {
			b.Run(fmt.Sprintf("%s/groups=%d", name, groups), func(b *testing.B) {
				mid := midWithin(n, n, 27, groups, budget)
				for b.Loop() {
					b.ReportMetric(factorize(b.Context(), k, mid, groups, 1).relativeError(k), "error")
				}
				b.ReportMetric(float64(mid), "mid")
				b.ReportMetric(float64(blockTermParams(n, n, 27, mid, groups)), "params")
			})
		}
	}
}
