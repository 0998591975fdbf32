package ir

var Sign = register(&Op{
	Name:     "sign",
	Doc:      "y = -1, 0 or 1 as x is negative, zero (of either sign) or positive; NaN stays NaN.",
	Onnx:     "Sign",
	Since:    9,
	Levels:   Source | Logic | Packed,
	Kind:     Elementwise,
	Values:   Folded,
	Flat:     true,
	Operands: []Param{{Name: "x"}},
	Results:  []Param{{Name: "y"}},
	Infer:    unaryInfer(isNumber, Invalid),
	Eval:     unaryEval(signOf[float32], signOf[float64], signOf[int64]),
	Slope:    slopes(Rising),
	Example: `
  %1 = const [-2.5, 0, 1e-45, nan] : f32[4]
  %2 = sign %1 : f32[4]
  return %2 "y"`,
})

func signOf[E number](x E) E {
	switch {
	case x > 0:
		return 1
	case x < 0:
		return -1
	case x == 0:
		return 0
	}
	return x
}
