package ir

import "fmt"

var BConv = register(&Op{
	Name: "bconv",
	Doc: "Binary convolution: z[n,o,p] = sum over i in o's group and taps k of w[o,i,k] * x[n,i,p*stride + k*dilation - pad] in integers. Zero padding adds exactly 0 for " +
		"both encodings. With t and flip the result is the bit (z >= t[o]) != flip[o].",
	Levels:   Logic | Packed,
	Of:       []*Op{Conv},
	Kind:     Windows,
	Operands: []Param{{Name: "x", Doc: "bit or sbit [N,C,spatial...]"}, {Name: "w", Doc: "sbit or tern [O,C/groups,kernel...]"}, {Name: "t", Doc: "i32[O]", Optional: true}, {Name: "flip", Doc: "bit[O]", Optional: true}},
	Results:  []Param{{Name: "z", Doc: "an integer type, or bit or sbit with t and flip"}},
	Attrs:    integerConvAttrs,
	Infer: func(n *Node) ([]Type, error) {
		if !n.In(0).DType.IsBit() || n.In(1).DType != SBit && n.In(1).DType != Tern {
			return nil, fmt.Errorf("x is %s and w is %s, expected bit or sbit, and sbit or tern", n.In(0), n.In(1))
		}
		return integerConvInfer(n)
	},
	Eval:  integerConvEval,
	Work:  convWork,
	Reads: func(n *Node, _, operand int) []Read { return convReads(n, n, operand) },
	Example: `
  %1 = const [1, 0, 1, 1] : bit[1,1,4]
  %2 = const [1, -1, -1] : sbit[1,1,3]
  %3 = bconv %1, %2 {pad=[1,1]} : i32[1,1,4]
  %4 = const [0] : i32[1]
  %5 = const [1] : bit[1]
  %6 = bconv %1, %2, %4, %5 {pad=[1,1]} : bit[1,1,4]
  return %3 "z", %6 "y"`,
})
