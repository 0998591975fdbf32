package analysis

import (
	"math"

	"github.com/billnet/billnet/ir"
)

// BinaryWeights is a float weight tensor [O,...] recognised as scale[o] times
// -1, +1 (Bits is sbit), -1, 0, +1 (tern) or integers (i8).
type BinaryWeights struct {
	Bits  *ir.Tensor
	Scale []float64
	Off   float64 // the largest sum over an output of |w - scale*bits|: 0 where the weights are the products themselves
}

// Unit reports whether the weights are the integers themselves.
func (b *BinaryWeights) Unit() bool {
	if b.Off != 0 {
		return false
	}
	for _, s := range b.Scale {
		if s != 1 {
			return false
		}
	}
	return true
}

// LargestWhole returns the largest scale when all are whole numbers that a
// product of float32 may have as an exact factor, 0 otherwise.
func (b *BinaryWeights) LargestWhole() int64 {
	if b.Off != 0 {
		return 0
	}
	most := 1.0
	for _, s := range b.Scale {
		if s != math.Trunc(s) || s < 1 || s >= ExactFloat {
			return 0
		}
		most = max(most, s)
	}
	return int64(most)
}

// RecoverBinary recognises weights all of whose magnitudes within an output
// channel (axis 0) are exactly equal, zeros apart. A channel of zeros has
// scale 1 and makes the weights ternary.
func RecoverBinary(t *ir.Tensor) *BinaryWeights {
	if t == nil || t.Type.DType != ir.F32 || t.Type.Rank() == 0 || t.Len() == 0 {
		return nil
	}
	o := t.Type.Shape[0]
	row := t.Len() / o
	b := &BinaryWeights{Scale: make([]float64, o)}
	for c := range o {
		scale, ok := magnitude(t, c*row, (c+1)*row)
		if !ok {
			return nil
		}
		b.Scale[c] = scale
	}
	bits, d := make([]int8, t.Len()), ir.SBit
	for at, run := range t.FloatRuns(0, t.Len()) {
		for i, w := range run {
			switch {
			case w > 0:
				bits[at+i] = 1
			case w < 0:
				bits[at+i] = -1
			default:
				d = ir.Tern
			}
		}
	}
	b.Bits = ir.SmallTensor(d, bits, t.Type.Shape...)
	return b
}

// magnitude is the one that weights from to to-1 have, zeros apart; 1 where all are
// zeros.
func magnitude(t *ir.Tensor, from, to int) (float64, bool) {
	m := float32(0)
	for _, run := range t.FloatRuns(from, to) {
		for _, w := range run {
			a := max(w, -w)
			if m == 0 {
				m = a
			}
			if a != m && a != 0 || a-a != 0 {
				return 0, false
			}
		}
	}
	if m == 0 {
		m = 1
	}
	return float64(m), true
}

// RecoverWeights recognises binary or ternary weights or, failing that, few-bit
// ones: a scale times integers of at most 8 bits. Failing that too, it takes
// weights that are such products but for rounding (recoverRounded).
func RecoverWeights(t *ir.Tensor) *BinaryWeights {
	b := RecoverBinary(t)
	if b == nil {
		b = recoverFewBit(t)
	}
	if b == nil {
		b = recoverRounded(t)
	}
	return b
}

func recoverFewBit(t *ir.Tensor) *BinaryWeights {
	if t == nil || t.Type.DType != ir.F32 || t.Type.Rank() == 0 || t.Len() == 0 {
		return nil
	}
	o := t.Type.Shape[0]
	row := t.Len() / o
	b := &BinaryWeights{Scale: make([]float64, o)}
	bits := make([]int8, t.Len())
	one, ok := float32(1), t.OnGrid(0, t.Len(), 1, bits)
	if !ok {
		one, ok = t.GridScale(0, t.Len(), bits)
	}
	for c := range o {
		s := one
		if !ok {
			own, found := t.GridScale(c*row, (c+1)*row, bits[c*row:(c+1)*row])
			if !found {
				return nil
			}
			s = own
		}
		b.Scale[c] = float64(s)
	}
	b.Bits = ir.SmallTensor(ir.I8, bits, t.Type.Shape...)
	return b
}

// Transpose2D returns the transpose of a matrix of f32.
func Transpose2D(t *ir.Tensor) *ir.Tensor {
	r, c := t.Type.Shape[0], t.Type.Shape[1]
	out := make([]float32, t.Len())
	for i := range r {
		for j, x := range t.FloatRange(i*c, (i+1)*c) {
			out[j*r+i] = x
		}
	}
	return ir.FloatTensor(out, c, r)
}
