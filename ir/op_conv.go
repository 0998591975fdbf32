package ir

import "fmt"

var convAttrs = append([]Attr{{Name: "groups", Kind: KInt, Default: 1, Doc: "channels are split into this many groups that do not see each other"}}, windowAttrs...)

var Conv = register(&Op{
	Name: "conv",
	Doc: "Convolution over the spatial axes (any number): y[n,o,p] = bias[o] + sum over i in o's group and taps k of w[o,i,k] * x[n,i,p*stride + k*dilation - pad], " +
		"zero outside. Float32 sums run over the channels, then the taps, in row-major order, and start at 0; the bias is added last.",
	Onnx:     "Conv",
	Since:    1,
	Levels:   Source | Logic | Packed,
	Kind:     Windows,
	Operands: []Param{{Name: "x", Doc: "[N,C,spatial...]"}, {Name: "w", Doc: "[O,C/groups,kernel...]"}, {Name: "bias", Doc: "[O]", Optional: true}},
	Results:  []Param{{Name: "y", Doc: "[N,O,spatial...]"}},
	Attrs:    convAttrs,
	Infer: func(n *Node) ([]Type, error) {
		if !n.In(0).DType.IsFloat() || n.In(1).DType != n.In(0).DType {
			return nil, fmt.Errorf("x is %s and w is %s, expected equal float types", n.In(0), n.In(1))
		}
		return convInfer(n, n.In(0).DType)
	},
	Eval: func(n *Node, in []*Tensor) ([]*Tensor, error) {
		out := NewTensor(n.Results[0].Type)
		w, err := convWindow(n)
		if err != nil {
			return nil, err
		}
		if out.HoldsDoubles() {
			convolve(n, w, out.Doubles(), in[0].Doubles(), in[1].Doubles())
		} else {
			convolve(n, w, out.Floats(), in[0].Floats(), in[1].Floats())
		}
		if len(in) > 2 && in[2] != nil {
			addChannels(out, in[2])
		}
		for i := range out.Floats() {
			out.Floats()[i] = RoundFloat(out.Type.DType, out.Float32(i))
		}
		return []*Tensor{out}, nil
	},
	Work:  convWork,
	Reads: func(n *Node, _, operand int) []Read { return convReads(n, n, operand) },
	Example: `
  %1 = const [1, 2, 3, 4] : f32[1,1,2,2]
  %2 = const [1, -1, 1, -1] : f32[2,1,2,1]
  %3 = const [0.5, 0] : f32[2]
  %4 = conv %1, %2, %3 {stride=[1,2], pad=[1,0,0,0]} : f32[1,2,2,1]
  return %4 "y"`,
})
