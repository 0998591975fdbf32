package runtime

import (
	"math"

	"github.com/billnet/billnet/runtime/billb"
	"github.com/billnet/billnet/runtime/kernels"
)

// keepsOrder reports a step of which every channel rises or falls over all numbers, the infinite ones too, and makes no NaN of
// any, for the constants and values that it has read.
func keepsOrder(op billb.StepOp, consts [][]float32, values []float64) bool {
	all := func(i int, ok func(v float64) bool) bool {
		for _, v := range consts[i] {
			if f := float64(v); f != f || math.IsInf(f, 0) || !ok(f) {
				return false
			}
		}
		return true
	}
	finite := func(float64) bool { return true }
	nonzero := func(v float64) bool { return v != 0 }
	positive := func(v float64) bool { return v > 0 }
	switch op {
	case billb.StepPlus, billb.StepMinus:
		return all(0, finite)
	case billb.StepTimes, billb.StepOver:
		return all(0, nonzero)
	case billb.StepPRelu:
		return all(0, positive)
	case billb.StepBatchNorm: // scale, bias, mean, deviation
		return all(0, nonzero) && all(1, finite) && all(2, finite) && all(3, positive)
	case billb.StepAffine: // numerator, denominator, bias
		return all(0, nonzero) && all(1, nonzero) && all(2, finite)
	case billb.StepQuantize:
		return all(0, positive)
	case billb.StepClip:
		return values[0] <= values[1]
	case billb.StepLeakyRelu:
		return values[0] > 0 && float32(values[0]) <= math.MaxFloat32
	case billb.StepRelu, billb.StepToFloat:
		return true
	}
	return false
}

// bounds are those of the bits of every eight channels, for every test. What rises or falls before the signs is part of them,
// found by bisection with the steps themselves; folded reports that. Else they are of what the steps leave.
func (s *steps) bounds() (bounds [][]kernels.Bounds, folded bool) {
	for range s.signs {
		bounds = append(bounds, make([]kernels.Bounds, (s.channels+7)/8))
	}
	folded = len(s.list) > 0 && s.monotone
	for i, test := range s.signs {
		folded = folded && s.fold(bounds[i], test)
	}
	if folded {
		return bounds, true
	}
	for i, test := range s.signs {
		b := kernels.Bounds{}
		for c := range b.Least {
			if test.strict || test.below {
				b.Least[c] = kernels.AboveZero
			}
			if test.below {
				b.Flip[c] = 1 << 31
			}
		}
		for j := range bounds[i] {
			bounds[i][j] = b
		}
	}
	return bounds, len(s.list) == 0
}

// fold sets the bounds on what the steps begin with; it reports false where there are none.
func (s *steps) fold(bounds []kernels.Bounds, test signTest) bool {
	for first := 0; first < s.channels; first += stepChunk {
		n := min(stepChunk, s.channels-first)
		v := make([]float32, n)
		bits := func(x func(c int) float32) []bool {
			for c := range v {
				v[c] = x(c)
			}
			r := &row{n: n, channel: first, along: true, stride: 1}
			for _, f := range s.list {
				f(nil, r, v)
			}
			out := make([]bool, n)
			for c, x := range v {
				out[c] = test.bit(x)
			}
			return out
		}
		same := func(x float64) []bool { return bits(func(int) float32 { return float32(x) }) }
		nan, low, high := same(math.NaN()), same(math.Inf(-1)), same(math.Inf(1))
		// The smallest number, by its place in the order, that has the bit of the largest.
		lo, hi := make([]int, n), make([]int, n)
		for c := range n {
			if nan[c] != test.nan {
				return false
			}
			lo[c], hi[c] = orderOf(float32(math.Inf(-1))), orderOf(float32(math.Inf(1)))
		}
		for range 32 {
			mid := bits(func(c int) float32 { return numberAt(lo[c] + (hi[c]-lo[c])/2) })
			for c, b := range mid {
				if m := lo[c] + (hi[c]-lo[c])/2; b == high[c] {
					hi[c] = m
				} else {
					lo[c] = min(m+1, hi[c])
				}
			}
		}
		for c := range n {
			b, i := &bounds[(first+c)/8], (first+c)%8
			switch {
			case low[c] == high[c] && high[c]:
				b.Least[i] = float32(math.Inf(-1))
			case low[c] == high[c]:
				if test.nan {
					return false
				}
				b.Least[i] = float32(math.NaN()) // nothing is at least that
			case high[c]:
				b.Least[i] = numberAt(hi[c])
			default:
				b.Least[i], b.Flip[i] = -numberAt(hi[c]-1), 1<<31
			}
		}
	}
	return true
}

// orderOf numbers float32 in their order, and numberAt is the one of a number.
func orderOf(x float32) int {
	b := math.Float32bits(x)
	if b>>31 != 0 {
		return -1 - int(b&(1<<31-1))
	}
	return int(b)
}

func numberAt(i int) float32 {
	if i < 0 {
		return math.Float32frombits(uint32(-1-i) | 1<<31)
	}
	return math.Float32frombits(uint32(i))
}
