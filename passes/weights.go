package passes

import (
	"math"

	"github.com/billnet/billnet/ir"
)

// binaryWeights is a float weight tensor [O,...] recognised as scale[o] times
// -1, +1 (Bits is sbit) or -1, 0, +1 (tern).
type binaryWeights struct {
	Bits  *ir.Tensor
	Scale []float64
}

// unit reports whether all scales are 1.
func (b *binaryWeights) unit() bool {
	for _, s := range b.Scale {
		if s != 1 {
			return false
		}
	}
	return true
}

// recoverBinary recognises weights all of whose magnitudes within an output
// channel (axis 0) are exactly equal, zeros apart. A channel of zeros has
// scale 1 and makes the weights ternary.
func recoverBinary(t *ir.Tensor) *binaryWeights {
	if t == nil || t.Type.DType != ir.F32 || t.Type.Rank() == 0 || t.Len() == 0 {
		return nil
	}
	o := t.Type.Shape[0]
	row := t.Len() / o
	b := &binaryWeights{Scale: make([]float64, o)}
	vals := make([]int64, t.Len())
	d := ir.SBit
	for c := range o {
		scale := 0.0
		for i, w := range t.F[c*row : (c+1)*row] {
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

// transpose2D returns the transpose of a matrix of f32.
func transpose2D(t *ir.Tensor) *ir.Tensor {
	r, c := t.Type.Shape[0], t.Type.Shape[1]
	out := make([]float32, len(t.F))
	for i := range r {
		for j := range c {
			out[j*r+i] = t.F[i*c+j]
		}
	}
	return ir.FloatTensor(out, c, r)
}
