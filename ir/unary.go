package ir

import "fmt"

// unaryInfer is the inference of an elementwise operation of one operand with
// one of the allowed element types. result Invalid keeps the element type.
func unaryInfer(allowed func(DType) bool, result DType) func(n *Node) ([]Type, error) {
	return func(n *Node) ([]Type, error) {
		x := n.In(0)
		if !allowed(x.DType) {
			return nil, fmt.Errorf("x is %s: not defined for that element type", x)
		}
		d := result
		if d == Invalid {
			d = x.DType
		}
		return []Type{T(d, x.Shape...)}, nil
	}
}

// unaryEval evaluates an elementwise operation of one operand: f32 for f32, f16
// and bf16 (rounded after the operation), f64 for f64, i64 for the rest (wrapped
// to the result's type). A nil function is not defined for its kind.
func unaryEval(f32 func(x float32) float32, f64 func(x float64) float64, i64 func(x int64) int64) func(n *Node, in []*Tensor) ([]*Tensor, error) {
	return func(n *Node, in []*Tensor) ([]*Tensor, error) {
		x, out := in[0], NewTensor(n.Results[0].Type)
		d := out.Type.DType
		for i, v := range x.Floats() {
			out.Floats()[i] = RoundFloat(d, f32(v))
		}
		for i, v := range x.Doubles() {
			out.Doubles()[i] = f64(v)
		}
		for i, v := range x.Ints() {
			out.Ints()[i] = WrapInt(d, i64(v))
		}
		return []*Tensor{out}, nil
	}
}

// floatEval evaluates an elementwise float function that depends on the node's
// attributes: computed in float64 and rounded once to the element type, so that
// one definition serves all float types.
func floatEval(make func(n *Node) func(x float64) float64) func(n *Node, in []*Tensor) ([]*Tensor, error) {
	return func(n *Node, in []*Tensor) ([]*Tensor, error) {
		f := make(n)
		return unaryEval(func(x float32) float32 { return float32(f(float64(x))) }, f, nil)(n, in)
	}
}

// plain is floatEval's argument for a function without attributes.
func plain(f func(x float64) float64) func(n *Node) func(x float64) float64 {
	return func(*Node) func(x float64) float64 { return f }
}

func isSigned(d DType) bool { lo, _ := d.Range(); return d.IsFloat() || d.IsInt() && lo < 0 }
func isBool(d DType) bool   { return d == Bool }
