package exact

import (
	"github.com/billnet/billnet/ir"
	"github.com/billnet/billnet/passes"
	"github.com/billnet/billnet/passes/analysis"
)

// recurrentInputs: the input sums of a recurrent layer over integers, with weights
// that are binary, ternary or of few bits times a scale a row, are a matrix product
// of their own, for all steps, gates and directions at once. binaryLinear makes it
// one of integers; what is left of the layer is its states.
func recurrentInputs(rw *passes.Rewriter, n *ir.Node) []*ir.Value {
	if !n.Is(ir.LSTM) && !n.Is(ir.GRU) && !n.Is(ir.RNN) {
		return nil
	}
	w := ir.ConstOf(n.Arg(1))
	if w == nil || w.Type.DType != ir.F32 || asScaled(n.Args[0], n.In(0).Rank()-1) == nil {
		return nil
	}
	dirs, rows, in := w.Type.Shape[0], w.Type.Shape[1], w.Type.Shape[2]
	all := w.Reshape(dirs*rows, in)
	if analysis.RecoverWeights(all) == nil {
		return nil
	}
	args := append([]*ir.Value{}, n.Args...)
	args[0], args[1] = rw.Op(ir.MatMul, nil, n.Args[0], rw.Const(analysis.Transpose2D(all))), nil
	cell := rw.Node(n.Op, n.Attrs, args...)
	if cell == nil {
		return nil
	}
	return cell.Results
}
