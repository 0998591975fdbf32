package ir

import "fmt"

var Affine = register(&Op{
	Name: "affine",
	Doc: "y[c] = z[c]*num[c]/den[c] + bias[c] over the real numbers, rounded to f32 (by way of f64). It stands where the source's own float result depends on the " +
		"order of a sum (scaled weights, a norm folded into weights, video divided by 255): class ideal.",
	Levels:   Logic | Packed,
	Kind:     Channelwise,
	Operands: []Param{{Name: "z", Doc: "integer or logic, channels on axis"}, {Name: "num", Doc: "f64[C] or f64[1]"}, {Name: "den", Doc: "f64[C] or f64[1], not 0"}, {Name: "bias", Doc: "f64[C] or f64[1]"}},
	Results:  []Param{{Name: "y", Doc: "f32"}},
	Attrs: []Attr{
		{Name: "axis", Kind: KInt, Default: 1, Doc: "the channel axis of z"},
		{Name: "terms", Kind: KFloat, Default: 0.0, Doc: "bounds the magnitude of all that was added to make the bias: the source's rounding is bounded by it; 0: nothing but the bias"},
	},
	Infer: func(n *Node) ([]Type, error) {
		z := n.In(0)
		if z.DType.IsFloat() {
			return nil, fmt.Errorf("z is %s, expected an integer or logic type", z)
		}
		c, err := channels(n, z)
		if err != nil {
			return nil, err
		}
		for i := 1; i < 4; i++ {
			if p := n.In(i); p.DType != F64 || p.Rank() != 1 || p.Shape[0] != 1 && p.Shape[0] != c {
				return nil, fmt.Errorf("%s is %s, expected f64[%d] or f64[1]", n.Op.Operands[i].Name, p, c)
			}
		}
		return []Type{z.With(F32)}, nil
	},
	Eval: func(n *Node, in []*Tensor) ([]*Tensor, error) {
		out := NewTensor(n.Results[0].Type)
		at := func(t *Tensor, c int) float64 { return t.Float(min(c, t.Len()-1)) }
		eachChannel(in[0].Type.Shape, n.Int("axis"), func(i, c int) {
			out.Floats()[i] = float32(float64(in[0].Int(i))*at(in[1], c)/at(in[2], c) + at(in[3], c))
		})
		return []*Tensor{out}, nil
	},
	Reads: channelReads(axisOf),
	Example: `
  %1 = const [255, 0, 51, 7] : u8[1,2,2]
  %2 = const [1] : f64[1]
  %3 = const [255] : f64[1]
  %4 = const [0, -0.5] : f64[2]
  %5 = affine %1, %2, %3, %4 : f32[1,2,2]
  return %5 "y"`,
})

// channels returns the size of the axis named by the attribute axis.
func channels(n *Node, t Type) (int, error) {
	a, err := Axis(n.Int("axis"), t.Rank())
	if err != nil {
		return 0, err
	}
	return t.Shape[a], nil
}

// eachChannel calls f for every element i with its index c on an axis.
func eachChannel(shape []int, axis int, f func(i, c int)) {
	a, _ := Axis(axis, len(shape))
	inner := Type{Shape: shape[a+1:]}.Elems()
	for i := range (Type{Shape: shape}).Elems() {
		f(i, i/inner%shape[a])
	}
}
