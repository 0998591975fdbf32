package ir

import "fmt"

var QLinearConv = register(&Op{
	Name: "qlinear_conv",
	Doc: "Convolution of quantized numbers: y = saturate(round(s * (x_scale*w_scale/y_scale)) + y_zero), halves to even, s = conv of x - x_zero and w - w_zero plus bias, " +
		"in integers; the factor and its product are rounded to float32. Padding is x_zero.",
	Onnx:   "QLinearConv",
	Since:  10,
	Levels: Source | Logic | Packed,
	Kind:   Windows,
	Operands: []Param{{Name: "x", Doc: "[N,C,spatial...]"}, {Name: "x_scale", Doc: "one float"}, {Name: "x_zero", Doc: "one"},
		{Name: "w", Doc: "[O,C/groups,kernel...]"}, {Name: "w_scale", Doc: "one float or [O]"}, {Name: "w_zero", Doc: "one or [O]"},
		{Name: "y_scale", Doc: "one float"}, {Name: "y_zero", Doc: "one, of y's type"}, {Name: "bias", Doc: "i32 [O]", Optional: true}},
	Results: []Param{{Name: "y", Doc: "[N,O,spatial...]"}},
	Attrs:   convAttrs,
	Infer: func(n *Node) ([]Type, error) {
		if err := expectIntegers(n, 0, 3, 7); err != nil {
			return nil, err
		}
		types, err := convInfer(convOf(n, 0, 3, n.Arg(8)), I32)
		if err != nil {
			return nil, err
		}
		o := n.In(3).Shape[0]
		for _, p := range []struct {
			operand int
			d       DType
			count   int
		}{{1, Invalid, 0}, {2, n.In(0).DType, 0}, {4, Invalid, o}, {5, n.In(3).DType, o}, {6, Invalid, 0}, {7, n.In(7).DType, 0}} {
			if err := expectOne(n, p.operand, p.d, p.count); err != nil {
				return nil, err
			}
		}
		if y := n.In(7); y.Elems() != 1 || y.DType != I8 && y.DType != U8 {
			return nil, fmt.Errorf("y_zero is %s, expected one i8 or u8", y)
		}
		return []Type{T(n.In(7).DType, types[0].Shape...)}, nil
	},
	Eval: func(n *Node, in []*Tensor) ([]*Tensor, error) {
		out := NewTensor(n.Results[0].Type)
		sums, err := integerConvSums(convOf(n, 0, 3, n.Arg(8)), T(I64, out.Type.Shape...), in[0], in[2], in[3], in[5])
		if err != nil {
			return nil, err
		}
		if out.Len() == 0 {
			return []*Tensor{out}, nil
		}
		if bias := operand(in, 8); bias != nil {
			addChannels(sums, bias)
		}
		q := &quantizer{dtype: F32}
		inner, o := Type{Shape: out.Type.Shape[2:]}.Elems(), out.Type.Shape[1]
		for i, s := range sums.Ints() {
			scale := in[4].Float(0)
			if in[4].Len() > 1 {
				scale = in[4].Float(i / inner % o)
			}
			factor := q.cut(q.cut(in[1].Float(0)*scale) / in[6].Float(0))
			out.Ints()[i] = requantize(out.Type.DType, q.cut(q.cut(float64(s))*factor), in[7].Int(0))
		}
		return []*Tensor{out}, nil
	},
	Work: func(n *Node) int {
		w := n.In(3)
		return n.Results[0].Type.Elems() * (w.Elems() / max(w.Shape[0], 1))
	},
	Reads: func(n *Node, _, operand int) []Read {
		switch operand {
		case 0, 3:
			return convReads(n, convOf(n, 0, 3, nil), operand/3)
		case 4, 5, 8:
			return listRead(n.In(operand), 1)
		}
		return make([]Read, n.In(operand).Rank())
	},
	Example: `
  %1 = const [2, 3, 4] : u8[1,1,3]
  %2 = const [0.5] : f32[]
  %3 = const [1] : u8[]
  %4 = const [1, -1] : i8[1,1,2]
  %5 = const [0] : i8[]
  %6 = const [3] : i32[1]
  %7 = qlinear_conv %1, %2, %3, %4, %2, %5, %2, %3, %6 {pad=[1,0]} : u8[1,1,3]
  return %7 "y"`,
})
