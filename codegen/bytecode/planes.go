package bytecode

import (
	"fmt"

	"github.com/billnet/billnet/ir"
)

// onPlanes are the operations that have kernels on planes.
var onPlanes = map[*ir.Op]row{
	ir.BConv:     {consts: []int{1, 2, 3}, ints: convInts},
	ir.IConv:     {consts: []int{1, 2, 3}, ints: convInts},
	ir.MaxPool:   {op: "bit_max_pool", ints: poolInts},
	ir.MinPool:   {op: "bit_min_pool", ints: poolInts},
	ir.BitAnd:    {},
	ir.BitOr:     {},
	ir.BitXor:    {},
	ir.BitNot:    {},
	ir.Mux:       {},
	ir.MuxOr:     {},
	ir.Count:     {ints: countMode},
	ir.Threshold: {consts: []int{1, 2}, ints: ints("axis")},
	ir.Relayout:  {},
	ir.Recode:    {},
}

// bounds stores an iconv's bounds and chooses the accumulator's width: sums may
// wrap at 16 bits as long as the range of every channel fits them.
func (g *gen) bounds(n *ir.Node) (lo, hi, acc int, err error) {
	los, his := n.Ints("lo"), n.Ints("hi")
	if len(los) != n.In(1).Shape[0] || len(his) != len(los) {
		return 0, 0, 0, fmt.Errorf("BUG: no bounds of the accumulator are recorded")
	}
	l, h := ir.NewTensor(ir.T(ir.I32, len(los))), ir.NewTensor(ir.T(ir.I32, len(los)))
	acc = 16
	for i := range los {
		l.I[i], h.I[i] = int64(los[i]), int64(his[i])
		if his[i]-los[i] >= 1<<16 {
			acc = 32
		}
	}
	if d := n.Result().Type.DType; d == ir.I32 {
		acc = 32
	}
	return g.constant(l), g.constant(h), acc, nil
}

func convInts(n *ir.Node) []int64 {
	out := append(spread(n, "stride", 3, 1), spread(n, "pad", 3, 0)...)
	out = append(out, spread(n, "dilation", 3, 1)...)
	return append(out, int64(n.Int("groups")))
}

func poolInts(n *ir.Node) []int64 {
	out := append(spread(n, "kernel", 3, 1), spread(n, "stride", 3, 1)...)
	out = append(out, spread(n, "pad", 3, 0)...)
	return append(out, spread(n, "dilation", 3, 1)...)
}

// countMode is 0 for a count over t, h and w, 1 for one over h and w.
func countMode(n *ir.Node) []int64 {
	if len(n.Ints("axes")) == 2 {
		return []int64{1}
	}
	return []int64{0}
}
