package analysis

import "github.com/billnet/billnet/ir"

// MovesElements reports whether a node only moves the elements of its first
// operand; further ones say where from.
func MovesElements(n *ir.Node) bool {
	if n.Op.Kind != ir.Moves || n.Op.Operands[0].Variadic {
		return false
	}
	for _, p := range n.Op.Operands[1:] {
		if !p.Index {
			return false
		}
	}
	return true
}

// PermOf returns the permutation of a transpose.
func PermOf(n *ir.Node) []int {
	if p := n.Ints("perm"); len(p) > 0 {
		return p
	}
	r := n.In(0).Rank()
	p := make([]int, r)
	for i := range p {
		p[i] = r - 1 - i
	}
	return p
}

// maxWindows bounds the windows along an axis that PoolsElements looks at.
const maxWindows = 1 << 24

// PoolsElements reports whether every window of a pool covers an element; a pool
// of very many windows counts as one that does not.
func PoolsElements(n *ir.Node) bool {
	for a, k := range n.Ints("kernel") {
		in, stride, dil, pad := n.In(0).Shape[2+a], n.IntAt("stride", a, 1), n.IntAt("dilation", a, 1), n.IntAt("pad", a, 0)
		outs := n.Result().Type.Shape[2+a]
		if outs > maxWindows {
			return false
		}
		for o := range outs {
			first := max(0, pad-o*stride+dil-1) / dil // tap that is not in the padding before
			if first >= k || o*stride+first*dil-pad >= in {
				return false
			}
		}
	}
	return true
}
