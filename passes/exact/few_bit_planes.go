package exact

import (
	"github.com/billnet/billnet/ir"
	"github.com/billnet/billnet/passes"
	"github.com/billnet/billnet/passes/analysis"
)

// maxPlanes bounds the bits of a few-bit activation that a convolution reads as
// bits of their own.
const maxPlanes = 3

// FewBitPlanes is the pass few-bit-planes.
var FewBitPlanes = &passes.Pass{
	Name: "few-bit-planes",
	Doc: "A convolution with binary weights of a few-bit activation is one of its comparisons' bits: w*(b1 + b2 + b3) is the convolution of their concatenation " +
		"with the weights repeated. Max pooling acts on every bit.",
	Class: passes.Exact,
	Needs: BinaryActivations,
	After: []string{"fuse-bn-threshold"},
	Run: passes.EachFunc(func(c *passes.Context, f *ir.Func) error {
		return c.Rewrite(f, tallyPool, tallyConv)
	}),
}

func tallyPool(rw *passes.Rewriter, n *ir.Node) []*ir.Value {
	t := ir.Def(n.Arg(0))
	if !n.Is(ir.MaxPool) || !t.Is(ir.Tally) || len(n.Results) != 1 {
		return nil
	}
	bits := make([]*ir.Value, len(t.Args))
	for i, b := range t.Args {
		bits[i] = rw.Op(ir.MaxPool, n.Attrs, b)
	}
	return []*ir.Value{rw.Op(ir.Tally, t.Attrs, bits...)}
}

func tallyConv(rw *passes.Rewriter, n *ir.Node) []*ir.Value {
	t := ir.Def(n.Arg(0))
	if !n.Is(ir.IConv) || n.Arg(2) != nil || !t.Is(ir.Tally) || t.Int("base") != 0 || len(t.Args) > maxPlanes {
		return nil
	}
	w := ir.ConstOf(n.Args[1])
	if w == nil || w.Type.DType != ir.SBit && w.Type.DType != ir.Tern {
		return nil
	}
	return []*ir.Value{rw.Op(ir.BConv, analysis.ConvAttrs(n), concatGroups(rw, t.Args, n.Int("groups")), rw.Const(repeatInputs(w, len(t.Args))))}
}

// repeatInputs returns weights [O,I,...] with the input channels k times.
func repeatInputs(w *ir.Tensor, k int) *ir.Tensor {
	s := append([]int{}, w.Type.Shape...)
	row := w.Len() / s[0]
	s[1] *= k
	out := ir.NewTensor(ir.T(w.Type.DType, s...))
	for o := range s[0] {
		for i := range k {
			copy(out.Ints()[(o*k+i)*row:], w.IntRange(o*row, (o+1)*row))
		}
	}
	return out
}
