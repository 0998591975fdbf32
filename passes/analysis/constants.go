package analysis

import "github.com/billnet/billnet/ir"

// MaxFolded bounds the size of a folded constant: an expanded splat is worth
// less than the node that makes it.
const MaxFolded = 1 << 26

// ConstantOf evaluates a value that depends on constants only; nil for others.
// Binary weights, for one, are a comparison of a latent constant.
func ConstantOf(v *ir.Value) *ir.Tensor {
	n := ir.Def(v)
	if n == nil || len(n.Args) == 0 {
		return ir.ConstOf(v)
	}
	in := make([]*ir.Tensor, len(n.Args))
	for i, a := range n.Args {
		if a == nil {
			continue
		}
		if in[i] = ConstantOf(a); in[i] == nil {
			return nil
		}
	}
	if v.Type.Elems() > MaxFolded {
		return nil
	}
	out, err := ir.EvalNode(n, in)
	if err != nil {
		return nil
	}
	return out[v.Index]
}
