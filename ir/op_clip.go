package ir

import (
	"cmp"
	"fmt"
	"math"
)

var Clip = register(&Op{
	Name:     "clip",
	Doc:      "y = x limited to at least min, then to at most max: with min above max, y is max. A bound that is left out is the least or greatest finite number of the type; one that is NaN does not limit; NaN in x stays.",
	Onnx:     "Clip",
	Since:    1,
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
		least, most := operand(in, 1), operand(in, 2)
		if d := x.Type.DType; d.IsFloat() {
			least, most = cmp.Or(least, Scalar(d, -LargestFinite(d))), cmp.Or(most, Scalar(d, LargestFinite(d)))
		}
		if least != nil {
			raise(out.Floats(), least.Floats())
			raise(out.Doubles(), least.Doubles())
			raise(out.Ints(), least.Ints())
		}
		if most != nil {
			lower(out.Floats(), most.Floats())
			lower(out.Doubles(), most.Doubles())
			lower(out.Ints(), most.Ints())
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

// LargestFinite is the greatest finite number of a float type.
func LargestFinite(d DType) float64 {
	switch d {
	case F64:
		return math.MaxFloat64
	case F16:
		return 65504
	case BF16:
		return 0x1.fep127
	}
	return math.MaxFloat32
}
