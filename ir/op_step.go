package ir

import "fmt"

var Step = register(&Op{
	Name: "step",
	Doc:  "Binary activation: y = 1 if x > 0 (strict) or x >= 0 (not strict), else the clear bit: the Heaviside step as bit, the sign as sbit. NaN gives the bit nan.",
	// Legal at the source level so that idioms can be recognised there one at a time.
	Levels:   Source | Logic | Packed,
	Kind:     Elementwise,
	Flat:     true,
	Operands: []Param{{Name: "x", Doc: "float"}},
	Results:  []Param{{Name: "y", Doc: "bit, or sbit when signed"}},
	Attrs: []Attr{
		{Name: "strict", Kind: KBool, Default: true, Doc: "x > 0 rather than x >= 0"},
		{Name: "signed", Kind: KBool, Default: false, Doc: "the result is sbit: a clear bit means -1"},
		{Name: "nan", Kind: KBool, Default: false, Doc: "the bit that NaN gives: not(less(x,0)) says 1"},
	},
	Infer: func(n *Node) ([]Type, error) {
		if !n.In(0).DType.IsFloat() {
			return nil, fmt.Errorf("x is %s, expected floats", n.In(0))
		}
		return []Type{n.In(0).With(bitType(n.Bool("signed")))}, nil
	},
	Eval: func(n *Node, in []*Tensor) ([]*Tensor, error) {
		out := NewTensor(n.Results[0].Type)
		for i := range out.Ints() {
			if StepScalar(n, in[0].Float(i)) {
				out.Ints()[i] = 1
			}
		}
		return []*Tensor{out}, nil
	},
	Slope: slopes(Rising),
	Example: `
  %1 = const [-1, 0, 2, nan] : f32[4]
  %2 = step %1 : bit[4]
  %3 = step %1 {strict=false, signed=true, nan=true} : sbit[4]
  return %2 "heaviside", %3 "sign"`,
})

// StepScalar is the bit that a step node gives for x.
func StepScalar(n *Node, x float64) bool {
	switch {
	case x != x:
		return n.Bool("nan")
	case n.Bool("strict"):
		return x > 0
	}
	return x >= 0
}

func bitType(signed bool) DType {
	if signed {
		return SBit
	}
	return Bit
}
