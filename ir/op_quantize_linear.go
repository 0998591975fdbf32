package ir

import "fmt"

var QuantizeLinear = register(&Op{
	Name: "quantize_linear",
	Doc: "y = saturate(round(x/scale) + zero), halves to even, the quotient rounded to x's type (scale's for an integer x). One scale and zero serve all elements, " +
		"or those of one index on axis, or those of a block along it.",
	Onnx:     "QuantizeLinear",
	Since:    10,
	Levels:   Source | Logic | Packed,
	Kind:     Channelwise,
	Operands: []Param{{Name: "x", Doc: "float or i32"}, {Name: "scale", Doc: "float"}, {Name: "zero", Doc: "integers, of scale's shape; left out: 0", Optional: true}},
	Results:  []Param{{Name: "y", Doc: "zero's element type"}},
	Attrs:    append(append([]Attr{}, quantLinearAttrs...), Attr{Name: "to", Kind: KString, Default: "u8", Doc: "element type of y when zero is left out"}),
	Infer: func(n *Node) ([]Type, error) {
		x, s := n.In(0), n.In(1)
		if !x.DType.IsFloat() && x.DType != I32 || !s.DType.IsFloat() {
			return nil, fmt.Errorf("x is %s and scale is %s, expected floats or i32 and floats", x, s)
		}
		if _, err := newQuantGrid(n); err != nil {
			return nil, err
		}
		d, _ := ParseDType(n.Str("to"))
		if z := n.Arg(2); z != nil {
			d = z.Type.DType
		}
		if !d.IsInt() {
			return nil, fmt.Errorf("y would be %s, expected an integer type", d)
		}
		return []Type{T(d, x.Shape...)}, nil
	},
	Eval: func(n *Node, in []*Tensor) ([]*Tensor, error) {
		g, err := newQuantGrid(n)
		if err != nil {
			return nil, err
		}
		x, scale, zero, out := in[0], in[1], operand(in, 2), NewTensor(n.Results[0].Type)
		q := &quantizer{dtype: x.Type.DType}
		if x.HoldsInts() {
			q.dtype = scale.Type.DType
		}
		for i := range out.Ints() {
			k := g.at(i)
			var z int64
			if zero != nil {
				z = zero.Int(k)
			}
			out.Ints()[i] = requantize(out.Type.DType, q.cut(q.cut(x.Float(i))/scale.Float(k)), z)
		}
		return []*Tensor{out}, nil
	},
	Slope: func(n *Node, i int) Slope { return slopeBy(n, i, 0, 1) },
	Reads: quantGridReads,
	Example: `
  %1 = const [-1, 0.25, 0.75, 200] : f32[4]
  %2 = const [0.5] : f32[]
  %3 = const [1] : u8[]
  %4 = quantize_linear %1, %2, %3 : u8[4]
  return %4 "y"`,
})
