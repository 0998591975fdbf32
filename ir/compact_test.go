package ir_test

import (
	"fmt"
	"iter"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/billnet/billnet/ir"
)

// fills are kinds of content that tensors have a compact form for, and their
// near misses.
var fills = map[string]func(r *rand.Rand, i int) float64{
	"zeros":    func(*rand.Rand, int) float64 { return 0 },
	"equal":    func(*rand.Rand, int) float64 { return 77 },
	"signs":    func(r *rand.Rand, _ int) float64 { return float64(2*r.IntN(2) - 1) },
	"bits":     func(r *rand.Rand, _ int) float64 { return float64(r.IntN(2)) },
	"ternary":  func(r *rand.Rand, _ int) float64 { return float64(r.IntN(3) - 1) },
	"bytes":    func(r *rand.Rand, _ int) float64 { return float64(r.IntN(256) - 128) },
	"bytes up": func(r *rand.Rand, _ int) float64 { return float64(r.IntN(256)) },
	"words":    func(r *rand.Rand, _ int) float64 { return float64(r.IntN(1<<16) - 1<<15) },
	"long":     func(r *rand.Rand, _ int) float64 { return float64(r.Int64N(1<<33) - 1<<32) },
	"halves":   func(r *rand.Rand, _ int) float64 { return float64(ir.RoundFloat(ir.F16, float32(r.NormFloat64()))) },
	"bfloats": func(r *rand.Rand, _ int) float64 {
		return float64(ir.RoundFloat(ir.BF16, float32(1e20*r.NormFloat64())))
	},
	"floats":        func(r *rand.Rand, _ int) float64 { return float64(float32(r.NormFloat64())) },
	"zeros' signs":  func(r *rand.Rand, _ int) float64 { return math.Copysign(0, float64(r.IntN(2))-0.5) },
	"one is not":    func(_ *rand.Rand, i int) float64 { return float64(1 - i/199*2) },
	"one is large":  func(_ *rand.Rand, i int) float64 { return float64(i / 199 * 300) },
	"not finite":    func(r *rand.Rand, _ int) float64 { return []float64{math.NaN(), math.Inf(1), -1}[r.IntN(3)] },
	"integers, NaN": func(_ *rand.Rand, i int) float64 { return float64(i%7) / float64(199-i) * float64(199-i) },
}

var compactTypes = []ir.DType{ir.F32, ir.F16, ir.BF16, ir.F64, ir.Bool, ir.U8, ir.I8, ir.U16, ir.I16, ir.U32, ir.I32, ir.U64, ir.I64, ir.Bit, ir.SBit, ir.Tern}

// eachFilled calls f with tensors of every element type and kind of content.
func eachFilled(t *testing.T, f func(t *testing.T, x *ir.Tensor)) {
	for name, fill := range fills {
		for _, d := range compactTypes {
			t.Run(fmt.Sprintf("%s/%s", name, d), func(t *testing.T) {
				r := rand.New(rand.NewPCG(1, uint64(d)))
				x := ir.NewTensor(ir.T(d, 2, 100))
				for i := range x.Len() {
					x.SetFloat(i, fill(r, i))
				}
				if d == ir.SBit {
					for i, v := range x.Ints() {
						x.Ints()[i] = 2*(v&1) - 1
					}
				}
				f(t, x)
			})
		}
	}
}

// TestCompact checks that a tensor and its compact form are the same to all that
// reads them.
func TestCompact(t *testing.T) {
	eachFilled(t, func(t *testing.T, x *ir.Tensor) {
		c := x.Compact()
		if i, same := x.FirstDiff(c); !same {
			t.Fatalf("element %d is %v, compact %v", i, x.Float(i), c.Float(i))
		}
		if !slices.Equal(c.Data(), x.Data()) || c.Len() != x.Len() {
			t.Errorf("%d elements, compact %d; data differ", x.Len(), c.Len())
		}
		if !slices.Equal(c.Ints(), x.Ints()) || !slices.Equal(bitsOf(c.Floats()), bitsOf(x.Floats())) || len(c.Doubles()) != len(x.Doubles()) {
			t.Error("the elements together differ")
		}
		if x.HoldsInts() && !slices.Equal(c.IntRange(90, 130), x.Ints()[90:130]) || x.HoldsFloats() && !slices.Equal(bitsOf(c.FloatRange(90, 130)), bitsOf(x.Floats()[90:130])) {
			t.Error("ranges differ")
		}
		if x.HoldsInts() && !slices.Equal(joined(t, 7, c.IntRuns(7, 200)), x.Ints()[7:]) || x.HoldsFloats() && !slices.Equal(bitsOf(joined(t, 7, c.FloatRuns(7, 200))), bitsOf(x.Floats()[7:])) {
			t.Error("runs differ")
		}
		for _, d := range compactTypes {
			if i, same := x.Convert(d).FirstDiff(c.Convert(d)); !same {
				t.Errorf("as %s element %d is %v, from the compact one %v", d, i, x.Convert(d).Float(i), c.Convert(d).Float(i))
			}
		}
		data := x.Data()
		back, err := ir.TensorFromData(x.Type, data)
		if err != nil {
			t.Fatal(err)
		}
		if i, same := x.FirstDiff(back); !same {
			t.Errorf("element %d is %v, from its data %v", i, x.Float(i), back.Float(i))
		}
	})
}

// joined is the elements of runs that begin with one.
func joined[T any](t *testing.T, from int, runs iter.Seq2[int, []T]) []T {
	var all []T
	for at, run := range runs {
		if at != from+len(all) {
			t.Fatalf("a run begins at %d, expected %d", at, from+len(all))
		}
		all = append(all, run...)
	}
	return all
}

// TestGridScale checks that factors and scale make the elements again, and that
// elements off the grid have none.
func TestGridScale(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	for n := range 200 {
		s := float32(math.Exp(6 * r.NormFloat64()))
		v := make([]float32, 3+n)
		for i := range v {
			v[i] = s * float32(r.IntN(255)-127)
		}
		from, q := n/2, make([]int8, len(v)-n/2)
		x := ir.FloatTensor(v, len(v))
		found, ok := x.GridScale(from, len(v), q)
		if !ok {
			t.Fatalf("no scale is found for multiples of %v: %v", s, v[from:])
		}
		for i, k := range q {
			if float32(k)*found != v[from+i] {
				t.Fatalf("%d times %v is %v, expected %v", k, found, float32(k)*found, v[from+i])
			}
		}
		least := float32(math.Inf(1))
		for _, y := range v[from:] {
			if y != 0 {
				least = min(least, max(y, -y))
			}
		}
		if v[len(v)-1] = least * 200.3; least > 0 && len(q) > 1 && !math.IsInf(float64(least), 0) {
			if s, ok := x.GridScale(from, len(v), nil); ok {
				t.Errorf("scale %v is found for %v", s, v[from:])
			}
		}
	}
}

func bitsOf(v []float32) []uint32 {
	out := make([]uint32, len(v))
	for i, x := range v {
		out[i] = math.Float32bits(x)
	}
	return out
}

// TestCompactBytes checks what compact tensors take.
func TestCompactBytes(t *testing.T) {
	const n = 1 << 16
	random := func(d ir.DType, fill string) *ir.Tensor {
		r, x := rand.New(rand.NewPCG(1, 2)), ir.NewTensor(ir.T(d, n))
		for i := range n {
			x.SetFloat(i, fills[fill](r, i))
		}
		return x
	}
	for _, c := range []struct {
		d    ir.DType
		fill string
		most int // bytes for all elements
	}{
		{ir.I64, "equal", 100}, {ir.F32, "zeros", 100}, {ir.I32, "bits", n / 8}, {ir.F32, "signs", n / 8},
		{ir.I8, "bytes", n}, {ir.U8, "bytes up", n}, {ir.I64, "bytes", n}, {ir.F32, "bytes", n}, {ir.Tern, "ternary", n},
		{ir.I32, "words", 2 * n}, {ir.F32, "halves", 2 * n}, {ir.F32, "bfloats", 2 * n}, {ir.F16, "floats", 2 * n},
	} {
		x := random(c.d, c.fill)
		got := x.Compact().Held()
		if got > c.most+100 {
			t.Errorf("%s, %s: %d elements take %d bytes, expected %d", c.d, c.fill, n, got, c.most)
		}
	}
}

// TestDequantizeCompact checks that constants dequantize to the same numbers as
// tensors that change.
func TestDequantizeCompact(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for _, d := range []ir.DType{ir.I8, ir.U8, ir.I16, ir.I32} {
		for k := range 6 {
			zeroed, shape := k%2 == 1, [][]int{{6, 40}, {40, 6}, {5, 6, 8}}[k/2]
			lo, hi := d.Range()
			x, scale, zero := ir.NewTensor(ir.T(d, shape...)), ir.NewTensor(ir.T(ir.F32, 6)), ir.NewTensor(ir.T(d, 6))
			for i := range x.Ints() {
				x.Ints()[i] = lo + r.Int64N(hi-lo+1)
			}
			for i := range 6 {
				scale.Floats()[i] = float32(r.NormFloat64())
				if zeroed && d != ir.I32 {
					zero.Ints()[i] = int64(r.IntN(100))
				}
			}
			var b ir.Builder
			b.F = &ir.Func{Name: "main"}
			y := b.Op(ir.DequantizeLinear, map[string]any{"axis": slices.Index(shape, 6)}, b.Const(x), b.Const(scale), b.Const(zero))
			if b.Err != nil {
				t.Fatal(b.Err)
			}
			want, err := ir.EvalNode(y.Def, []*ir.Tensor{x, scale, zero})
			if err != nil {
				t.Fatal(err)
			}
			got, err := ir.EvalNode(y.Def, []*ir.Tensor{x.Compact(), scale, zero})
			if err != nil {
				t.Fatal(err)
			}
			if i, same := want[0].FirstDiff(got[0]); !same {
				t.Errorf("%s: element %d is %v, of a constant %v", d, i, want[0].Float(i), got[0].Float(i))
			}
			if most := 2*want[0].Len() + 100; d.Bits() == 8 && got[0].Held() > most {
				t.Errorf("%s: %d bytes for %d elements, expected at most %d", d, got[0].Held(), got[0].Len(), most)
			}
		}
	}
}
