package ir

import "fmt"

var DepthToSpace = register(&Op{
	Name: "depth_to_space",
	Doc: "Moves channels into blocks of b x b positions: x [N,C,H,W] becomes y [N,C/b^2,H*b,W*b] with y[n,c,h*b+i,w*b+j] = x[n,k,h,w], " +
		"where k is (i*b + j)*C/b^2 + c in mode DCR and c*b^2 + i*b + j in mode CRD.",
	Onnx:     "DepthToSpace",
	Since:    1,
	Levels:   Source | Logic | Packed,
	Kind:     Moves,
	Operands: []Param{{Name: "x", Doc: "[N,C,H,W]"}},
	Results:  []Param{{Name: "y", Doc: "[N,C/b^2,H*b,W*b]"}},
	Attrs: []Attr{
		{Name: "blocksize", Kind: KInt, Doc: "b"},
		{Name: "mode", Kind: KString, Default: "DCR", Doc: "DCR or CRD"},
	},
	Infer: func(n *Node) ([]Type, error) {
		x, b, mode := n.In(0), n.Int("blocksize"), n.Str("mode")
		if x.Rank() != 4 {
			return nil, fmt.Errorf("x is %s, expected [N,C,H,W]", x)
		}
		if b < 1 || b >= 1<<15 || x.Shape[1]%(b*b) != 0 {
			return nil, fmt.Errorf("blocksize is %d, expected 1 or more and a square that divides %d channels", b, x.Shape[1])
		}
		if x.Shape[2] >= MaxElems || x.Shape[3] >= MaxElems {
			return nil, fmt.Errorf("x is %s, expected sizes below 2^31", x)
		}
		if mode != "DCR" && mode != "CRD" {
			return nil, fmt.Errorf("mode is %q, expected DCR or CRD", mode)
		}
		return []Type{T(x.DType, x.Shape[0], x.Shape[1]/(b*b), x.Shape[2]*b, x.Shape[3]*b)}, nil
	},
	Eval: func(n *Node, in []*Tensor) ([]*Tensor, error) {
		x, out, b := in[0], NewTensor(n.Results[0].Type), n.Int("blocksize")
		c, h, w := out.Type.Shape[1], x.Type.Shape[2], x.Type.Shape[3]
		channel, row, col := 1, b*c, c // steps of k for c, i and j
		if n.Str("mode") == "CRD" {
			channel, row, col = b*b, b, 1
		}
		blocks := out.Reshape(x.Type.Shape[0], c, h, b, w, b)
		stridedCopy(blocks, x, 0, []int{x.Type.Shape[1] * h * w, channel * h * w, w, row * h * w, 1, col * h * w})
		return []*Tensor{out}, nil
	},
	Reads: func(n *Node, _, _ int) []Read {
		b := n.Int("blocksize")
		c := AxisWindow{Kernel: b * b, Stride: 1, Dilation: max(n.Results[0].Type.Shape[1], 1), Share: 1}
		if n.Str("mode") == "CRD" {
			c.Stride, c.Dilation = b*b, 1
		}
		return []Read{same(0), {Kind: ReadWindow, Of: 1, Window: c}, sharing(2, b), sharing(3, b)}
	},
	Example: `
  %1 = const [1, 2, 3, 4] : f32[1,4,1,1]
  %2 = depth_to_space %1 {blocksize=2} : f32[1,1,2,2]
  return %2 "y"`,
})
