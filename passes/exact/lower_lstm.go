package exact

import (
	"math"

	"github.com/billnet/billnet/ir"
	"github.com/billnet/billnet/passes"
	"github.com/billnet/billnet/passes/analysis"
	"github.com/billnet/billnet/passes/report"
)

// LowerLSTM is the pass lower-lstm.
var LowerLSTM = &passes.Pass{
	Name: "lower-lstm",
	Doc: "A bin_lstm whose input is bits and whose weights are -1 and +1 becomes a blstm: all integers, every gate one comparison, " +
		"its threshold found by searching the accumulator with the norm's own float32 expression.",
	Class: passes.Exact,
	Needs: BinaryActivations,
	After: []string{"integers", "roll-lstm"},
	Run: passes.EachFunc(func(c *passes.Context, f *ir.Func) error {
		return c.Rewrite(f, sinkLayout, func(rw *passes.Rewriter, n *ir.Node) []*ir.Value { return lowerLSTM(rw, c, n) })
	}),
}

func lowerLSTM(rw *passes.Rewriter, c *passes.Context, n *ir.Node) []*ir.Value {
	if n.Op != ir.BinLSTM {
		return nil
	}
	x := ir.Unwrap(n.Args[0], ir.ToFloat)
	wi, wh := analysis.RecoverBinary(ir.ConstOf(n.Args[1])), analysis.RecoverBinary(ir.ConstOf(n.Args[2]))
	if x == nil || !x.Type.DType.IsLogic() || wi == nil || wh == nil || !wi.Unit() || !wh.Unit() || wi.Bits.Type.DType != ir.SBit || wh.Bits.Type.DType != ir.SBit {
		return nil
	}
	h0, c0 := integerState(n.Args[7], ir.Tern), integerState(n.Args[8], ir.I16)
	if h0 == nil || c0 == nil {
		return nil
	}
	for _, v := range c0.Ints() {
		if v+int64(n.In(0).Shape[1]) > math.MaxInt16 || v-int64(n.In(0).Shape[1]) < -math.MaxInt16 {
			return nil // the counter could saturate where the float cell does not
		}
	}
	rows := n.In(1).Shape[0]
	ch := &chain{axis: 1, c: rows, z: &ir.Value{Type: ir.T(ir.I32, 1, rows)}}
	var err error
	zf := &ir.Value{Type: ir.T(ir.F32, 1, rows)}
	norm, err := ir.NewNode(ir.BatchNorm, append([]*ir.Value{zf}, n.Args[3:7]...), map[string]any{"epsilon": n.Float("epsilon")}, n.Loc)
	if err != nil {
		rw.Err = err
		return nil
	}
	ch.ops, ch.which = []*ir.Node{norm}, []int{0}
	ch.base = &ir.Node{Op: ir.ToFloat}
	reach := int64(n.In(1).Shape[1] + n.In(2).Shape[1])
	cert := &report.Certificate{Layer: n.Loc.Name}
	// The gates may differ in strictness: each kind of gate is searched over all
	// rows, and every row takes the proof of its own kind.
	hidden := n.In(2).Shape[1]
	proofs := map[int]*report.Certificate{}
	for _, strict := range n.Ints("strict") {
		if proofs[strict] != nil {
			continue
		}
		if ch.step, err = ir.NewNode(ir.Step, []*ir.Value{norm.Result()}, map[string]any{"strict": strict == 1}, n.Loc); err != nil {
			rw.Err = err
			return nil
		}
		found, err := ch.search(rw.Ctx(), analysis.Uniform(-reach, reach))
		if err != nil || found == nil {
			rw.Err = err
			return nil
		}
		proofs[strict] = found
	}
	for r := range rows {
		kind := proofs[n.Ints("strict")[r/hidden]]
		cert.Channels = append(cert.Channels, kind.Channels[r])
		cert.Sources = append(cert.Sources, kind.Sources[0])
	}
	t, flip := cert.Constants()
	c.Record(cert)
	cell := rw.Node(ir.BLSTM, map[string]any{"sign0": n.Int("sign0")}, x, rw.Const(wi.Bits), rw.Const(wh.Bits), rw.Const(t), rw.Const(flip), rw.Const(h0), rw.Const(c0))
	if cell == nil {
		return nil
	}
	return []*ir.Value{rw.Op(ir.ToFloat, nil, cell.Results[0]), rw.Op(ir.ToFloat, nil, cell.Results[1]), rw.Op(ir.ToFloat, nil, cell.Results[2])}
}

// integerState converts a constant state to an integer type, nil when it is no
// constant or not whole numbers within the type.
func integerState(v *ir.Value, d ir.DType) *ir.Tensor {
	t := ir.ConstOf(v)
	if t == nil {
		return nil
	}
	lo, hi := d.Range()
	for i := range t.Len() {
		if x := t.Float(i); x != math.Trunc(x) || x < float64(lo) || x > float64(hi) {
			return nil
		}
	}
	return t.Convert(d)
}
