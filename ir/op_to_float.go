package ir

import "fmt"

var ToFloat = register(&Op{
	Name:     "to_float",
	Doc:      "The number itself as f32: y = x. Exact while |x| < 2^24.",
	Levels:   Logic | Packed,
	Kind:     Elementwise,
	Operands: []Param{{Name: "x", Doc: "integer, bool, bit, sbit or tern"}},
	Results:  []Param{{Name: "y", Doc: "f32"}},
	Infer: func(n *Node) ([]Type, error) {
		if n.In(0).DType.IsFloat() {
			return nil, fmt.Errorf("x is %s, expected an integer or logic type", n.In(0))
		}
		return []Type{n.In(0).With(F32)}, nil
	},
	Eval:  func(n *Node, in []*Tensor) ([]*Tensor, error) { return []*Tensor{in[0].Convert(F32)}, nil },
	Slope: slopes(Rising),
	Example: `
  %1 = const [1, -1, 1] : sbit[3]
  %2 = to_float %1 : f32[3]
  return %2 "y"`,
})
