package analysis

import (
	"math"
	"slices"

	"github.com/billnet/billnet/ir"
)

// Operations that treat every channel, an index of axis 1, by constants of its own.

// SoundNorm reports whether a batch norm has constant, finite parameters and a
// finite slope.
func SoundNorm(n *ir.Node) bool {
	for i := 1; i < 5; i++ {
		if p := ir.ConstOf(n.Args[i]); p == nil || !Finite32(p) {
			return false
		}
	}
	for _, x := range ir.ConstOf(n.Args[4]).Floats() {
		if x+float32(n.Float("epsilon")) <= 0 {
			return false
		}
	}
	return true
}

// channelAffine is x*scale[c] + offset[c].
type channelAffine struct{ Scale, Offset []float64 }

// NormAffine reads a batch norm with constant parameters as an affine of every
// channel of axis 1.
func NormAffine(n *ir.Node) (channelAffine, bool) {
	var f channelAffine
	if !n.Is(ir.BatchNorm) || !SoundNorm(n) {
		return f, false
	}
	at := func(i, c int) float64 { return ir.ConstOf(n.Args[i]).Float(c) }
	for c := range n.In(0).Shape[1] {
		s := at(1, c) / math.Sqrt(at(4, c)+n.Float("epsilon"))
		f.Scale, f.Offset = append(f.Scale, s), append(f.Offset, at(2, c)-at(3, c)*s)
	}
	return f, true
}

// Carrier returns which operand of a binary operation carries the chain, the
// other being a finite constant for every channel; -1 when neither does.
func Carrier(n *ir.Node, shape []int) int {
	if len(n.Args) != 2 {
		return -1
	}
	for i := range 2 {
		p := ir.ConstOf(n.Args[1-i])
		if p == nil || !Finite32(p) || !PerChannel(p.Type.Shape, shape) {
			continue
		}
		if n.Is(ir.Div) && (i == 1 || HasZero(p.Convert(ir.F64).Doubles())) {
			continue
		}
		return i
	}
	return -1
}

func HasZero(v []float64) bool { return slices.Contains(v, 0) }

// PerChannel reports whether a constant of one shape, stretched to a tensor of
// another, differs along axis 1 only.
func PerChannel(p, shape []int) bool {
	off := len(shape) - len(p)
	if off < 0 {
		return false
	}
	for i, d := range p {
		if d != 1 && i+off != 1 {
			return false
		}
	}
	return true
}

// AlongAxis reads a constant, stretched to a shape, as numbers that differ
// along one axis only.
func AlongAxis(c *ir.Tensor, shape []int) (axis int, values []float64, ok bool) {
	if !c.Type.DType.IsFloat() || c.Len() == 0 || len(c.Type.Shape) > len(shape) {
		return 0, nil, false
	}
	values = make([]float64, c.Len())
	for i := range values {
		if values[i] = c.Float(i); values[i]-values[i] != 0 {
			return 0, nil, false
		}
	}
	if s, same := c.Splat(); same {
		return 0, []float64{s}, true
	}
	axis = -1
	for i, d := range c.Type.Shape {
		if d == 1 {
			continue
		}
		if axis >= 0 {
			return 0, nil, false
		}
		axis = i + len(shape) - len(c.Type.Shape)
	}
	return axis, values, shape[axis] == len(values)
}

// Finite32 reports whether no f32, f16 or bf16 element is NaN or infinite.
func Finite32(t *ir.Tensor) bool {
	if !t.HoldsFloats() {
		return true
	}
	for _, run := range t.FloatRuns(0, t.Len()) {
		for _, x := range run {
			if x-x != 0 {
				return false
			}
		}
	}
	return true
}
