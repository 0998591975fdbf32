package ir

import "fmt"

var Concat = register(&Op{
	Name:     "concat",
	Doc:      "Joins tensors along an axis; all other axes have equal sizes.",
	Onnx:     "Concat",
	Since:    1,
	Levels:   Source | Logic | Packed,
	Kind:     Moves,
	Operands: []Param{{Name: "x", Doc: "one tensor or more", Variadic: true}},
	Results:  []Param{{Name: "y"}},
	Attrs:    []Attr{{Name: "axis", Kind: KInt, Doc: "the axis to join along"}},
	Infer: func(n *Node) ([]Type, error) {
		if len(n.Args) == 0 {
			return nil, fmt.Errorf("no operands, expected at least 1")
		}
		x := n.In(0)
		a, err := axisAttr(n, x.Rank())
		if err != nil {
			return nil, err
		}
		shape := append([]int{}, x.Shape...)
		for i := 1; i < len(n.Args); i++ {
			t := n.In(i)
			if t.DType != x.DType || t.Rank() != x.Rank() || !SameShape(t.Shape[:a], x.Shape[:a]) || !SameShape(t.Shape[a+1:], x.Shape[a+1:]) {
				return nil, fmt.Errorf("operand %d is %s, expected %s but for axis %d", i, t, x, a)
			}
			if shape[a] += t.Shape[a]; shape[a] < 0 {
				return nil, fmt.Errorf("axis %d of the result is too large", a)
			}
		}
		return []Type{T(x.DType, shape...)}, nil
	},
	Eval: func(n *Node, in []*Tensor) ([]*Tensor, error) {
		out := NewTensor(n.Results[0].Type)
		if out.Len() == 0 {
			return []*Tensor{out}, nil
		}
		a, err := axisAttr(n, out.Type.Rank())
		if err != nil {
			return nil, err
		}
		outer, inner := outerInner(out.Type.Shape, a)
		at := 0
		for o := range outer {
			for _, x := range in {
				chunk := x.Type.Shape[a] * inner
				copyElems(out, at, x, o*chunk, chunk)
				at += chunk
			}
		}
		return []*Tensor{out}, nil
	},
	Reads: func(n *Node, _, operand int) []Read {
		r := sames(n.In(0).Rank(), 0)
		a, _ := axisAttr(n, len(r))
		before := 0
		for i := range operand {
			before += n.In(i).Shape[a]
		}
		r[a] = stepping(a, -before, 1)
		return r
	},
	Example: `
  %1 = const [1, 0] : bit[2,1]
  %2 = const [] : bit[2,0]
  %3 = concat %1, %2, %1 {axis=-1} : bit[2,2]
  return %3 "y"`,
})
