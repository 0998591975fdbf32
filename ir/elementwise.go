package ir

import "fmt"

// binaryInfer is the inference of an elementwise operation of two operands with
// equal element types, one of the allowed kinds, under broadcasting. result
// Invalid keeps the element type.
func binaryInfer(allowed func(DType) bool, result DType) func(n *Node) ([]Type, error) {
	return func(n *Node) ([]Type, error) {
		a, b := n.In(0), n.In(1)
		if a.DType != b.DType {
			return nil, fmt.Errorf("operands are %s and %s, expected equal element types", a, b)
		}
		if !allowed(a.DType) {
			return nil, fmt.Errorf("operands are %s: not defined for that element type", a)
		}
		shape, err := Broadcast(a.Shape, b.Shape)
		if err != nil {
			return nil, err
		}
		d := result
		if d == Invalid {
			d = a.DType
		}
		return []Type{T(d, shape...)}, nil
	}
}

// binaryEval evaluates an elementwise operation of two operands: f32 for f32,
// f16 and bf16 (rounded after the operation), f64 for f64, i64 for the rest
// (wrapped to the result's type). A nil function is not defined for its kind.
func binaryEval(f32 func(a, b float32) float32, f64 func(a, b float64) float64, i64 func(a, b int64) int64) func(n *Node, in []*Tensor) ([]*Tensor, error) {
	return func(n *Node, in []*Tensor) ([]*Tensor, error) {
		a, b := in[0], in[1]
		out := NewTensor(n.Results[0].Type)
		d := out.Type.DType
		sa, sb := broadcastStrides(a.Type.Shape, out.Type.Shape), broadcastStrides(b.Type.Shape, out.Type.Shape)
		walk(out.Type.Shape, func(i int, off []int) {
			switch {
			case out.HoldsFloats():
				out.Floats()[i] = RoundFloat(d, f32(a.Float32(off[0]), b.Float32(off[1])))
			case out.HoldsDoubles():
				out.Doubles()[i] = f64(a.Float(off[0]), b.Float(off[1]))
			default:
				out.Ints()[i] = WrapInt(d, i64(a.Int(off[0]), b.Int(off[1])))
			}
		}, sa, sb)
		return []*Tensor{out}, nil
	}
}

// compareEval evaluates a comparison to bool; a comparison with NaN is false.
func compareEval(float func(a, b float64) bool, integer func(a, b int64) bool) func(n *Node, in []*Tensor) ([]*Tensor, error) {
	return func(n *Node, in []*Tensor) ([]*Tensor, error) {
		a, b := in[0], in[1]
		out := NewTensor(n.Results[0].Type)
		sa, sb := broadcastStrides(a.Type.Shape, out.Type.Shape), broadcastStrides(b.Type.Shape, out.Type.Shape)
		walk(out.Type.Shape, func(i int, off []int) {
			var v bool
			if a.HoldsInts() {
				v = integer(a.Int(off[0]), b.Int(off[1]))
			} else {
				v = float(a.Float(off[0]), b.Float(off[1]))
			}
			if v {
				out.Ints()[i] = 1
			}
		}, sa, sb)
		return []*Tensor{out}, nil
	}
}

func isNumber(d DType) bool { return d.IsFloat() || d.IsInt() }
func isAny(d DType) bool    { return d != Invalid }
