package ir

import (
	"fmt"
	"math"
)

var Cast = register(&Op{
	Name: "cast",
	Doc: "Converts to a float, integer or bool type. Floats round to nearest, ties to even; a float becomes an integer by truncation, saturating at the type's range, NaN as 0; " +
		"integers wrap; bool is 0 for 0 and 1 for everything else, NaN included. Logic types are read as their numbers; none can be cast to.",
	Onnx:     "Cast",
	Since:    1,
	Levels:   Source | Logic | Packed,
	Kind:     Elementwise,
	Operands: []Param{{Name: "x"}},
	Results:  []Param{{Name: "y"}},
	Attrs:    []Attr{{Name: "to", Kind: KString, Doc: "name of the element type of y: f32, i64, bool ..."}},
	Infer: func(n *Node) ([]Type, error) {
		d, ok := ParseDType(n.Str("to"))
		if !ok || d.IsLogic() {
			return nil, fmt.Errorf("attribute to is %q, expected the name of a float, integer or bool type", n.Str("to"))
		}
		return []Type{T(d, n.In(0).Shape...)}, nil
	},
	Eval: func(n *Node, in []*Tensor) ([]*Tensor, error) {
		x, d := in[0], n.Results[0].Type.DType
		if d != F16 && d != BF16 || x.HoldsFloats() {
			return []*Tensor{x.Convert(d).Reshape(x.Type.Shape...)}, nil
		}
		out := NewTensor(n.Results[0].Type)
		for i := range x.Len() {
			out.Floats()[i] = RoundFloat(d, toOdd(x.Float(i)))
		}
		return []*Tensor{out}, nil
	},
	Slope: slopeIf(func(n *Node) bool { return n.Results[0].Type.DType != Bool || n.In(0).DType == Bool }),
	Example: `
  %1 = const [-1.9, 300, nan] : f32[3]
  %2 = cast %1 {to="u8"} : u8[3]
  %3 = cast %1 {to="bool"} : bool[3]
  return %2 "a", %3 "b"`,
})

// toOdd rounds to f32 so that a second rounding to a narrower type gives what
// one rounding would have: an inexact result keeps its last bit set.
func toOdd(v float64) float32 {
	f := float32(v)
	if float64(f) == v || v != v || math.IsInf(float64(f), 0) {
		return f
	}
	b := math.Float32bits(f)
	if math.Abs(float64(f)) > math.Abs(v) {
		b-- // toward zero
	}
	return math.Float32frombits(b | 1)
}
