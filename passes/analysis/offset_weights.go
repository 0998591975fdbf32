package analysis

import (
	"math"

	"github.com/billnet/billnet/ir"
)

// OffsetWeights is a float weight tensor [O,...] recognised as
//
//	scale[o]*bits + offset[o]
//
// with bits -1 and +1 or integers of 8 bits: a layer is that of the bits and its
// window's sum. Off is as BinaryWeights has it.
type OffsetWeights struct {
	BinaryWeights
	Offset []float64
}

// RecoverTwoValued recognises weights that have, in every output channel, one or
// two values but for rounding.
func RecoverTwoValued(t *ir.Tensor) *OffsetWeights {
	if t == nil || t.Type.DType != ir.F32 || t.Type.Rank() == 0 || t.Len() == 0 || !Finite32(t) {
		return nil
	}
	o := t.Type.Shape[0]
	row := t.Len() / o
	if row < leastRounded {
		return nil // too few for two values to mean anything
	}
	out := &OffsetWeights{BinaryWeights{Scale: make([]float64, o)}, make([]float64, o)}
	var vals []int8
	bits := make([]int8, row)
	for c := range o {
		low, high, off, ok := twoValues(t.FloatRange(c*row, (c+1)*row), bits)
		if !ok {
			return nil
		}
		out.Scale[c], out.Offset[c] = (high-low)/2, (high+low)/2
		if high == low { // one value: its sign and magnitude, or nothing
			out.Scale[c], out.Offset[c] = math.Abs(high), 0
			if high == 0 {
				out.Scale[c] = 1
				out.Offset[c] = -1
			}
			for i := range bits {
				bits[i] = 1
				if high < 0 {
					bits[i] = -1
				}
			}
		}
		vals = append(vals, bits...)
		out.Off = max(out.Off, off)
	}
	out.Bits = ir.SmallTensor(ir.SBit, vals, t.Type.Shape...)
	return out
}

// twoValues returns the means of the weights near the smallest and near the
// largest, and the sum of their distances from them. bits takes -1 or +1 for each.
func twoValues(w []float32, bits []int8) (low, high, off float64, ok bool) {
	least, most := float64(w[0]), float64(w[0])
	for _, x := range w {
		least, most = min(least, float64(x)), max(most, float64(x))
	}
	rounding := roundingOf(max(most, -least))
	if most-least <= rounding && most != least {
		return 0, 0, 0, false // no telling two values from one
	}
	// Means of differences from the ends: weights that are all one value stay it.
	var sum, count [2]float64
	for i, x := range w {
		up := 0
		if bits[i] = -1; float64(x)-least > most-float64(x) {
			up, bits[i] = 1, 1
		}
		d := float64(x) - []float64{least, most}[up]
		if math.Abs(d) > rounding || math.Abs(d) > (most-least)*mostRelativeError {
			return 0, 0, 0, false
		}
		sum[up], count[up] = sum[up]+d, count[up]+1
	}
	low, high = least+sum[0]/max(count[0], 1), most+sum[1]/max(count[1], 1)
	if count[1] == 0 {
		high = low
	}
	for i, x := range w {
		off += math.Abs(float64(x) - []float64{low, high}[(bits[i]+1)/2])
	}
	return low, high, off, true
}

// RecoverOffset recognises weights of two values a channel or, failing that, odd
// multiples of half a step, as DoReFa's 2*round(255*u)/255 - 1 makes them with 8
// bits: integers of 8 bits and half a step.
func RecoverOffset(t *ir.Tensor) *OffsetWeights {
	if w := RecoverTwoValued(t); w != nil {
		return w
	}
	if t == nil || t.Type.DType != ir.F32 || t.Type.Rank() == 0 || t.Len() < leastRounded || !Finite32(t) {
		return nil
	}
	odd := roundedGrid(t, 255)
	if odd == nil || odd.Bits.Type.DType != ir.I8 {
		return nil
	}
	out := &OffsetWeights{*odd, make([]float64, len(odd.Scale))}
	out.Scale = make([]float64, len(odd.Scale))
	bits := make([]int8, 0, odd.Bits.Len())
	for _, run := range odd.Bits.IntRuns(0, odd.Bits.Len()) {
		for _, v := range run {
			if v%2 == 0 {
				return nil
			}
			bits = append(bits, int8((v-1)/2))
		}
	}
	out.Bits = ir.SmallTensor(ir.I8, bits, odd.Bits.Type.Shape...)
	for o, s := range odd.Scale {
		out.Scale[o], out.Offset[o] = 2*s, s
	}
	return out
}
