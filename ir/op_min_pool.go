package ir

import "fmt"

var MinPool = register(&Op{
	Name:     "min_pool",
	Doc:      "Smallest element under a window; padding is ignored. On bits it is AND.",
	Levels:   Logic | Packed,
	Of:       []*Op{MaxPool},
	Kind:     Windows,
	Values:   Taken,
	Operands: []Param{{Name: "x", Doc: "integer or logic [N,C,spatial...]"}},
	Results:  []Param{{Name: "y"}},
	Attrs:    poolAttrs,
	Infer: func(n *Node) ([]Type, error) {
		if n.In(0).DType.IsFloat() {
			return nil, fmt.Errorf("x is %s, expected an integer or logic type", n.In(0))
		}
		return poolInfer(n)
	},
	Eval: func(n *Node, in []*Tensor) ([]*Tensor, error) {
		w, err := poolWindow(n)
		if err != nil {
			return nil, err
		}
		out := NewTensor(n.Results[0].Type)
		_, hi := out.Type.DType.Range()
		w.pool(out.Type.Shape[0]*out.Type.Shape[1], func(at int, _, taps []int) {
			v := hi
			for _, off := range taps {
				v = min(v, in[0].Int(off))
			}
			out.Ints()[at] = v
		})
		return []*Tensor{out}, nil
	},
	Slope: slopes(Rising),
	Reads: poolReads,
	Example: `
  %1 = const [1, 1, 0, 1] : bit[1,1,4]
  %2 = min_pool %1 {kernel=[2], stride=[2]} : bit[1,1,2]
  return %2 "y"`,
})
