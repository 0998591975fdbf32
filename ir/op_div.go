package ir

import "fmt"

var Div = register(&Op{
	Name:     "div",
	Doc:      "y = a / b, with broadcasting. Integers truncate toward zero; an integer divided by zero is an error.",
	Onnx:     "Div",
	Since:    1,
	Levels:   Source | Logic | Packed,
	Kind:     Elementwise,
	Operands: []Param{{Name: "a"}, {Name: "b"}},
	Results:  []Param{{Name: "y"}},
	Infer:    binaryInfer(isNumber, Invalid),
	Eval: func(n *Node, in []*Tensor) ([]*Tensor, error) {
		if err := noZeroDivisor(n, in[1]); err != nil {
			return nil, err
		}
		return divEval(n, in)
	},
	Slope: func(n *Node, i int) Slope { return slopeBy(n, i, 0, 1) },
	Example: `
  %1 = const [7, -7] : i32[2]
  %2 = const [2] : i32[]
  %3 = div %1, %2 : i32[2]
  return %3 "y"`,
})

var divEval = binaryEval(
	func(a, b float32) float32 { return a / b },
	func(a, b float64) float64 { return a / b },
	func(a, b int64) int64 { return a / b })

// noZeroDivisor refuses integers b of which one is 0, where anything is divided.
func noZeroDivisor(n *Node, b *Tensor) error {
	if n.Results[0].Type.Elems() == 0 {
		return nil
	}
	for i, v := range b.Ints() {
		if v == 0 {
			return fmt.Errorf("element %d of b is 0: an integer division by zero", i)
		}
	}
	return nil
}
