package ir

import (
	"fmt"
	"math"
)

var BatchNorm = register(&Op{
	Name:   "batch_norm",
	Doc:    "Inference batch normalization over axis 1: y = (x - mean)/sqrt(var + eps)*scale + bias, in BatchNormScalar's order of operations.",
	Onnx:   "BatchNormalization",
	Since:  1,
	Levels: Source | Logic | Packed,
	Kind:   Channelwise,
	Operands: []Param{{Name: "x", Doc: "[N,C,...] float"}, {Name: "scale", Doc: "[C]"}, {Name: "bias", Doc: "[C]"},
		{Name: "mean", Doc: "[C]"}, {Name: "var", Doc: "[C]"}},
	Results: []Param{{Name: "y"}},
	Attrs:   []Attr{{Name: "epsilon", Kind: KFloat, Default: 1e-5, Doc: "added to the variance"}},
	Infer: func(n *Node) ([]Type, error) {
		x := n.In(0)
		if x.Rank() < 2 || !x.DType.IsFloat() {
			return nil, fmt.Errorf("x is %s, expected floats with at least 2 axes", x)
		}
		for i := 1; i < 5; i++ {
			if p := n.In(i); !p.DType.IsFloat() || !SameShape(p.Shape, x.Shape[1:2]) {
				return nil, fmt.Errorf("%s is %s, expected floats of shape [%d]", n.Op.Operands[i].Name, p, x.Shape[1])
			}
		}
		return []Type{T(x.DType, x.Shape...)}, nil
	},
	Eval: func(n *Node, in []*Tensor) ([]*Tensor, error) {
		x := in[0]
		out := NewTensor(n.Results[0].Type)
		eps := n.Float("epsilon")
		c := x.Type.Shape[1]
		inner := Type{Shape: x.Type.Shape[2:]}.Elems()
		for i := range x.Len() {
			k := i / inner % c
			if x.HoldsDoubles() {
				out.Doubles()[i] = float64((x.Float(i)-in[3].Float(k))/math.Sqrt(in[4].Float(k)+eps)*in[1].Float(k)) + in[2].Float(k)
				continue
			}
			y := BatchNormScalar(x.Float32(i), float32(in[1].Float(k)), float32(in[2].Float(k)), float32(in[3].Float(k)), float32(in[4].Float(k)), float32(eps))
			out.Floats()[i] = RoundFloat(x.Type.DType, y)
		}
		return []*Tensor{out}, nil
	},
	Slope: func(n *Node, i int) Slope { return slopeBy(n, i, 0, 1) },
	Reads: channelReads(axisOne),
	Example: `
  %1 = const [1, 2, 3, 4] : f32[1,2,2]
  %2 = const [1, -1] : f32[2]
  %3 = const [0, 0.5] : f32[2]
  %4 = batch_norm %1, %2, %3, %3, %2 {epsilon=2} : f32[1,2,2]
  return %4 "y"`,
})

// BatchNormScalar is the reference order of a batch norm in float32: every
// operation is rounded, in the order in which ONNX writes the equation. The
// conversions forbid fused multiply-adds, so that every machine agrees.
func BatchNormScalar(x, scale, bias, mean, variance, eps float32) float32 {
	s := float32(math.Sqrt(float64(float32(variance + eps))))
	return float32(float32(float32(x-mean)/s)*scale) + bias
}
