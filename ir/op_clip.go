package ir

import "fmt"

var Clip = register(&Op{
	Name:     "clip",
	Doc:      "y = x limited to at least min, then to at most max: with min above max, y is max. A bound that is left out or NaN does not limit; NaN in x stays.",
	Onnx:     "Clip",
	Levels:   Source | Logic | Packed,
	Kind:     Elementwise,
	Values:   Taken,
	Operands: []Param{{Name: "x"}, {Name: "min", Doc: "one element", Optional: true}, {Name: "max", Doc: "one element", Optional: true}},
	Results:  []Param{{Name: "y"}},
	Infer: func(n *Node) ([]Type, error) {
		x := n.In(0)
		if !isNumber(x.DType) {
			return nil, fmt.Errorf("x is %s: not defined for that element type", x)
		}
		for i := 1; i < 3; i++ {
			if b := n.Arg(i); b != nil && (b.Type.DType != x.DType || b.Type.Elems() != 1) {
				return nil, fmt.Errorf("%s is %s, expected one %s", n.Op.Operands[i].Name, b.Type, x.DType)
			}
		}
		return []Type{T(x.DType, x.Shape...)}, nil
	},
	Eval: func(n *Node, in []*Tensor) ([]*Tensor, error) {
		x, out := in[0], NewTensor(n.Results[0].Type)
		copyElems(out, 0, x, 0, x.Len())
		if len(in) > 1 && in[1] != nil {
			raise(out.F, in[1].F)
			raise(out.D, in[1].D)
			raise(out.I, in[1].I)
		}
		if len(in) > 2 && in[2] != nil {
			lower(out.F, in[2].F)
			lower(out.D, in[2].D)
			lower(out.I, in[2].I)
		}
		return []*Tensor{out}, nil
	},
	Slope: slopes(Rising),
	Example: `
  %1 = const [-3, 0.5, nan, 3] : f32[4]
  %2 = const [1] : f32[]
  %3 = clip %1, _, %2 : f32[4]
  return %3 "y"`,
})

// raise and lower limit every element of x by the one element of bound.
func raise[E number](x, bound []E) {
	for i := range x {
		if x[i] < bound[0] {
			x[i] = bound[0]
		}
	}
}

func lower[E number](x, bound []E) {
	for i := range x {
		if x[i] > bound[0] {
			x[i] = bound[0]
		}
	}
}
