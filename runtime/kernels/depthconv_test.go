package kernels

import (
	"math"
	"testing"
)

func TestDepthConv(t *testing.T) { eachISA(t, checkDepthConv) }

// checkDepthConv compares with the equation: channels that do and do not fill a register, strides, dilations, bands, padding wider
// than the map, with and without bias.
func checkDepthConv(t *testing.T, set *Set) {
	for i := range cases(250) {
		r := rng(uint64(i))
		s := randomDot(r).s
		s.Groups = 1 + r.IntN(20)
		s.In, s.Out = s.Groups, s.Groups
		if i%10 == 0 { // bands
			s.Size[1] += 90
			s.Result[1] = (s.Size[1]+s.Pad[1]-(s.Kernel[1]-1)*s.Dil[1]-1)/s.Stride[1] + 1
			s.Size[2] += 40
			s.Result[2] = (s.Size[2]+s.Pad[2]-(s.Kernel[2]-1)*s.Dil[2]-1)/s.Stride[2] + 1
		}
		x, w, bias := make([]float32, s.Batch*s.In*product3(s.Size)), make([]float32, s.Out*product3(s.Kernel)), make([]float32, s.Out)
		for _, v := range [][]float32{x, w, bias} {
			for j := range v {
				v[j] = float32(r.NormFloat64())
			}
		}
		want := floatSums(s, x, w)
		if i%2 == 0 {
			bias = nil
		}
		d, err := NewDepthConv(set, s, w)
		if err != nil {
			t.Fatalf("case %d: %v", i, err)
		}
		parts := 1 + i%3
		scratch, intact := aligned(d.Scratch(parts))
		y := make([]float32, len(want))
		for j := range y {
			y[j] = float32(math.NaN())
		}
		for part := range parts {
			lo, hi := share(d.Units(), part, parts)
			for u := lo; u < hi; u++ {
				d.Run(u, part, y, x, bias, scratch)
			}
		}
		for j, v := range y {
			e := want[j]
			if bias != nil {
				e += bias[j/product3(s.Result)%s.Out]
			}
			if v != e {
				t.Fatalf("case %d %+v: element %d is %v, want %v", i, s, j, v, e)
			}
		}
		if err := intact(); err != nil {
			t.Fatalf("case %d: %v", i, err)
		}
	}
}

// Shapes that the plan refuses.
func TestDepthConvErrors(t *testing.T) {
	one := [3]int{1, 1, 1}
	s := DotShape{Batch: 1, Groups: 2, In: 2, Out: 2, Size: one, Result: one, Kernel: one, Stride: one, Dil: one}
	if _, err := NewDepthConv(Select(Generic), s, make([]float32, 3)); err == nil {
		t.Error("three weights for two channels are accepted")
	}
	s.Out = 4
	if _, err := NewDepthConv(Select(Generic), s, make([]float32, 4)); err == nil {
		t.Error("two outputs a group are accepted")
	}
}
