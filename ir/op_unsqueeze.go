package ir

var Unsqueeze = register(&Op{
	Name:     "unsqueeze",
	Doc:      "Inserts axes of size 1.",
	Onnx:     "Unsqueeze",
	Since:    1,
	Levels:   Source | Logic | Packed,
	Kind:     Moves,
	Operands: []Param{{Name: "x"}},
	Results:  []Param{{Name: "y"}},
	Attrs:    []Attr{{Name: "axes", Kind: KInts, Doc: "axes of y that are new"}},
	Infer: func(n *Node) ([]Type, error) {
		x, axes := n.In(0), n.Ints("axes")
		if len(axes) == 0 {
			return []Type{T(x.DType, x.Shape...)}, nil
		}
		added, err := Axes(axes, x.Rank()+len(axes))
		if err != nil {
			return nil, err
		}
		shape := make([]int, len(added))
		next := 0
		for a := range shape {
			if added[a] {
				shape[a] = 1
				continue
			}
			shape[a] = x.Shape[next]
			next++
		}
		return []Type{T(x.DType, shape...)}, nil
	},
	Eval:  reshapeEval,
	Reads: reshapeReads,
	Example: `
  %1 = const [1, 2] : f32[2]
  %2 = unsqueeze %1 {axes=[0,-1]} : f32[1,2,1]
  return %2 "y"`,
})
