package ir

import "fmt"

// variadicInfer is the inference of an elementwise operation of one operand or
// more with equal element types, one of the allowed kinds, under broadcasting.
func variadicInfer(allowed func(DType) bool) func(n *Node) ([]Type, error) {
	return func(n *Node) ([]Type, error) {
		if len(n.Args) == 0 {
			return nil, fmt.Errorf("no operands, expected at least 1")
		}
		x := n.In(0)
		if !allowed(x.DType) {
			return nil, fmt.Errorf("operands are %s: not defined for that element type", x)
		}
		shape := append([]int{}, x.Shape...)
		for i := 1; i < len(n.Args); i++ {
			t := n.In(i)
			if t.DType != x.DType {
				return nil, fmt.Errorf("operand %d is %s, expected the element type of %s", i, t, x)
			}
			var err error
			if shape, err = Broadcast(shape, t.Shape); err != nil {
				return nil, fmt.Errorf("operand %d: %w", i, err)
			}
			if err := CheckShape(shape); err != nil {
				return nil, err
			}
		}
		return []Type{T(x.DType, shape...)}, nil
	}
}

// variadicEval folds the operands from left to right into the result.
func variadicEval(f32 func(a, b float32) float32, f64 func(a, b float64) float64, i64 func(a, b int64) int64) func(n *Node, in []*Tensor) ([]*Tensor, error) {
	return func(n *Node, in []*Tensor) ([]*Tensor, error) {
		out := NewTensor(n.Results[0].Type)
		d, shape := out.Type.DType, out.Type.Shape
		stridedCopy(out, in[0], 0, broadcastStrides(in[0].Type.Shape, shape))
		for _, x := range in[1:] {
			walk(shape, func(i int, off []int) {
				switch {
				case out.HoldsFloats():
					out.Floats()[i] = RoundFloat(d, f32(out.Float32(i), x.Float32(off[0])))
				case out.HoldsDoubles():
					out.Doubles()[i] = f64(out.Float(i), x.Float(off[0]))
				default:
					out.Ints()[i] = WrapInt(d, i64(out.Int(i), x.Int(off[0])))
				}
			}, broadcastStrides(x.Type.Shape, shape))
		}
		return []*Tensor{out}, nil
	}
}
