package ir

import "fmt"

var DequantizeLinear = register(&Op{
	Name:     "dequantize_linear",
	Doc:      "y = (x - zero)*scale in scale's type. One scale and zero serve all elements, or those of one index on axis, or those of a block along it.",
	Onnx:     "DequantizeLinear",
	Since:    10,
	Levels:   Source | Logic | Packed,
	Kind:     Channelwise,
	Operands: []Param{{Name: "x", Doc: "integers"}, {Name: "scale", Doc: "float"}, {Name: "zero", Doc: "of x's element type and scale's shape; left out: 0", Optional: true}},
	Results:  []Param{{Name: "y", Doc: "scale's element type"}},
	Attrs:    quantLinearAttrs,
	Infer: func(n *Node) ([]Type, error) {
		x, s := n.In(0), n.In(1)
		if !x.DType.IsInt() || !s.DType.IsFloat() {
			return nil, fmt.Errorf("x is %s and scale is %s, expected integers and floats", x, s)
		}
		if z := n.Arg(2); z != nil && z.Type.DType != x.DType {
			return nil, fmt.Errorf("zero is %s, expected x's element type %s", z.Type, x.DType)
		}
		if _, err := newQuantGrid(n); err != nil {
			return nil, err
		}
		return []Type{T(s.DType, x.Shape...)}, nil
	},
	Eval: func(n *Node, in []*Tensor) ([]*Tensor, error) {
		g, err := newQuantGrid(n)
		if err != nil {
			return nil, err
		}
		x, scale, zero := in[0], in[1], operand(in, 2)
		if n.Results[0].Type.DType == F32 && scale.Type.DType == F32 {
			if y := scaled(x, scale, zero, g); y != nil {
				return []*Tensor{y}, nil
			}
		}
		out := NewTensor(n.Results[0].Type)
		q := &quantizer{dtype: out.Type.DType}
		for i, v := range x.Ints() {
			k := g.at(i)
			if zero != nil {
				v -= zero.Int(k)
			}
			out.SetFloat(i, q.cut(float64(v))*scale.Float(k))
		}
		return []*Tensor{out}, nil
	},
	Slope: func(n *Node, i int) Slope { return slopeBy(n, i, 0, 1) },
	Reads: quantGridReads,
	Example: `
  %1 = const [0, 1, 255] : u8[3,1]
  %2 = const [0.5, 1, 2] : f32[3]
  %3 = const [0, 1, 128] : u8[3]
  %4 = dequantize_linear %1, %2, %3 {axis=0} : f32[3,1]
  return %4 "y"`,
})
