package ir

var BitXor = register(&Op{
	Name:     "bit_xor",
	Doc:      "y = a XOR b: the bit is set where exactly one is set. Operands broadcast; both are bit or both sbit.",
	Levels:   Logic | Packed,
	Of:       []*Op{Xor},
	Kind:     Elementwise,
	Operands: []Param{{Name: "a"}, {Name: "b"}},
	Results:  []Param{{Name: "y"}},
	Infer:    binaryInfer(DType.IsBit, Invalid),
	Eval:     gateEval(func(a, b bool) bool { return a != b }),
	Example: `
  %1 = const [0, 0, 1, 1] : bit[4]
  %2 = const [0, 1, 0, 1] : bit[4]
  %3 = bit_xor %1, %2 : bit[4]
  return %3 "y"`,
})
