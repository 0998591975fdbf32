package bytecode

import (
	"fmt"

	"github.com/billnet/billnet/ir"
	"github.com/billnet/billnet/runtime/billb"
)

// onPlanes are the operations that have kernels on planes.
var onPlanes = map[*ir.Op]row{
	ir.BConv:     {consts: []int{1, 2, 3}, params: conv},
	ir.IConv:     {consts: []int{1, 2, 3}},
	ir.MaxPool:   {op: "bit_max_pool", params: bitPool},
	ir.MinPool:   {op: "bit_min_pool", params: bitPool},
	ir.BitAnd:    {},
	ir.BitOr:     {},
	ir.BitXor:    {},
	ir.BitNot:    {},
	ir.Mux:       {},
	ir.MuxOr:     {},
	ir.Count:     {params: count},
	ir.Threshold: {consts: []int{1, 2}, params: along},
	ir.Relayout:  {},
	ir.Shift:     {params: along},
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
		l.Ints()[i], h.Ints()[i] = int64(los[i]), int64(his[i])
		if his[i]-los[i] >= 1<<16 {
			acc = 32
		}
	}
	if d := n.Result().Type.DType; d == ir.I32 {
		acc = 32
	}
	return g.constant(l), g.constant(h), acc, nil
}

func conv(n *ir.Node) billb.Params {
	return &billb.Conv{Stride: each3(n, "stride", 1), Pad: each3(n, "pad", 0), Dilation: each3(n, "dilation", 1), Groups: n.Int("groups")}
}

func bitPool(n *ir.Node) billb.Params {
	return &billb.BitPool{Kernel: each3(n, "kernel", 1), Stride: each3(n, "stride", 1), Pad: each3(n, "pad", 0), Dilation: each3(n, "dilation", 1)}
}

// each3 is an attribute for t, h and w, or fill where it is empty.
func each3(n *ir.Node, name string, fill int) [3]int { return [3]int(spread(n, name, 3, fill)) }

// count is over t, h and w, or over h and w only.
func count(n *ir.Node) billb.Params {
	if len(n.Ints("axes")) == 2 {
		return &billb.Count{Mode: billb.CountCT}
	}
	return &billb.Count{Mode: billb.CountC}
}
