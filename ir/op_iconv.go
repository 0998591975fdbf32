package ir

import (
	"fmt"
	"slices"
)

var IConv = register(&Op{
	Name: "iconv",
	Doc: "Integer convolution: bconv's equation over an integer x (video, sums of a linear factorization block) and binary, ternary or integer weights. " +
		"With t and flip the result is the bit (z >= t[o]) != flip[o]. lo and hi bound z for every output channel, whatever x is.",
	Levels:   Logic | Packed,
	Of:       []*Op{Conv, ConvInteger},
	Kind:     Windows,
	Operands: []Param{{Name: "x", Doc: "integer or logic [N,C,spatial...]"}, {Name: "w", Doc: "integer or logic [O,C/groups,kernel...]"}, {Name: "t", Doc: "i32[O]", Optional: true}, {Name: "flip", Doc: "bit[O]", Optional: true}},
	Results:  []Param{{Name: "z", Doc: "an integer type, or bit or sbit with t and flip"}},
	Attrs: append(slices.Clone(integerConvAttrs),
		Attr{Name: "lo", Kind: KInts, Default: []int{}, Doc: "smallest z of every output channel; empty: not known"},
		Attr{Name: "hi", Kind: KInts, Default: []int{}, Doc: "largest z of every output channel; empty: not known"}),
	Infer: func(n *Node) ([]Type, error) {
		if n.In(0).DType.IsFloat() || n.In(1).DType.IsFloat() {
			return nil, fmt.Errorf("x is %s and w is %s, expected integer or logic types", n.In(0), n.In(1))
		}
		return integerConvInfer(n)
	},
	Eval:  integerConvEval,
	Work:  convWork,
	Reads: func(n *Node, _, operand int) []Read { return convReads(n, n, operand) },
	Example: `
  %1 = const [255, 0, 7, 1] : u8[1,1,4]
  %2 = const [1, -1] : sbit[1,1,2]
  %3 = iconv %1, %2 {stride=[2]} : i32[1,1,2]
  %4 = iconv %1, %2 {stride=[2], to="i16"} : i16[1,1,2]
  return %3 "z", %4 "narrow"`,
})

var integerConvAttrs = append(slices.Clone(convAttrs),
	Attr{Name: "to", Kind: KString, Default: "i32", Doc: "integer type of z: i8, i16 or i32; a value outside wraps"},
	Attr{Name: "signed", Kind: KBool, Default: false, Doc: "with t and flip: the result is sbit"})

// integerConvInfer infers bconv and iconv.
func integerConvInfer(n *Node) ([]Type, error) {
	to, ok := ParseDType(n.Str("to"))
	if !ok || to != I8 && to != I16 && to != I32 {
		return nil, fmt.Errorf("to is %q, expected i8, i16 or i32", n.Str("to"))
	}
	m := *n
	m.Args = n.Args[:2] // the third operand is no bias
	types, err := convInfer(&m, to)
	if err != nil || n.Arg(2) == nil && n.Arg(3) == nil {
		return types, err
	}
	if n.Arg(2) == nil || n.Arg(3) == nil {
		return nil, fmt.Errorf("t and flip go together, one is left out")
	}
	types[0].DType = bitType(n.Bool("signed"))
	return types, thresholdOperands(n, 2, types[0].Shape[1])
}

// integerConvEval evaluates bconv and iconv.
func integerConvEval(n *Node, in []*Tensor) ([]*Tensor, error) {
	w, err := convWindow(n)
	if err != nil {
		return nil, err
	}
	out := NewTensor(n.Results[0].Type)
	clear(out.Ints())
	convolve(n, w, out.Ints(), in[0].Ints(), in[1].Ints())
	if n.Arg(2) == nil {
		for i, z := range out.Ints() {
			out.Ints()[i] = WrapInt(out.Type.DType, z)
		}
		return []*Tensor{out}, nil
	}
	off, _ := out.Type.DType.Range()
	eachChannel(out.Type.Shape, 1, func(i, c int) {
		bit := (out.Int(i) >= in[2].Int(c)) != (in[3].Int(c) == 1)
		out.Ints()[i] = off
		if bit {
			out.Ints()[i] = 1
		}
	})
	return []*Tensor{out}, nil
}
