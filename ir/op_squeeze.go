package ir

import "fmt"

var Squeeze = register(&Op{
	Name:     "squeeze",
	Doc:      "Removes axes of size 1.",
	Onnx:     "Squeeze",
	Since:    1,
	Levels:   Source | Logic | Packed,
	Kind:     Moves,
	Operands: []Param{{Name: "x"}},
	Results:  []Param{{Name: "y"}},
	Attrs:    []Attr{{Name: "axes", Kind: KInts, Default: []int{}, Doc: "axes to remove; empty: every axis of size 1"}},
	Infer: func(n *Node) ([]Type, error) {
		x, axes := n.In(0), n.Ints("axes")
		mask, err := Axes(axes, x.Rank())
		if err != nil {
			return nil, err
		}
		shape := []int{}
		for a, d := range x.Shape {
			switch {
			case !mask[a] || len(axes) == 0 && d != 1:
				shape = append(shape, d)
			case d != 1:
				return nil, fmt.Errorf("axis %d of %s has size %d, only size 1 can be squeezed", a, x, d)
			}
		}
		return []Type{T(x.DType, shape...)}, nil
	},
	Eval:  reshapeEval,
	Reads: reshapeReads,
	Example: `
  %1 = const [1, 2] : f32[1,2,1]
  %2 = squeeze %1 {axes=[-1]} : f32[1,2]
  %3 = squeeze %1 : f32[2]
  return %2 "a", %3 "b"`,
})
