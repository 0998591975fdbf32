package ir

import (
	"fmt"
	"math"
	"math/rand/v2"
)

// Evaluate and compare: inputs for a function, and how far two results agree.

// FloatBound is how far two floats may differ for Compare, relative to the larger
// of 1 and the first one's magnitude: what an exact pass may change.
const FloatBound = 1e-5

// RandomInputs returns inputs for a function: number 0 is all zeros, 1 all
// large, the rest random. What chooses among data is within IndexLimits.
func RandomInputs(f *Func, rng *rand.Rand, number int) []*Tensor {
	return RandomWithin(f, IndexLimits(f), rng, number)
}

// RandomWithin is RandomInputs with limits of one's own, 0 for none.
func RandomWithin(f *Func, limits []int, rng *rand.Rand, number int) []*Tensor {
	in := make([]*Tensor, len(f.Params))
	for i, p := range f.Params {
		t := NewTensor(p.Value.Type)
		lo, hi := p.Value.Type.DType.Range()
		if p.Value.Type.DType.IsFloat() {
			lo, hi = -2, 2
		}
		if limits[i] > 0 {
			lo, hi = 0, min(hi, int64(limits[i]-1))
		}
		for j := range t.Len() {
			switch number {
			case 0:
				t.SetFloat(j, 0)
			case 1:
				t.SetFloat(j, float64(hi))
			default:
				v := float64(lo) + rng.Float64()*(float64(hi)-float64(lo)+1)
				if !p.Value.Type.DType.IsFloat() {
					v = math.Floor(v)
				}
				t.SetFloat(j, v)
			}
			if p.Value.Type.DType == SBit && t.Int(j) == 0 {
				t.Ints()[j] = 1
			}
		}
		in[i] = t
	}
	return in
}

// ConvertInputs converts inputs to the element types of another function's
// parameters: what a pass made u8 was f32 before.
func ConvertInputs(f *Func, in []*Tensor) []*Tensor {
	out := make([]*Tensor, len(in))
	for i, t := range in {
		out[i] = t.Convert(f.Params[i].Value.Type.DType)
	}
	return out
}

// Compare says how two results differ, "" when they agree: integers and bits
// must be equal, floats within FloatBound, NaN equal to NaN.
func Compare(a, b *Tensor) string {
	if a.Type.DType != b.Type.DType || !SameShape(a.Type.Shape, b.Type.Shape) {
		return fmt.Sprintf("%s against %s", a.Type, b.Type)
	}
	for i := range a.Len() {
		x, y := a.Float(i), b.Float(i)
		same := x == y || x != x && y != y
		if a.Type.DType.IsFloat() && !same {
			same = math.Abs(x-y) <= FloatBound*math.Max(1, math.Abs(x))
		}
		if !same {
			return fmt.Sprintf("element %d is %v against %v", i, x, y)
		}
	}
	return ""
}
