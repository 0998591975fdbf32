package ir

import "fmt"

var Where = register(&Op{
	Name:     "where",
	Doc:      "y = a where cond is true, b elsewhere, with broadcasting of all three.",
	Onnx:     "Where",
	Since:    9,
	Levels:   Source | Logic | Packed,
	Kind:     Elementwise,
	Values:   Taken,
	Operands: []Param{{Name: "cond", Doc: "bool", Index: true}, {Name: "a"}, {Name: "b"}},
	Results:  []Param{{Name: "y"}},
	Infer: func(n *Node) ([]Type, error) {
		c, a, b := n.In(0), n.In(1), n.In(2)
		if c.DType != Bool {
			return nil, fmt.Errorf("cond is %s, expected bool", c)
		}
		if a.DType != b.DType {
			return nil, fmt.Errorf("a is %s and b is %s, expected equal element types", a, b)
		}
		shape, err := Broadcast(a.Shape, b.Shape)
		if err != nil {
			return nil, err
		}
		if shape, err = Broadcast(c.Shape, shape); err != nil {
			return nil, err
		}
		return []Type{T(a.DType, shape...)}, nil
	},
	Eval: func(n *Node, in []*Tensor) ([]*Tensor, error) {
		c, a, b := in[0], in[1], in[2]
		out := NewTensor(n.Results[0].Type)
		shape := out.Type.Shape
		walk(shape, func(i int, off []int) {
			if c.Int(off[0]) != 0 {
				copyElem(out, i, a, off[1])
			} else {
				copyElem(out, i, b, off[2])
			}
		}, broadcastStrides(c.Type.Shape, shape), broadcastStrides(a.Type.Shape, shape), broadcastStrides(b.Type.Shape, shape))
		return []*Tensor{out}, nil
	},
	Slope: slopes(Unknown, Rising),
	Example: `
  %1 = const [1, 0] : bool[2]
  %2 = const [1] : sbit[]
  %3 = const [-1, 1] : sbit[2,1]
  %4 = where %1, %2, %3 : sbit[2,2]
  return %4 "y"`,
})
