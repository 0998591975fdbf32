package bytecode

import (
	"fmt"

	"github.com/billnet/billnet/ir"
)

// onPlanes are the operations that have kernels on planes.
var onPlanes = map[string]row{
	"bconv":     {consts: []int{1, 2, 3}, ints: convInts},
	"iconv":     {consts: []int{1, 2, 3}, ints: convInts},
	"max_pool":  {op: "bit_max_pool", ints: poolInts},
	"min_pool":  {op: "bit_min_pool", ints: poolInts},
	"bit_and":   {},
	"bit_or":    {},
	"bit_xor":   {},
	"bit_not":   {},
	"mux":       {},
	"mux_or":    {},
	"count":     {ints: countMode},
	"threshold": {consts: []int{1, 2}, ints: ints("axis")},
	"relayout":  {},
	"recode":    {},
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
