package ir

import "fmt"

var Tally = register(&Op{
	Name: "tally",
	Doc: "A few-bit activation as the number of comparisons that hold: y = base + sum of the bits. The bits are nested, each set only where those before it are, " +
		"so that the largest of several y is the OR of every bit.",
	Levels:   Logic | Packed,
	Kind:     Elementwise,
	Operands: []Param{{Name: "bits", Doc: "bit, all of one shape", Variadic: true}},
	Results:  []Param{{Name: "y"}},
	Attrs: []Attr{
		{Name: "base", Kind: KInt, Default: 0, Doc: "y where no bit is set"},
		{Name: "to", Kind: KString, Default: "u8", Doc: "integer type of y"},
	},
	Infer: func(n *Node) ([]Type, error) {
		to, ok := ParseDType(n.Str("to"))
		if !ok || !to.IsInt() {
			return nil, fmt.Errorf("to is %q, expected an integer type", n.Str("to"))
		}
		if len(n.Args) == 0 {
			return nil, fmt.Errorf("no bits, expected at least one")
		}
		for i := range n.Args {
			if n.In(i).DType != Bit || !SameShape(n.In(i).Shape, n.In(0).Shape) {
				return nil, fmt.Errorf("operand %d is %s, expected bit%s", i, n.In(i), ShapeString(n.In(0).Shape))
			}
		}
		if lo, hi := to.Range(); int64(n.Int("base")) < lo || int64(n.Int("base")+len(n.Args)) > hi {
			return nil, fmt.Errorf("%d to %d does not fit %s", n.Int("base"), n.Int("base")+len(n.Args), to)
		}
		return []Type{n.In(0).With(to)}, nil
	},
	Eval: func(n *Node, in []*Tensor) ([]*Tensor, error) {
		out := NewTensor(n.Results[0].Type)
		for i := range out.Ints() {
			out.Ints()[i] = int64(n.Int("base"))
			for _, b := range in {
				out.Ints()[i] += b.Int(i)
			}
		}
		return []*Tensor{out}, nil
	},
	Slope: slopes(Rising),
	Example: `
  %1 = const [1, 1, 0] : bit[3]
  %2 = const [1, 0, 0] : bit[3]
  %3 = tally %1, %2 {base=-1, to="i8"} : i8[3]
  return %3 "y"`,
})
