// Package normalize writes the normalization of pixels into a network, so that
// it takes the bytes of a video.
//
// Networks are mostly trained on floats made of bytes by a formula that the file
// of the network does not hold, torchvision's
//
//	(x/255 - mean[c]) / std[c]
//
// with numbers for every channel c. Bake makes the formula a part of the network.
// The passes then fold it: with one std for all channels it disappears in the
// thresholds of a binary stem, otherwise it is an affine in front of the stem.
package normalize

import (
	"fmt"
	"slices"

	"github.com/billnet/billnet/ir"
	"github.com/billnet/billnet/runtime/clip"
)

// Bake makes a float input of a module's main function one of bytes that the
// network normalizes by n itself: in float32, in the order of clip.Norm, as if it
// was given floats made so. axis is that of the channels. The module's metadata
// says what was done.
func Bake(m *ir.Module, input string, axis int, n clip.Norm) error {
	f := m.Main()
	i := slices.IndexFunc(f.Params, func(p ir.Port) bool { return p.Name == input })
	if i < 0 {
		return fmt.Errorf("there is no input %q", input)
	}
	floats := f.Params[i].Value
	if floats.Type.DType != ir.F32 {
		return fmt.Errorf("input %q is %s: only f32 inputs can be normalized", input, floats.Type)
	}
	if err := n.Check(floats.Type.Shape[axis]); err != nil {
		return fmt.Errorf("input %q, %s: %w", input, floats.Type, err)
	}
	pixels := &ir.Value{Type: floats.Type.With(ir.U8)}
	b := &ir.Builder{F: &ir.Func{}, Loc: ir.Loc{Name: input}}
	x := formula(b, b.Op(ir.Cast, map[string]any{"to": "f32"}, pixels), axis, n)
	if b.Err != nil {
		return fmt.Errorf("BUG: normalization of input %q: %w", input, b.Err)
	}
	f.Replace(map[*ir.Value]*ir.Value{floats: x})
	f.Params[i].Value = pixels
	f.Nodes = append(b.F.Nodes, f.Nodes...)
	if m.Meta == nil {
		m.Meta = map[string]string{}
	}
	for _, kv := range n.Meta() {
		m.Meta[kv[0]] = kv[1]
	}
	return nil
}

// formula computes (x Mul/Div - Mean[c]) / Std[c]. Steps that change nothing are
// left out.
func formula(b *ir.Builder, x *ir.Value, axis int, n clip.Norm) *ir.Value {
	s := n.Scale.OrDefault()
	if s.Mul != 1 {
		x = b.Op(ir.Mul, nil, x, b.Scalar(float64(s.Mul)))
	}
	if s.Div != 1 {
		x = b.Op(ir.Div, nil, x, b.Scalar(float64(s.Div)))
	}
	if len(n.Mean) > 0 {
		x = b.Op(ir.Sub, nil, x, perChannel(b, n.Mean, axis, x.Type.Rank()))
	}
	if len(n.Std) > 0 {
		x = b.Op(ir.Div, nil, x, perChannel(b, n.Std, axis, x.Type.Rank()))
	}
	return x
}

// perChannel is a constant of one number, or of one for every index on an axis.
func perChannel(b *ir.Builder, v []float32, axis, rank int) *ir.Value {
	if !slices.ContainsFunc(v, func(x float32) bool { return x != v[0] }) {
		return b.Scalar(float64(v[0]))
	}
	shape := slices.Repeat([]int{1}, rank)
	shape[axis] = len(v)
	return b.Const(ir.FloatTensor(slices.Clone(v), shape...))
}
