package train

import "github.com/billnet/billnet/ir"

// Operations that only rename the elements' places or type share the memory of
// their operand, and its gradient. Casts among bits, bools and floats keep the
// number.
var _ = register(func(b *builder, n *ir.Node, in []*value) ([]*value, error) {
	from, to := n.In(0).DType, n.Results[0].Type.DType
	narrows := n.Is(ir.Cast) && from.IsFloat() && !to.IsFloat() && !(to == ir.Bool && in[0].kind == bitKind)
	if narrows {
		return interpret(b, n, in)
	}
	out := *in[0]
	out.shape = n.Results[0].Type.Shape
	if k := kindOf(n); k != number {
		out.kind = k
	}
	return []*value{&out}, nil
}, ir.Reshape, ir.Squeeze, ir.Unsqueeze, ir.Identity, ir.Cast, ir.ToFloat)
