package exact

import (
	"fmt"

	"github.com/billnet/billnet/ir"
	"github.com/billnet/billnet/passes"
	"github.com/billnet/billnet/passes/analysis"
)

// FoldConstants is the pass fold-constants.
var FoldConstants = &passes.Pass{
	Name:  "fold-constants",
	Doc:   "Evaluates every node whose operands are constants, drops identities, and lets elementwise operations stretch operands instead of storing what repeats.",
	Class: passes.Exact,
	Run: passes.EachFunc(func(c *passes.Context, f *ir.Func) error {
		return passes.Rewrite(f, foldNode, dropIdentity, shrinkOperands)
	}),
}

func foldNode(rw *passes.Rewriter, n *ir.Node) []*ir.Value {
	if n.Op == ir.Const || len(n.Args) == 0 || isSpread(n) {
		return nil
	}
	in := make([]*ir.Tensor, len(n.Args))
	for i, a := range n.Args {
		if a == nil {
			continue
		}
		if in[i] = ir.ConstOf(a); in[i] == nil {
			return nil
		}
	}
	for _, r := range n.Results {
		if r.Type.Elems() > analysis.MaxFolded {
			return nil
		}
	}
	out, err := ir.EvalNode(n, in)
	if err != nil {
		rw.Err = fmt.Errorf("folding a constant: %w", err)
		return nil
	}
	vals := make([]*ir.Value, len(out))
	for i, t := range out {
		vals[i] = rw.Const(t)
	}
	return vals
}

func dropIdentity(rw *passes.Rewriter, n *ir.Node) []*ir.Value {
	same := func() bool {
		x, y := n.Args[0].Type, n.Results[0].Type
		return x.DType == y.DType && ir.SameShape(x.Shape, y.Shape)
	}
	switch n.Op {
	case ir.Identity:
		return n.Args[:1]
	case ir.Cast, ir.Reshape, ir.Squeeze, ir.Unsqueeze, ir.Expand:
		if same() {
			return n.Args[:1]
		}
	case ir.Transpose:
		for i, p := range n.Ints("perm") {
			if p != i {
				return nil
			}
		}
		if len(n.Ints("perm")) > 0 {
			return n.Args[:1]
		}
	}
	return nil
}
