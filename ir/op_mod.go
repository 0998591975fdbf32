package ir

import (
	"fmt"
	"math"
)

var Mod = register(&Op{
	Name: "mod",
	Doc: "Remainder of a/b, a and b broadcast. It has the sign of b, or with fmod that of a, as floats always do. " +
		"An integer divided by zero is an error.",
	Onnx:     "Mod",
	Since:    10,
	Levels:   Source | Logic | Packed,
	Kind:     Elementwise,
	Operands: []Param{{Name: "a"}, {Name: "b"}},
	Results:  []Param{{Name: "y"}},
	Attrs:    []Attr{{Name: "fmod", Kind: KBool, Default: false, Doc: "the sign is that of a"}},
	Infer: func(n *Node) ([]Type, error) {
		if x := n.In(0); x.DType.IsFloat() && !n.Bool("fmod") {
			return nil, fmt.Errorf("a is %s: floats need fmod", x)
		}
		return binaryInfer(isNumber, Invalid)(n)
	},
	Eval: func(n *Node, in []*Tensor) ([]*Tensor, error) {
		fmod := n.Bool("fmod")
		if err := noZeroDivisor(n, in[1]); err != nil {
			return nil, err
		}
		return binaryEval(
			func(a, b float32) float32 { return float32(math.Mod(float64(a), float64(b))) },
			math.Mod,
			func(a, b int64) int64 { return remainder(a, b, fmod) },
		)(n, in)
	},
	Example: `
  %1 = const [-7, 7, -7, 7] : i32[4]
  %2 = const [-3] : i32[]
  %3 = mod %1, %2 : i32[4]
  %4 = mod %1, %2 {fmod=true} : i32[4]
  return %3 "y", %4 "z"`,
})

// remainder is that of a/b with the sign of b, or of a with fmod.
func remainder(a, b int64, fmod bool) int64 {
	if b == -1 { // the least integer has no quotient
		return 0
	}
	r := a % b
	if !fmod && r != 0 && (r < 0) != (b < 0) {
		r += b
	}
	return r
}
