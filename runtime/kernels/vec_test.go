package kernels

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// corners are the float32 at which functions change: zeros, the ends of ranges, infinities, NaN.
func corners() []float32 {
	var v []float32
	for _, x := range []float64{0, 1, 2, 3, 6, 0.5, 0.625, 0.927734375, 4, 8.66, 9.02, 16, 44, 87.3, 88.72, 88.73, 89, 103.97, 104, 105, 127, 128, 255, 1e10, 1e38, 0x1p-126, 0x1p-127, 0x1p-149, 0.70710678, 1.41421356, math.Ln2 / 2, math.Inf(1)} {
		f := float32(x)
		v = append(v, f, -f, math.Nextafter32(f, 0), -math.Nextafter32(f, 0), math.Nextafter32(f, 1e38), -math.Nextafter32(f, 1e38))
	}
	return append(v, float32(math.NaN()))
}

// spread are n numbers over all exponents and, as many, around 1.
func spread(r *rand.Rand, n int) []float32 {
	v := corners()
	for range n {
		v = append(v, math.Float32frombits(r.Uint32()), float32(r.NormFloat64()*4))
	}
	return v
}

func sameBits(a, b []float32) error {
	for i := range a {
		if math.Float32bits(a[i]) != math.Float32bits(b[i]) && (a[i] == a[i] || b[i] == b[i]) {
			return fmt.Errorf("element %d is %v, want %v", i, a[i], b[i])
		}
	}
	return nil
}

func TestVec(t *testing.T) { eachISA(t, checkVec) }

// checkVec compares every kernel with plain Go, bit for bit, at all lengths from 0 to 40 and a longer one.
func checkVec(t *testing.T, set *Set) {
	r := rng(5)
	all := spread(r, 4000)
	generic := Select(Generic)
	for n := range 41 {
		first := r.IntN(len(all) - n)
		checkVecOf(t, set, generic, r, all[first:first+n])
	}
	checkVecOf(t, set, generic, r, all)
}

func checkVecOf(t *testing.T, set, generic *Set, r *rand.Rand, x []float32) {
	t.Helper()
	y := slices.Clone(x)
	r.Shuffle(len(y), func(i, j int) { y[i], y[j] = y[j], y[i] })
	ints := make([]int32, len(x))
	raw := make([]byte, len(x))
	params := make([][]float64, 3)
	for i := range ints {
		ints[i] = int32(r.Uint32()) >> r.IntN(32)
		raw[i] = byte(r.Uint32())
		for k := range params {
			params[k] = append(params[k], r.NormFloat64())
		}
	}
	if len(x) == 0 {
		params = [][]float64{{1}, {1}, {1}}
	}
	a, b := float32(-0.75), float32(1.5)
	lanes := make([]float64, 24)
	try := func(name string, f func(s *Set, dst []float32)) {
		t.Helper()
		got, want := make([]float32, len(x)), make([]float32, len(x))
		f(set, got)
		f(generic, want)
		if err := sameBits(got, want); err != nil {
			t.Fatalf("%s of %d: %v", name, len(x), err)
		}
	}
	for f := range functions {
		try(fmt.Sprint("function ", f), func(s *Set, dst []float32) { s.Map(f, dst, x, a, b) })
	}
	for op := range operators {
		try(fmt.Sprint("operator ", op), func(s *Set, dst []float32) { s.Combine(op, dst, x, y) })
	}
	try("hard sigmoid", func(s *Set, dst []float32) { s.HardSigmoid(dst, x, 0.2, 0.5) })
	try("hard swish", func(s *Set, dst []float32) { s.HardSwish(dst, x) })
	try("softmax", func(s *Set, dst []float32) { s.Softmax(dst, x, lanes) })
	finite := make([]float32, len(x))
	for i, v := range x {
		finite[i] = max(-200, min(v, 80))
	}
	try("softmax", func(s *Set, dst []float32) { s.Softmax(dst, finite, lanes) })
	try("largest", func(s *Set, dst []float32) {
		if len(dst) > 0 {
			dst[0] = s.Largest(x)
		}
	})
	try("from ints", func(s *Set, dst []float32) { s.FromInts(dst, ints) })
	try("affine", func(s *Set, dst []float32) { s.Affine(dst, ints, params[0], params[1], params[2], false) })
	try("affine of one", func(s *Set, dst []float32) { s.Affine(dst, ints, params[0], params[1], params[2], true) })
	try("affine without division", func(s *Set, dst []float32) { s.Affine(dst, ints, params[0], []float64{1}, params[2], true) })
	try("normalize", func(s *Set, dst []float32) { s.Normalize(dst, x, 0.3, 1.7, -2.1, 0.9) })
	for _, zero := range []int32{0, 7, -128, 127, 255} {
		try("dequantize", func(s *Set, dst []float32) { s.Dequantize(dst, raw, zero < 0, 0.03, zero) })
		got, want := make([]byte, len(x)), make([]byte, len(x))
		lo, hi := int32(0), int32(255)
		if zero == -128 || zero == 127 {
			lo, hi = -128, 127
		}
		for _, scale := range []float32{0.03, 1, 2, 1e-30} {
			set.Quantize(got, x, scale, zero, lo, hi)
			for i, v := range x { // as QuantizeLinear is written
				q := float64(v / scale)
				if q != q {
					q = 0
				}
				want[i] = byte(int32(max(float64(lo), min(float64(hi), math.RoundToEven(q)+float64(zero)))))
			}
			if !slices.Equal(got, want) {
				t.Fatalf("quantize of %d with %v and %d differs", len(x), scale, zero)
			}
		}
	}
}

// TestTurn transposes matrices of odd sizes and pitches.
func TestTurn(t *testing.T) { eachISA(t, checkTurn) }

func checkTurn(t *testing.T, set *Set) {
	r := rng(8)
	for i := range 60 {
		n, m := 1+r.IntN(40), 1+r.IntN(40)
		to, from := n+r.IntN(5), m+r.IntN(5)
		src, dst := make([]float32, n*from), make([]float32, m*to)
		for k := range src {
			src[k] = math.Float32frombits(r.Uint32())
		}
		set.Turn(dst, src, n, m, to, from)
		for j := range m {
			for k := range to {
				want := uint32(0)
				if k < n {
					want = math.Float32bits(src[k*from+j])
				}
				if got := math.Float32bits(dst[j*to+k]); got != want {
					t.Fatalf("case %d: element %d,%d of %dx%d is %08x, want %08x", i, j, k, m, n, got, want)
				}
			}
		}
	}
}

// ulps is the distance of y from the exact value in units of the last place of its float32.
func ulps(y float32, exact float64) float64 {
	switch want := float32(exact); {
	case y == want || y != y && exact != exact:
		return 0
	case y != y || exact != exact || math.IsInf(float64(y), 0) || math.IsInf(float64(want), 0):
		return math.Inf(1)
	}
	_, e := math.Frexp(exact)
	return math.Abs(float64(y)-exact) / math.Ldexp(1, max(e-24, -149))
}

// exactly are the functions in float64, whose own error does not count here.
var exactly = map[Function]func(x float64) float64{
	Exp: math.Exp, Log: math.Log, Erf: math.Erf, Tanh: math.Tanh, Sqrt: math.Sqrt,
	Sigmoid: func(x float64) float64 {
		if x < 0 {
			return math.Exp(x) / (1 + math.Exp(x))
		}
		return 1 / (1 + math.Exp(-x))
	},
	Elu: func(x float64) float64 {
		if x < 0 {
			return math.Expm1(x)
		}
		return x
	},
	Reciprocal: func(x float64) float64 { return 1 / x },
}

// TestVecError: every 97th float32 of all, and the functions' corners.
func TestVecError(t *testing.T) {
	set := Select(Best())
	step := uint32(97)
	if testing.Short() {
		step = 9973
	}
	var x, y [1 << 12]float32
	for f, exact := range exactly {
		worst, at := 0.0, float32(0)
		check := func(n int) {
			set.Map(f, y[:n], x[:n], 1, 0)
			for i, v := range y[:n] {
				if d := ulps(v, exact(float64(x[i]))); d > worst {
					worst, at = d, x[i]
				}
			}
		}
		check(copy(x[:], corners()))
		bits := uint32(0)
		for done := false; !done; {
			n := 0
			for ; n < len(x) && !done; n++ {
				x[n] = math.Float32frombits(bits)
				done = bits > math.MaxUint32-step
				bits += step
			}
			check(n)
		}
		t.Logf("function %d: %.3f units in the last place, at %v", f, worst, at)
		if worst > 2 {
			t.Errorf("function %d of %v is %.3f units in the last place off, expected at most 2", f, at, worst)
		}
	}
}

// TestSoftmaxLines: rows and columns of softmaxes and their logarithms, in place and not, the same bits in every set and near the exact
// values.
func TestSoftmaxLines(t *testing.T) {
	generic := Select(Generic)
	eachISA(t, func(t *testing.T, set *Set) {
		lanes, room := make([]float64, 24), make([]float32, SoftmaxRoom)
		for i := range 120 {
			r := rng(uint64(i))
			n, d := 1+r.IntN(40), 1+r.IntN(pick(r, 12, 130))
			line, step := d+r.IntN(3), 1
			if i%2 == 1 {
				line, step = 1, n+r.IntN(3)
			}
			x := make([]float32, n*line+d*step)
			for j := range x {
				x[j] = float32(r.NormFloat64() * pick(r, 0.1, 1, 10, 70))
			}
			x[r.IntN(len(x))] = float32(math.Inf(-1))
			got, want := slices.Clone(x), make([]float32, len(x))
			set.SoftmaxLines(got, got, n, d, line, step, lanes, room)
			generic.SoftmaxLines(want, x, n, d, line, step, lanes, room)
			logs := make([]float32, d)
			for l := range n {
				at := func(k int) float32 { return x[l*line+k*step] }
				m, sum := math.Inf(-1), 0.0
				for k := range d {
					m = max(m, float64(at(k)))
				}
				for k := range d {
					sum += math.Exp(float64(at(k)) - m)
				}
				for k := range d {
					j := l*line + k*step
					if err := sameBits(got[j:j+1], want[j:j+1]); err != nil {
						t.Fatalf("case %d: %v of line %d", i, err, l)
					}
					if e := math.Exp(float64(at(k))-m) / sum; !math.IsInf(m, -1) && ulps(got[j], e) > 2 {
						t.Fatalf("case %d: element %d of line %d is %v, want %v", i, k, l, got[j], e)
					}
				}
				if step > 1 {
					continue
				}
				set.LogSoftmax(logs, x[l*line:][:d], lanes, room)
				for k, y := range logs {
					if e := float64(at(k)) - m - math.Log(sum); !math.IsInf(m, -1) && ulps(y, e) > 2 && math.Abs(float64(y)-e) > 0x1p-50 {
						t.Fatalf("case %d: logarithm %d of line %d is %v, want %v", i, k, l, y, e)
					}
				}
			}
		}
	})
}

// TestSoftmaxError: rows of several spreads.
func TestSoftmaxError(t *testing.T) {
	eachISA(t, func(t *testing.T, set *Set) {
		lanes := make([]float64, 24)
		for i := range 200 {
			r := rng(uint64(i))
			x, y := make([]float32, 1+r.IntN(300)), make([]float32, 300)
			for j := range x {
				x[j] = float32(r.NormFloat64() * pick(r, 0.1, 1, 10, 50))
			}
			set.Softmax(y[:len(x)], x, lanes)
			m, sum := float64(slices.Max(x)), 0.0
			for _, v := range x {
				sum += math.Exp(float64(v) - m)
			}
			for j, v := range x {
				if d := ulps(y[j], math.Exp(float64(v)-m)/sum); d > 2 {
					t.Fatalf("case %d: element %d is %v, %.3f units in the last place off", i, j, y[j], d)
				}
			}
		}
	})
}

func BenchmarkVec(b *testing.B) {
	x, y := make([]float32, 1<<18), make([]float32, 1<<18)
	for i := range x {
		x[i] = float32(i%200)/10 - 10
	}
	raw, lanes := make([]byte, len(x)), make([]float64, 24)
	for _, bc := range []struct {
		name string
		f    func(s *Set)
	}{
		{"relu", func(s *Set) { s.Map(Relu, y, x, 0, 0) }},
		{"exp", func(s *Set) { s.Map(Exp, y, x, 0, 0) }},
		{"log", func(s *Set) { s.Map(Log, y, x, 0, 0) }},
		{"sigmoid", func(s *Set) { s.Map(Sigmoid, y, x, 0, 0) }},
		{"tanh", func(s *Set) { s.Map(Tanh, y, x, 0, 0) }},
		{"hard-swish", func(s *Set) { s.HardSwish(y, x) }},
		{"add", func(s *Set) { s.Combine(Add, y, x, y) }},
		{"softmax", func(s *Set) { s.Softmax(y, x, lanes) }},
		{"quantize", func(s *Set) { s.Quantize(raw, x, 0.1, 3, 0, 255) }},
		{"dequantize", func(s *Set) { s.Dequantize(y, raw, false, 0.1, 3) }},
	} {
		b.Run(bc.name, func(b *testing.B) {
			benchSets(b, func(b *testing.B, s *Set) {
				for b.Loop() {
					bc.f(s)
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(x)), "ns/element")
			})
		})
	}
}
