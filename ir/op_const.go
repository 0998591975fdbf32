package ir

import "fmt"

var Const = register(&Op{
	Name:    "const",
	Doc:     "A constant tensor, held by the node itself.",
	Onnx:    "Constant",
	Since:   1,
	Levels:  Source | Logic | Packed,
	Kind:    Holds,
	Results: []Param{{Name: "value"}},
	Infer: func(n *Node) ([]Type, error) {
		if n.Const == nil {
			return nil, fmt.Errorf("a const needs a payload")
		}
		if n.Const.Len() != n.Const.Type.Elems() {
			return nil, fmt.Errorf("payload has %d elements, its type is %s", n.Const.Len(), n.Const.Type)
		}
		return []Type{n.Const.Type}, nil
	},
	Eval: func(n *Node, _ []*Tensor) ([]*Tensor, error) { return []*Tensor{n.Const}, nil },
	Example: `
  %1 = const [1, -2.5, inf, nan] : f32[4]
  %2 = const splat -1 : sbit[2,3]
  return %1 "a", %2 "b"`,
})
