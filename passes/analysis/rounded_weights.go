package analysis

import (
	"math"
	"slices"

	"github.com/billnet/billnet/ir"
)

// Exporters fold what training leaves around quantized weights: a straight-through
// (s*sign(w) - c) + c with |c| up to about 1, or 2*round(15*u)/15 - 1. Each
// operation rounds a number of about that size to float32, so the products come
// back off by an absolute error, whatever their own size.
const (
	straightThroughError = 0x1p-22 // of two roundings of numbers up to 2
	mostRelativeError    = 0x1p-9  // beyond it the integers would be guesses
	leastRounded         = 8       // weights that must agree
)

// recoverRounded recognises weights that are, within straightThroughError, a
// scale times -1, +1 and 0 or, failing that, integers of 2 to 8 bits with a
// scale for every output channel or one for all. Over the real numbers they are
// those products; Off says how far the float32 weights are from them.
func recoverRounded(t *ir.Tensor) *BinaryWeights {
	if t == nil || t.Type.DType != ir.F32 || t.Type.Rank() == 0 || t.Len() < leastRounded || !Finite32(t) {
		return nil
	}
	if b := roundedGrid(t, 1); b != nil {
		return b
	}
	for _, most := range []float64{3, 7, 15, 31, 63, 128} {
		if b := roundedGrid(t, most); b != nil && b.fitBytes() {
			return b
		}
	}
	return nil
}

// fitBytes turns the sign of rows that have +128, of weights down to -128 that a
// norm's negative factor was folded into. It reports whether all are bytes then.
func (b *BinaryWeights) fitBytes() bool {
	row := b.Bits.Len() / len(b.Scale)
	bits := make([]int8, 0, b.Bits.Len())
	for o := range b.Scale {
		w, sign := b.Bits.IntRange(o*row, (o+1)*row), int64(1)
		switch {
		case slices.Max(w) <= math.MaxInt8:
		case slices.Min(w) < -math.MaxInt8:
			return false
		default:
			sign, b.Scale[o] = -1, -b.Scale[o]
		}
		for _, v := range w {
			bits = append(bits, int8(sign*v))
		}
	}
	b.Bits = ir.SmallTensor(b.Bits.Type.DType, bits, b.Bits.Type.Shape...)
	return true
}

// roundedGrid sees the weights as a scale times integers up to most: one scale a
// row where rows are long enough to tell, else one for all.
func roundedGrid(t *ir.Tensor, most float64) *BinaryWeights {
	rows := t.Type.Shape[0]
	size := t.Len() / rows
	if size < leastRounded || most > 1 {
		if s, ok := roundedScale(t, 0, t.Len(), most); ok {
			return roundedWeights(t, slices.Repeat([]float64{s}, rows))
		}
		if size < leastRounded {
			return nil
		}
	}
	scales := make([]float64, rows)
	for o := range scales {
		s, ok := roundedScale(t, o*size, (o+1)*size, most)
		if !ok {
			return nil
		}
		scales[o] = s
	}
	return roundedWeights(t, scales)
}

// roundedScale finds the scale of weights from to to-1 near multiples of it. The
// largest magnitude is tried as 1 to most times the scale, which the mean over all
// multiples then makes exact.
func roundedScale(t *ir.Tensor, from, to int, most float64) (float64, bool) {
	largest := 0.0
	for _, run := range t.FloatRuns(from, to) {
		largest = max(largest, largestOf(run))
	}
	if largest <= straightThroughError {
		return 1, largest == 0
	}
	for k := 1.0; k <= most; k++ {
		s := largest / k
		// s is off by the rounding of one weight: this only tells most scales apart
		// that are none, at the first weights.
		if !allNear(t, from, to, s, 0x1p-4*s) {
			continue
		}
		var num, den float64
		for _, run := range t.FloatRuns(from, to) {
			for _, x := range run {
				q := math.Round(float64(x) / s)
				num, den = num+float64(x)*q, den+q*q
			}
		}
		if s = num / den; allNear(t, from, to, s, min(roundingOf(largest), s*mostRelativeError)) {
			return s, true
		}
	}
	return 0, false
}

// allNear reports whether weights are at most so far from multiples of s.
func allNear(t *ir.Tensor, from, to int, s, most float64) bool {
	for _, run := range t.FloatRuns(from, to) {
		for _, x := range run {
			if math.Abs(float64(x)-s*math.Round(float64(x)/s)) > most {
				return false
			}
		}
	}
	return true
}

// roundingOf bounds how far rounding takes weights of magnitudes up to largest: as
// far as numbers up to 2, or up to twice themselves where they are larger.
func roundingOf(largest float64) float64 { return straightThroughError * max(1, largest) }

// largestOf is the largest magnitude of weights.
func largestOf(w []float32) float64 {
	m := float32(0)
	for _, x := range w {
		m = max(m, x, -x)
	}
	return float64(m)
}

func roundedWeights(t *ir.Tensor, scales []float64) *BinaryWeights {
	size := t.Len() / len(scales)
	b := &BinaryWeights{Scale: scales}
	vals := make([]int16, t.Len())
	d, zeros, most := ir.SBit, false, 0.0
	for o, s := range scales {
		off := 0.0
		for at, run := range t.FloatRuns(o*size, (o+1)*size) {
			for i, x := range run {
				q := math.Round(float64(x) / s)
				vals[at+i] = int16(q)
				off += math.Abs(float64(x) - s*q)
				zeros, most = zeros || q == 0, max(most, math.Abs(q))
			}
		}
		b.Off = max(b.Off, off)
	}
	switch {
	case most > 1:
		d = ir.I8
	case zeros:
		d = ir.Tern
	}
	b.Bits = ir.SmallTensor(d, vals, t.Type.Shape...)
	return b
}
