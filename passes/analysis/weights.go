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
	vals := make([]int64, t.Len())
	d := ir.SBit
	for c := range o {
		scale := 0.0
		for i, w := range t.FloatRange(c*row, (c+1)*row) {
			m := math.Abs(float64(w))
			switch {
			case m == 0:
				d = ir.Tern
				continue
			case scale == 0:
				scale = m
			}
			if m != scale || math.IsInf(m, 0) {
				return nil
			}
			vals[c*row+i] = 1
			if w < 0 {
				vals[c*row+i] = -1
			}
		}
		if scale == 0 {
			scale = 1
		}
		b.Scale[c] = scale
	}
	b.Bits = ir.IntTensor(d, vals, t.Type.Shape...)
	return b
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
	if b != nil {
		b.Bits = b.Bits.Compact()
	}
	return b
}

func recoverFewBit(t *ir.Tensor) *BinaryWeights {
	if t == nil || t.Type.DType != ir.F32 || t.Type.Rank() == 0 || t.Len() == 0 {
		return nil
	}
	o := t.Type.Shape[0]
	row := t.Len() / o
	out := &BinaryWeights{Bits: ir.NewTensor(t.Type.With(ir.I8)), Scale: make([]float64, o)}
	whole, ok := float32(1), ir.OnGrid(t.Floats(), 1)
	if !ok {
		whole, ok = ir.GridScale(t.Floats())
	}
	for c := range o {
		w := t.FloatRange(c*row, (c+1)*row)
		s := whole
		if !ok {
			own, found := ir.GridScale(w)
			if !found {
				return nil
			}
			s = own
		}
		out.Scale[c] = float64(s)
		for i, x := range w {
			out.Bits.Ints()[c*row+i] = int64(math.Round(float64(x) / float64(s)))
		}
	}
	return out
}

// Transpose2D returns the transpose of a matrix of f32.
func Transpose2D(t *ir.Tensor) *ir.Tensor {
	r, c := t.Type.Shape[0], t.Type.Shape[1]
	out := make([]float32, t.Len())
	for i := range r {
		for j := range c {
			out[j*r+i] = t.Float32(i*c + j)
		}
	}
	return ir.FloatTensor(out, c, r)
}
