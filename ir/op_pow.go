package ir

import (
	"fmt"
	"math"
)

var Pow = register(&Op{
	Name: "pow",
	Doc: "y = a^b, with broadcasting, in a's element type. Floats are computed in float64 and rounded once. Of an integer a an integer power is exact modulo 2^bits " +
		"(a negative one truncates toward zero; of 0 it is an error), a float power truncates and saturates as a cast does.",
	Onnx:     "Pow",
	Since:    1,
	Levels:   Source | Logic | Packed,
	Kind:     Elementwise,
	Operands: []Param{{Name: "a"}, {Name: "b", Doc: "any float or integer type"}},
	Results:  []Param{{Name: "y"}},
	Infer: func(n *Node) ([]Type, error) {
		a, b := n.In(0), n.In(1)
		if !isNumber(a.DType) || !isNumber(b.DType) {
			return nil, fmt.Errorf("operands are %s and %s, expected floats or integers", a, b)
		}
		shape, err := Broadcast(a.Shape, b.Shape)
		if err != nil {
			return nil, err
		}
		return []Type{T(a.DType, shape...)}, nil
	},
	Eval: func(n *Node, in []*Tensor) ([]*Tensor, error) {
		a, b, out := in[0], in[1], NewTensor(n.Results[0].Type)
		shape, d := out.Type.Shape, out.Type.DType
		var err error
		walk(shape, func(i int, off []int) {
			if !a.HoldsInts() || !b.HoldsInts() {
				out.SetFloat(i, math.Pow(a.Float(off[0]), b.Float(off[1])))
				return
			}
			v, ok := intPow(a.Int(off[0]), b.Int(off[1]))
			if !ok && err == nil {
				err = fmt.Errorf("element %d is 0 to the power %d: an integer division by zero", i, b.Int(off[1]))
			}
			out.Ints()[i] = WrapInt(d, v)
		}, broadcastStrides(a.Type.Shape, shape), broadcastStrides(b.Type.Shape, shape))
		return []*Tensor{out}, err
	},
	Example: `
  %1 = const [-2, 3] : i32[2]
  %2 = const [3] : i64[]
  %3 = pow %1, %2 : i32[2]
  return %3 "y"`,
})

// intPow returns x^n modulo 2^64; false for a negative power of 0.
func intPow(x, n int64) (int64, bool) {
	if n < 0 {
		switch {
		case x == 0:
			return 0, false
		case x == 1 || x == -1 && n%2 == 0:
			return 1, true
		case x == -1:
			return -1, true
		}
		return 0, true
	}
	y := int64(1)
	for ; n > 0; n >>= 1 {
		if n&1 == 1 {
			y *= x
		}
		x *= x
	}
	return y, true
}
