package ir

var BitAnd = register(&Op{
	Name:     "bit_and",
	Doc:      "y = a AND b: the bit is set where both are set. Operands broadcast; both are bit or both sbit.",
	Levels:   Logic | Packed,
	Of:       []*Op{And, Mul, Min},
	Kind:     Elementwise,
	Operands: []Param{{Name: "a"}, {Name: "b"}},
	Results:  []Param{{Name: "y"}},
	Infer:    binaryInfer(DType.IsBit, Invalid),
	Eval:     gateEval(func(a, b bool) bool { return a && b }),
	Slope:    slopes(Rising),
	Example: `
  %1 = const [0, 0, 1, 1] : bit[4]
  %2 = const [0, 1, 0, 1] : bit[4]
  %3 = bit_and %1, %2 : bit[4]
  return %3 "y"`,
})
