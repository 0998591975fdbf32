package ir

import "fmt"

var Threshold = register(&Op{
	Name:     "threshold",
	Doc:      "Batch norm and activation as an integer comparison: y = (z >= t[c]) != flip[c], c the index on the channel axis. A constant channel has t at the end of z's range.",
	Levels:   Logic | Packed,
	Kind:     Channelwise,
	Flat:     true,
	Operands: []Param{{Name: "z", Doc: "integer or logic"}, {Name: "t", Doc: "i32[C]"}, {Name: "flip", Doc: "bit[C]"}},
	Results:  []Param{{Name: "y", Doc: "bit, or sbit when signed"}},
	Attrs: []Attr{
		{Name: "axis", Kind: KInt, Default: 1, Doc: "the channel axis of z"},
		{Name: "signed", Kind: KBool, Default: false, Doc: "the result is sbit: a clear bit means -1"},
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
		if err := thresholdOperands(n, 1, c); err != nil {
			return nil, err
		}
		return []Type{z.With(bitType(n.Bool("signed")))}, nil
	},
	Eval: func(n *Node, in []*Tensor) ([]*Tensor, error) {
		out := NewTensor(n.Results[0].Type)
		eachChannel(in[0].Type.Shape, n.Int("axis"), func(i, c int) {
			if (in[0].Int(i) >= in[1].Int(c)) != (in[2].Int(c) == 1) {
				out.Ints()[i] = 1
			}
		})
		return []*Tensor{out}, nil
	},
	Reads: channelReads(axisOf),
	Example: `
  %1 = const [-1, 0, 1, 2] : i32[1,2,2]
  %2 = const [0, 2] : i32[2]
  %3 = const [0, 1] : bit[2]
  %4 = threshold %1, %2, %3 : bit[1,2,2]
  return %4 "y"`,
})

// thresholdOperands checks operands t and flip, which begin at index first.
func thresholdOperands(n *Node, first, c int) error {
	t, flip := n.In(first), n.In(first+1)
	if t.DType != I32 || !SameShape(t.Shape, []int{c}) || flip.DType != Bit || !SameShape(flip.Shape, []int{c}) {
		return fmt.Errorf("t is %s and flip is %s, expected i32[%d] and bit[%d]", t, flip, c, c)
	}
	return nil
}
