package vec

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
)

// elementwise are the elementwise kernels, with scalars s.
var elementwise = map[string]func(y, a, b []float32, s [4]float32){
	"fill":       func(y, a, b []float32, s [4]float32) { Fill(y, s[0]) },
	"shift":      func(y, a, b []float32, s [4]float32) { Shift(y, s[0]) },
	"add":        func(y, a, b []float32, s [4]float32) { Add(y, a) },
	"sub":        func(y, a, b []float32, s [4]float32) { Sub(y, a) },
	"add scaled": func(y, a, b []float32, s [4]float32) { AddScaled(y, a, s[0]) },
	"affine":     func(y, a, b []float32, s [4]float32) { Affine(y, a, s[0], s[1]) },
	"scale":      func(y, a, b []float32, s [4]float32) { Scale(y, a, s[0]) },
	"relu":       func(y, a, b []float32, s [4]float32) { Relu(y, a) },
	"step >":     func(y, a, b []float32, s [4]float32) { Step(y, a, 0, 1, true, false) },
	"step >=":    func(y, a, b []float32, s [4]float32) { Step(y, a, 0, 1, false, false) },
	"step > nan": func(y, a, b []float32, s [4]float32) { Step(y, a, -1, 2, true, true) },
	"step >= nan": func(y, a, b []float32, s [4]float32) {
		Step(y, a, -1, 2, false, true)
	},
	"scale shift":   func(y, a, b []float32, s [4]float32) { ScaleShift(y, a, s[0], s[1], s[2]) },
	"normalize":     func(y, a, b []float32, s [4]float32) { Normalize(y, a, s[0], s[1], s[2], s[3]) },
	"plus":          func(y, a, b []float32, s [4]float32) { Plus(y, a, b) },
	"minus":         func(y, a, b []float32, s [4]float32) { Minus(y, a, b) },
	"times":         func(y, a, b []float32, s [4]float32) { Times(y, a, b) },
	"ratio":         func(y, a, b []float32, s [4]float32) { Ratio(y, a, b) },
	"or":            func(y, a, b []float32, s [4]float32) { Or(y, a, b) },
	"max":           func(y, a, b []float32, s [4]float32) { Max(y, a, b) },
	"min":           func(y, a, b []float32, s [4]float32) { Min(y, a, b) },
	"greater":       func(y, a, b []float32, s [4]float32) { Greater(y, a, b) },
	"greater equal": func(y, a, b []float32, s [4]float32) { GreaterEqual(y, a, b) },
	"add times":     func(y, a, b []float32, s [4]float32) { AddTimes(y, a, b) },
	"add times not": func(y, a, b []float32, s [4]float32) { AddTimesNot(y, a, b) },
	"add where":     func(y, a, b []float32, s [4]float32) { AddWhere(y, a, b) },
	"triangle":      func(y, a, b []float32, s [4]float32) { Triangle(y, a, b, s[0], abs(s[1])) },
	"box":           func(y, a, b []float32, s [4]float32) { Box(y, a, b, s[0], abs(s[1])) },
	"combine":       func(y, a, b []float32, s [4]float32) { Combine(y, a, b, s[0], s[1], s[2]) },
}

var special = []float32{0, float32(math.Copysign(0, -1)), 1, -1, float32(math.Inf(1)), float32(math.Inf(-1)), float32(math.NaN()), 1e-40, 3e38, 0.5}

// numbers returns n numbers, many of them special, within a buffer whose other
// elements are guards.
func numbers(r *rand.Rand, n int) []float32 {
	buf := make([]float32, n+20)
	for i := range buf {
		buf[i] = float32(r.NormFloat64())
		if r.IntN(3) == 0 {
			buf[i] = special[r.IntN(len(special))]
		}
	}
	first := r.IntN(10) // whatever the alignment
	return buf[first : first+n]
}

// same reports whether two numbers have the same bits or are both NaN.
func same(a, b float64) bool {
	return math.Float64bits(a) == math.Float64bits(b) || a != a && b != b
}

// with runs f with an implementation.
func with(k *kernels, f func()) {
	was := active
	active = k
	defer func() { active = was }()
	f()
}

// TestElementwise compares every form with the portable one, bit by bit.
func TestElementwise(t *testing.T) {
	for name, f := range elementwise {
		t.Run(name, func(t *testing.T) {
			for i := 1; i < len(implementations); i++ {
				r := rand.New(rand.NewPCG(1, 2))
				for n := range 100 {
					y, a, b := numbers(r, n), numbers(r, n), numbers(r, n)
					s := [4]float32(numbers(r, 4))
					want, got := append([]float32{}, y...), append([]float32{}, y[:cap(y)]...)
					with(&implementations[0], func() { f(want, a, b, s) })
					with(&implementations[i], func() { f(got[:n], a, b, s) })
					for j, v := range got {
						expected := y[:cap(y)][j] // beyond the elements nothing is written
						if j < n {
							expected = want[j]
						}
						if !same(float64(v), float64(expected)) {
							t.Fatalf("%s: element %d of %d is %v, expected %v", implementations[i].name, j, n, v, expected)
						}
					}
				}
			}
		})
	}
}

// TestEquations checks the portable forms whose equations are not plain code.
func TestEquations(t *testing.T) {
	nan := float32(math.NaN())
	with(&implementations[0], func() {
		y := make([]float32, 4)
		x := []float32{-1, 0, 2, nan}
		for _, c := range []struct {
			strict, nan bool
			want        [4]float32
		}{{true, false, [4]float32{-1, -1, 1, -1}}, {false, false, [4]float32{-1, 1, 1, -1}}, {true, true, [4]float32{-1, -1, 1, 1}}, {false, true, [4]float32{-1, 1, 1, 1}}} {
			if Step(y, x, -1, 2, c.strict, c.nan); [4]float32(y) != c.want {
				t.Errorf("step strict=%v nan=%v: %v, expected %v", c.strict, c.nan, y, c.want)
			}
		}
		clear(y)
		if Triangle(y, []float32{1, 2, 2, 2}, []float32{0, -1, 0.5, 3}, 2, 2); [4]float32(y) != [4]float32{4, 4, 6, 0} {
			t.Errorf("triangle: %v", y)
		}
		clear(y)
		if Box(y, []float32{1, 2, 2, 2}, []float32{0, -2, nan, 3}, 2, 2); [4]float32(y) != [4]float32{2, 4, 0, 0} {
			t.Errorf("box: %v", y)
		}
	})
}

// TestReductions compares every form with the portable one, bit by bit, and that
// with sums in order.
func TestReductions(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for n := range 200 {
		a, b := make([]float32, n), make([]float32, n)
		var s, q, d, size float64
		for i := range a {
			a[i], b[i] = float32(r.NormFloat64()), float32(r.NormFloat64())
			s += float64(a[i])
			q += float64(a[i]) * float64(a[i])
			d += float64(a[i]) * float64(b[i])
			size += math.Abs(float64(a[i]))
		}
		var first [5]float64
		for i := range implementations {
			var got [5]float64
			with(&implementations[i], func() {
				got[0] = float64(Sum(a))
				got[1], got[2] = Moments(a)
				got[3], got[4] = Dots(a, b)
			})
			if i == 0 {
				first = got
			}
			if got != first {
				t.Fatalf("%s: sums of %d are %v, expected %v", implementations[i].name, n, got, first)
			}
		}
		for i, want := range []float64{s, s, q, s, d} {
			limit := 1e-12 * (1 + size)
			if i == 0 {
				limit = 1e-5 * (1 + size)
			}
			if math.Abs(first[i]-want) > limit {
				t.Fatalf("sum %d of %d is %v, expected %v", i, n, first[i], want)
			}
		}
	}
}

func TestEven(t *testing.T) {
	for i := range implementations {
		for n := range 80 {
			y, x := make([]float32, n+1), make([]float32, max(2*n-1, 0))
			for j := range x {
				x[j] = float32(j)
			}
			with(&implementations[i], func() { Even(y[:n], x) })
			for j := range n {
				if y[j] != float32(2*j) {
					t.Fatalf("%s: element %d of %d is %v", implementations[i].name, j, n, y[j])
				}
			}
			if y[n] != 0 {
				t.Fatalf("%s: an element beyond %d was written", implementations[i].name, n)
			}
		}
	}
}

func TestRows(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	for i := range implementations {
		for range 300 {
			n, width := r.IntN(5), r.IntN(33)
			if r.IntN(2) == 0 {
				width &^= 7
			}
			pitch, step := width+r.IntN(12), width+r.IntN(4)
			x, y := make([]float32, n*step), make([]float32, n*pitch+20)
			for j := range x {
				x[j] = float32(1 + j)
			}
			for j := range y {
				y[j] = -1
			}
			with(&implementations[i], func() { Rows(y, pitch, x, step, n, width) })
			for j, v := range y {
				want := float32(-1)
				if n > 0 && width > 0 && j < (n-1)*pitch+width {
					want = 0
					if j%pitch < width {
						want = x[j/pitch*step+j%pitch]
					}
				}
				if v != want {
					t.Fatalf("%s: element %d is %v, expected %v (%d rows of %d, %d apart)", implementations[i].name, j, v, want, n, width, pitch)
				}
			}
		}
	}
}

// TestPairMax compares every form with the portable one.
func TestPairMax(t *testing.T) {
	for i := range implementations {
		r := rand.New(rand.NewPCG(5, 6))
		for n := range 80 {
			x := numbers(r, 2*n)
			y := [2][]float32{numbers(r, n), nil}
			y[1] = append(y[1], y[0]...)
			taken := [2][]int32{make([]int32, n+1), make([]int32, n+1)}
			for k, impl := range []int{0, i} {
				with(&implementations[impl], func() { PairMax(y[k], taken[k], x, 1000) })
			}
			for j := range n {
				if !same(float64(y[0][j]), float64(y[1][j])) || taken[0][j] != taken[1][j] {
					t.Fatalf("%s: element %d of %d is %v from %d, expected %v from %d", implementations[i].name, j, n, y[1][j], taken[1][j], y[0][j], taken[0][j])
				}
			}
			if taken[1][n] != 0 {
				t.Fatalf("%s: an element beyond %d was written", implementations[i].name, n)
			}
		}
	}
}

func TestShortOperand(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("an operand shorter than y was read beyond its end")
		}
	}()
	Add(make([]float32, 64), make([]float32, 63, 64)[:62:62])
}

func BenchmarkKernels(b *testing.B) {
	const n = 1024
	y, x, z := make([]float32, n), make([]float32, n), make([]float32, n)
	for i := range implementations {
		for _, name := range []string{"add", "add times", "triangle", "step >", "combine"} {
			b.Run(fmt.Sprintf("%s/%s", name, implementations[i].name), func(b *testing.B) {
				b.SetBytes(4 * n)
				with(&implementations[i], func() {
					for b.Loop() {
						elementwise[name](y, x, z, [4]float32{1, 1, 1, 1})
					}
				})
			})
		}
	}
}
