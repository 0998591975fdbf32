package ir

// gateEval evaluates a gate of two bit operands under broadcasting.
func gateEval(f func(a, b bool) bool) func(n *Node, in []*Tensor) ([]*Tensor, error) {
	return func(n *Node, in []*Tensor) ([]*Tensor, error) {
		out := NewTensor(n.Results[0].Type)
		shape := out.Type.Shape
		walk(shape, func(i int, off []int) {
			if f(in[0].Int(off[0]) > 0, in[1].Int(off[1]) > 0) {
				out.Ints()[i] = 1
			}
		}, broadcastStrides(in[0].Type.Shape, shape), broadcastStrides(in[1].Type.Shape, shape))
		return []*Tensor{out}, nil
	}
}
