package ir

import "fmt"

var DynamicQuantizeLinear = register(&Op{
	Name: "dynamic_quantize_linear",
	Doc: "Quantizes x to u8 with a scale from its range: with lo = min(0, smallest x) and hi = max(0, largest x), scale = (hi - lo)/255 (1 when hi = lo), " +
		"zero = saturate(round(-lo/scale)), y = saturate(round(x/scale) + zero), halves to even, every operation in float32.",
	Onnx:     "DynamicQuantizeLinear",
	Since:    11,
	Levels:   Source | Logic | Packed,
	Kind:     Normalizes,
	Operands: []Param{{Name: "x", Doc: "f32"}},
	Results:  []Param{{Name: "y", Doc: "u8"}, {Name: "scale", Doc: "f32"}, {Name: "zero", Doc: "u8"}},
	Infer: func(n *Node) ([]Type, error) {
		x := n.In(0)
		if x.DType != F32 {
			return nil, fmt.Errorf("x is %s, expected f32", x)
		}
		return []Type{T(U8, x.Shape...), T(F32), T(U8)}, nil
	},
	Eval: func(n *Node, in []*Tensor) ([]*Tensor, error) {
		x, y, scale, zero := in[0], NewTensor(n.Results[0].Type), NewTensor(T(F32)), NewTensor(T(U8))
		var lo, hi float32
		for _, v := range x.Floats() {
			lo, hi = min(lo, v), max(hi, v)
		}
		s := float32(hi-lo) / 255
		if s == 0 {
			s = 1
		}
		z := requantize(U8, float64(float32(-lo)/s), 0)
		scale.Floats()[0], zero.Ints()[0] = s, z
		for i, v := range x.Floats() {
			y.Ints()[i] = requantize(U8, float64(v/s), z)
		}
		return []*Tensor{y, scale, zero}, nil
	},
	Example: `
  %1 = const [0, 2, -3, -2.5, 1.34, 0.5] : f32[6]
  %2, %3, %4 = dynamic_quantize_linear %1 : u8[6], f32[], u8[]
  return %2 "y", %3 "scale", %4 "zero"`,
})
