package gemm

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
)

// forEach runs a test with every implementation that this machine has.
func forEach(t *testing.T, f func(t *testing.T)) {
	was := active
	defer func() { active = was }()
	for _, k := range implementations {
		active = k
		t.Run(k.name, f)
	}
}

func randomFloats(r *rand.Rand, n int) []float32 {
	x := make([]float32, n, n+Slack)
	for i := range x {
		x[i] = float32(r.NormFloat64())
	}
	return x
}

func TestMul(t *testing.T) {
	forEach(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(1, 2))
		for range 60 {
			rows, k, cols := 1+r.IntN(20), r.IntN(30), 1+r.IntN(200)
			x := randomFloats(r, cols+300)
			if r.IntN(2) == 0 {
				x = x[:len(x):len(x)] // no slack: the last tile must not read beyond
			}
			off := make([]int, k)
			for i := range off {
				off[i] = r.IntN(301)
			}
			w := randomFloats(r, rows*k)
			packed := make([]float32, PanelLen(rows, k))
			Pack(packed, w, rows, k, k, 1)
			stride := cols + r.IntN(5)
			y := randomFloats(r, rows*stride)
			before := append([]float32{}, y...)
			Mul(y, stride, packed, rows, x, off, cols)
			for i := range rows {
				for j := range stride {
					if j >= cols {
						if y[i*stride+j] != before[i*stride+j] {
							t.Fatalf("%dx%dx%d: element %d,%d beyond the columns was written", rows, k, cols, i, j)
						}
						continue
					}
					want := 0.0
					for p, o := range off {
						want += float64(w[i*k+p]) * float64(x[o+j])
					}
					if got := float64(y[i*stride+j]); math.Abs(got-want) > 1e-4 {
						t.Fatalf("%dx%dx%d: element %d,%d is %v, expected %v", rows, k, cols, i, j, got, want)
					}
				}
			}
		}
	})
}

// TestMulAt multiplies with octets of columns at places of their own.
func TestMulAt(t *testing.T) {
	forEach(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(9, 10))
		for trial := range 60 {
			rows, k, octets := 1+r.IntN(20), 1+r.IntN(30), 1+r.IntN(20)
			const far, reach = 300, 200
			x := randomFloats(r, far+reach+8)
			x = x[:len(x):len(x)]
			off, at := make([]int, k), make([]int, octets)
			for i := range off {
				off[i] = r.IntN(far + 1)
			}
			for i := range at {
				at[i] = r.IntN(reach + 1)
			}
			w := randomFloats(r, rows*k)
			packed := make([]float32, PanelLen(rows, k))
			Pack(packed, w, rows, k, k, 1)
			stride := 8*octets + r.IntN(5)
			y := randomFloats(r, rows*stride)
			before, add := append([]float32{}, y...), trial%2 == 0
			MulAt(y, stride, packed, rows, x, off, at, add)
			for i := range y {
				row, col := i/stride, i%stride
				want := float64(before[i])
				if col < 8*octets {
					if !add {
						want = 0
					}
					for p, o := range off {
						want += float64(w[row*k+p]) * float64(x[o+at[col/8]+col%8])
					}
				}
				if math.Abs(float64(y[i])-want) > 1e-4 {
					t.Fatalf("%dx%dx%d add=%v: element %d,%d is %v, expected %v", rows, k, octets, add, row, col, y[i], want)
				}
			}
		}
	})
}

func TestDot(t *testing.T) {
	forEach(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(3, 4))
		for range 60 {
			rows, k, n := 1+r.IntN(10), 1+r.IntN(20), 1+r.IntN(200)
			x, y := randomFloats(r, n+300), randomFloats(r, rows*(n+3))
			off := make([]int, k)
			for i := range off {
				off[i] = r.IntN(301)
			}
			dst := randomFloats(r, rows*k)
			before := append([]float32{}, dst...)
			Dot(dst, k, 1, y, n+3, rows, x, off, n)
			for i := range rows {
				for j, o := range off {
					want := float64(before[i*k+j])
					for p := range n {
						want += float64(y[i*(n+3)+p]) * float64(x[o+p])
					}
					if got := float64(dst[i*k+j]); math.Abs(got-want) > 1e-4 {
						t.Fatalf("%dx%d over %d: element %d,%d is %v, expected %v", rows, k, n, i, j, got, want)
					}
				}
			}
		}
	})
}

// TestDotAt takes dot products over octets at places of their own.
func TestDotAt(t *testing.T) {
	forEach(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(11, 12))
		for range 60 {
			rows, k, octets := 1+r.IntN(10), 1+r.IntN(20), 1+r.IntN(20)
			const far, reach = 300, 200
			stride := 8*octets + 3
			x, y := randomFloats(r, far+reach+8), randomFloats(r, rows*stride)
			off, at := make([]int, k), make([]int, octets)
			for i := range off {
				off[i] = r.IntN(far + 1)
			}
			for i := range at {
				at[i] = r.IntN(reach + 1)
			}
			dst := randomFloats(r, rows*k)
			before := append([]float32{}, dst...)
			DotAt(dst, k, 1, y, stride, rows, x, off, at)
			for i := range rows {
				for j, o := range off {
					want := float64(before[i*k+j])
					for p := range 8 * octets {
						want += float64(y[i*stride+p]) * float64(x[o+at[p/8]+p%8])
					}
					if got := float64(dst[i*k+j]); math.Abs(got-want) > 1e-4 {
						t.Fatalf("%dx%d over %d: element %d,%d is %v, expected %v", rows, k, octets, i, j, got, want)
					}
				}
			}
		}
	})
}

// TestSignsExact: with weights -1 and +1 the sum in the order of k has one
// result, whatever the implementation.
func TestSignsExact(t *testing.T) {
	forEach(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(5, 6))
		const rows, k, cols = 8, 81, 96
		w, x := make([]float32, rows*k), randomFloats(r, cols+k)
		off := make([]int, k)
		for i := range off {
			off[i] = i
		}
		for i := range w {
			w[i] = float32(2*r.IntN(2) - 1)
		}
		packed := make([]float32, PanelLen(rows, k))
		Pack(packed, w, rows, k, k, 1)
		y := make([]float32, rows*cols)
		Mul(y, cols, packed, rows, x, off, cols)
		for i := range rows {
			for j := range cols {
				var want float32
				for p := range k {
					want += float32(w[i*k+p] * x[p+j])
				}
				if y[i*cols+j] != want {
					t.Fatalf("element %d,%d is %v, expected %v", i, j, y[i*cols+j], want)
				}
			}
		}
	})
}

func BenchmarkKernels(b *testing.B) {
	was := active
	defer func() { active = was }()
	// One plane of a convolution of 3x3x3 over 8 channels of 16x24x32, padded.
	const k, cols, row, plane, channel = 216, 768, 34, 26 * 34, 18 * 26 * 34
	r := rand.New(rand.NewPCG(7, 8))
	x, w, y := randomFloats(r, 8*channel), randomFloats(r, 8*k), make([]float32, 8*cols)
	packed := make([]float32, PanelLen(8, k))
	Pack(packed, w, 8, k, k, 1)
	off, at := make([]int, k), make([]int, cols/octet)
	for i := range off {
		off[i] = i/27*channel + i/9%3*plane + i/3%3*row + i%3
	}
	for i := range at {
		at[i] = i/4*row + i%4*octet
	}
	for _, a := range implementations {
		active = a
		work := func(b *testing.B) {
			b.ReportMetric(float64(b.N)*2*8*k*cols/b.Elapsed().Seconds()/1e9, "GFLOP/s")
		}
		b.Run(fmt.Sprintf("tile/%s", a.name), func(b *testing.B) {
			for b.Loop() {
				MulAt(y, cols, packed, 8, x, off, at, false)
			}
			work(b)
		})
		b.Run(fmt.Sprintf("dot/%s", a.name), func(b *testing.B) {
			for b.Loop() {
				DotAt(w, k, 1, y, cols, 8, x, off, at)
			}
			work(b)
		})
	}
}
