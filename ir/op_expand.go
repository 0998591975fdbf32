package ir

var Expand = register(&Op{
	Name:     "expand",
	Doc:      "Broadcasts x against a shape: axes of size 1 stretch, axes missing in front are added.",
	Onnx:     "Expand",
	Since:    8,
	Levels:   Source | Logic | Packed,
	Kind:     Moves,
	Operands: []Param{{Name: "x"}},
	Results:  []Param{{Name: "y"}},
	Attrs:    []Attr{{Name: "shape", Kind: KInts, Doc: "the shape to broadcast against; a 1 keeps x's size"}},
	Infer: func(n *Node) ([]Type, error) {
		x := n.In(0)
		if err := CheckShape(n.Ints("shape")); err != nil {
			return nil, err
		}
		shape, err := Broadcast(x.Shape, n.Ints("shape"))
		if err != nil {
			return nil, err
		}
		return []Type{T(x.DType, shape...)}, nil
	},
	Eval: func(n *Node, in []*Tensor) ([]*Tensor, error) {
		out := NewTensor(n.Results[0].Type)
		stridedCopy(out, in[0], 0, broadcastStrides(in[0].Type.Shape, out.Type.Shape))
		return []*Tensor{out}, nil
	},
	Reads: func(n *Node, _, _ int) []Read { return broadcastReads(n.In(0).Shape, n.Results[0].Type.Shape) },
	Example: `
  %1 = const [1, -1] : tern[2,1]
  %2 = expand %1 {shape=[3,1,2]} : tern[3,2,2]
  return %2 "y"`,
})
