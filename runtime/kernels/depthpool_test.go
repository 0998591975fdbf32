package kernels

import (
	"math"
	"testing"
)

func TestDepthPool(t *testing.T) { eachISA(t, checkDepthPool) }

// checkDepthPool compares with the equation, on numbers that are also NaN, zeros of both signs and infinite, in bands too.
func checkDepthPool(t *testing.T, set *Set) {
	special := []float32{float32(math.NaN()), 0, float32(math.Copysign(0, -1)), float32(math.Inf(1)), float32(math.Inf(-1))}
	for i := range cases(250) {
		r := rng(uint64(i))
		s := randomDot(r).s
		s.Groups = 1 + r.IntN(20)
		s.In, s.Out = s.Groups, s.Groups
		if i%10 == 0 { // bands
			s.Size[1], s.Size[2] = s.Size[1]+90, s.Size[2]+40
			for a := 1; a < 3; a++ {
				s.Result[a] = (s.Size[a]+s.Pad[a]-(s.Kernel[a]-1)*s.Dil[a]-1)/s.Stride[a] + 1
			}
		}
		op, counts := []Operator{Max, Min, Add}[i%3], []float32(nil)
		if op == Add {
			counts = make([]float32, product3(s.Result))
			for j := range counts {
				counts[j] = float32(1 + r.IntN(30))
			}
		}
		x := make([]float32, s.Batch*s.In*product3(s.Size))
		for j := range x {
			x[j] = float32(r.NormFloat64())
			if i%2 == 0 && r.IntN(4) == 0 {
				x[j] = special[r.IntN(len(special))]
			}
		}
		d, err := NewDepthPool(set, s, op, counts)
		if err != nil {
			t.Fatalf("case %d: %v", i, err)
		}
		parts := 1 + i%3
		scratch, intact := aligned(d.Scratch(parts))
		y := make([]float32, s.Batch*s.Out*product3(s.Result))
		for part := range parts {
			lo, hi := share(d.Units(), part, parts)
			for u := lo; u < hi; u++ {
				d.Run(u, part, y, x, scratch)
			}
		}
		for j, v := range y {
			m, p := j/product3(s.Result), j%product3(s.Result)
			if e := pooled(s, op, counts, x[m*product3(s.Size):], p); math.Float32bits(v) != math.Float32bits(e) && (v == v || e == e) {
				t.Fatalf("case %d %+v: operator %d: element %d is %v, want %v", i, s, op, j, v, e)
			}
		}
		if err := intact(); err != nil {
			t.Fatalf("case %d: %v", i, err)
		}
	}
}

// pooled is position p of the result of a map.
func pooled(s DotShape, op Operator, counts, x []float32, p int) float32 {
	v := map[Operator]float32{Max: float32(math.Inf(-1)), Min: float32(math.Inf(1))}[op]
	o := [3]int{p / (s.Result[1] * s.Result[2]), p / s.Result[2] % s.Result[1], p % s.Result[2]}
	for k := range product3(s.Kernel) {
		tap, at, inside := [3]int{k / (s.Kernel[1] * s.Kernel[2]), k / s.Kernel[2] % s.Kernel[1], k % s.Kernel[2]}, 0, true
		for a := range 3 {
			q := o[a]*s.Stride[a] + tap[a]*s.Dil[a] - s.Pad[a]
			inside = inside && q >= 0 && q < s.Size[a]
			at = at*s.Size[a] + q
		}
		switch {
		case !inside:
		case op == Max:
			v = max(v, x[at])
		case op == Min:
			v = min(v, x[at])
		default:
			v += x[at]
		}
	}
	if op == Add {
		return v / counts[p]
	}
	return v
}
