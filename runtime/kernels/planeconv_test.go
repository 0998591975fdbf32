package kernels

import (
	"math"
	"testing"
)

// floatSums is the equation of PlaneConv, in its order.
func floatSums(s DotShape, x, w []float32) []float32 {
	inC, outC, taps := s.In/s.Groups, s.Out/s.Groups, product3(s.Kernel)
	var y []float32
	for n := range s.Batch {
		for o := range s.Out {
			for p := range product3(s.Result) {
				at := [3]int{p / (s.Result[1] * s.Result[2]), p / s.Result[2] % s.Result[1], p % s.Result[2]}
				var sum float32
				for i := range inC {
					for k := range taps {
						tap := [3]int{k / (s.Kernel[1] * s.Kernel[2]), k / s.Kernel[2] % s.Kernel[1], k % s.Kernel[2]}
						j, inside := n*s.In+o/outC*inC+i, true
						for a := range 3 {
							q := at[a]*s.Stride[a] + tap[a]*s.Dil[a] - s.Pad[a]
							inside = inside && q >= 0 && q < s.Size[a]
							j = j*s.Size[a] + q
						}
						if inside {
							sum += float32(w[(o*inC+i)*taps+k] * x[j])
						}
					}
				}
				y = append(y, sum)
			}
		}
	}
	return y
}

func TestPlaneConv(t *testing.T) { eachISA(t, checkPlaneConv) }

func checkPlaneConv(t *testing.T, set *Set) {
	for i := range cases(250) {
		r := rng(uint64(i))
		s := randomDot(r).s
		if i%4 == 0 { // rows of whole registers
			s.Result[2] = 16 * (1 + r.IntN(3))
			s.Size[2] = max(1, (s.Result[2]-1)*s.Stride[2]+(s.Kernel[2]-1)*s.Dil[2]+1-s.Pad[2])
		}
		x, w := make([]float32, s.Batch*s.In*product3(s.Size)), make([]float32, s.Out*s.In/s.Groups*product3(s.Kernel))
		for _, v := range [][]float32{x, w} {
			for j := range v {
				v[j] = float32(r.NormFloat64())
			}
		}
		want := floatSums(s, x, w)
		c, err := NewPlaneConv(set, s, w)
		if err != nil {
			t.Fatalf("case %d: %v", i, err)
		}
		parts := 1 + i%3
		scratch, _ := aligned(c.Scratch(parts))
		for part := range parts {
			c.Load(part, parts, x, scratch)
		}
		y := make([]float32, len(want))
		for j := range y {
			y[j] = float32(math.NaN())
		}
		var bias []float32
		if i%2 == 1 {
			bias = make([]float32, s.Out)
			for o := range bias {
				bias[o] = float32(r.NormFloat64())
			}
			for j := range want {
				want[j] += bias[j/product3(s.Result)%s.Out]
			}
		}
		for part := range parts {
			lo, hi := share(c.Units(), part, parts)
			for u := lo; u < hi; u++ {
				c.Run(u, part, y, bias, scratch)
			}
		}
		if n := testing.AllocsPerRun(3, func() { c.Run(0, 0, y, bias, scratch) }); n != 0 {
			t.Errorf("case %d: %v allocations a run", i, n)
		}
		for j, v := range y {
			if v != want[j] {
				t.Fatalf("case %d %+v: element %d is %v, want %v", i, s, j, v, want[j])
			}
		}
	}
}
