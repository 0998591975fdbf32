package ir

import "fmt"

var Reshape = register(&Op{
	Name:     "reshape",
	Doc:      "The same elements in the same order under another shape.",
	Onnx:     "Reshape",
	Since:    1,
	Levels:   Source | Logic | Packed,
	Kind:     Moves,
	Operands: []Param{{Name: "x"}},
	Results:  []Param{{Name: "y"}},
	Attrs:    []Attr{{Name: "shape", Kind: KInts, Doc: "the shape of y, every dimension given"}},
	Infer: func(n *Node) ([]Type, error) {
		x, shape := n.In(0), n.Ints("shape")
		if err := CheckShape(shape); err != nil {
			return nil, err
		}
		y := T(x.DType, append([]int{}, shape...)...)
		if y.Elems() != x.Elems() {
			return nil, fmt.Errorf("x is %s with %d elements, the new shape %s has %d", x, x.Elems(), ShapeString(shape), y.Elems())
		}
		return []Type{y}, nil
	},
	Eval:  reshapeEval,
	Reads: reshapeReads,
	Example: `
  %1 = const [1, 0, 1, 1, 0, 0] : bit[2,3]
  %2 = reshape %1 {shape=[3,1,2]} : bit[3,1,2]
  return %2 "y"`,
})
