package exact

import (
	"github.com/billnet/billnet/ir"
	"github.com/billnet/billnet/passes"
	"github.com/billnet/billnet/passes/analysis"
	"github.com/billnet/billnet/passes/hardcell"
)

// unrollLSTM writes a bin_lstm that has no kernel (weights with zeros, an input
// of more than one bit, or a float one) as steps, which become integer operations
// one by one where they can.
func unrollLSTM(rw *passes.Rewriter, c *passes.Context, n *ir.Node) []*ir.Value {
	if n.Op != ir.BinLSTM {
		return nil
	}
	wi, wh := ir.ConstOf(n.Args[1]), ir.ConstOf(n.Args[2])
	if wi == nil || wh == nil {
		return nil
	}
	var params []*ir.Tensor
	for _, a := range n.Args[3:] {
		if ir.ConstOf(a) == nil {
			return nil
		}
		params = append(params, ir.ConstOf(a))
	}
	w := &hardcell.Cell{Builder: &rw.Builder, Gates: 1, M: 1, Hidden: n.In(2).Shape[1], Norm: params[:4], Eps: n.Float("epsilon"), Strict: n.Ints("strict"), Sign0: n.Int("sign0"), Hard: hardcell.LogicStep(&rw.Builder)}
	w.Wi, w.Wh = rw.Const(analysis.Transpose2D(wi)), rw.Const(analysis.Transpose2D(wh))
	hs, cell := w.Run(n.Args[0], 1, n.Args[7], n.Args[8])
	if rw.Err != nil {
		return nil
	}
	in := n.In(0).DType
	if x := ir.Unwrap(n.Args[0], ir.ToFloat); x != nil {
		in = x.Type.DType
	}
	c.Note("the recurrent layer %q was unrolled over %d steps: only -1 and +1 over bits have a kernel, and its input is %s", n.LayerName(), len(hs), in)
	y := make([]*ir.Value, len(hs))
	for t, h := range hs {
		y[t] = rw.Op(ir.Unsqueeze, map[string]any{"axes": []int{1}}, h)
	}
	return []*ir.Value{rw.Op(ir.Concat, map[string]any{"axis": 1}, y...), hs[len(hs)-1], cell}
}
