package bytecode

import (
	"fmt"
	"strings"

	"github.com/billnet/billnet/ir"
	"github.com/billnet/billnet/runtime/billb"
)

// dense are the operations on row-major tensors, but for those that instructions
// of the same name say all about (denseRow).
var dense = map[*ir.Op]row{
	ir.Threshold:      {consts: []int{1, 2}, params: along},
	ir.Transpose:      {params: perm},
	ir.Gather:         {params: along},
	ir.Slice:          {params: slice},
	ir.Concat:         {params: along},
	ir.Shift:          {params: along},
	ir.Cast:           {},
	ir.ToFloat:        {op: "cast"},
	ir.Affine:         {consts: []int{1, 2, 3}, params: along},
	ir.Gemm:           {params: gemmParams},
	ir.ILinear:        {consts: []int{1}},
	ir.BLSTM:          {consts: []int{1, 2, 3, 4}, params: blstm},
	ir.LSTM:           {params: lstm},
	ir.GRU:            {params: gru},
	ir.Scatter:        {params: scatter},
	ir.TopK:           {params: topK},
	ir.Round:          {op: "round_half_even"},
	ir.LeakyRelu:      {params: alpha},
	ir.HardSigmoid:    {params: alphaBeta},
	ir.Softmax:        {params: along},
	ir.LogSoftmax:     {params: along},
	ir.Step:           {params: step},
	ir.ReduceSum:      {params: reduce},
	ir.ReduceMean:     {params: reduce},
	ir.ReduceMax:      {params: reduce},
	ir.ReduceMin:      {params: reduce},
	ir.ReduceProd:     {params: reduce},
	ir.Count:          {op: "reduce_sum", params: reduce},
	ir.ArgMax:         {params: argMax},
	ir.Conv:           {params: denseConv},
	ir.BatchNorm:      {params: batchNorm},
	ir.MaxPool:        {params: densePool},
	ir.MinPool:        {params: densePool},
	ir.AveragePool:    {params: averagePool},
	ir.MatMul:         {},
	ir.Elu:            {params: alpha},
	ir.Pad:            {params: pad},
	ir.GatherElements: {params: along},
	ir.Quant:          {params: quant},
	ir.TruncQuant:     {params: quant},
	ir.QuantLSTMCell:  {consts: quantLSTMConsts(), params: quantLSTMParams},
	ir.RNN:            {params: rnn},
	ir.Expand:         {},
	ir.Tile:           {},
}

// denseRow returns how an operation on row-major tensors becomes an instruction:
// by its row, or as the instruction of its name if it is elementwise and has no
// attributes.
func denseRow(op *ir.Op) (row, bool) {
	if r, ok := dense[op]; ok {
		return r, true
	}
	_, ok := billb.Lookup(op.Name)
	return row{}, ok && op.Kind == ir.Elementwise && len(op.Attrs) == 0
}

// The functions below make an instruction's parameters of a node's attributes.

func along(n *ir.Node) billb.Params {
	axis := n.Int("axis")
	if axis < 0 {
		axis += n.In(0).Rank()
	}
	return &billb.Along{Axis: axis}
}

func alpha(n *ir.Node) billb.Params { return &billb.Alpha{Alpha: n.Float("alpha")} }

func alphaBeta(n *ir.Node) billb.Params {
	return &billb.AlphaBeta{Alpha: n.Float("alpha"), Beta: n.Float("beta")}
}

func gemmParams(n *ir.Node) billb.Params {
	return &billb.Gemm{TransA: n.Bool("trans_a"), TransB: n.Bool("trans_b"), Alpha: n.Float("alpha"), Beta: n.Float("beta")}
}

func step(n *ir.Node) billb.Params {
	return &billb.Step{Strict: n.Bool("strict"), NaN: n.Bool("nan")}
}

func batchNorm(n *ir.Node) billb.Params { return &billb.BatchNorm{Epsilon: n.Float("epsilon")} }

// window reads a kernel's way over k axes.
func window(n *ir.Node, k int) billb.Window {
	pad := spread(n, "pad", 2*k, 0)
	return billb.Window{Stride: spread(n, "stride", k, 1), PadBefore: pad[:k], PadAfter: pad[k:], Dilation: spread(n, "dilation", k, 1)}
}

func denseConv(n *ir.Node) billb.Params {
	return &billb.DenseConv{Groups: n.Int("groups"), Window: window(n, n.In(0).Rank()-2)}
}

func densePool(n *ir.Node) billb.Params {
	k := n.In(0).Rank() - 2
	return &billb.Pool{Kernel: spread(n, "kernel", k, 1), Window: window(n, k)}
}

func averagePool(n *ir.Node) billb.Params {
	return &billb.AveragePool{Pool: *densePool(n).(*billb.Pool), CountIncludePad: n.Bool("count_include_pad")}
}

func perm(n *ir.Node) billb.Params {
	rank := n.In(0).Rank()
	out := make([]int, rank)
	for i := range out {
		out[i] = rank - 1 - i
		if p := n.Ints("perm"); len(p) > 0 {
			out[i] = p[i]
		}
	}
	return &billb.Transpose{Perm: out}
}

func reduce(n *ir.Node) billb.Params {
	mask, _ := ir.Axes(n.Ints("axes"), n.In(0).Rank())
	var axes []int
	for i, m := range mask {
		if m {
			axes = append(axes, i)
		}
	}
	return &billb.Reduce{Axes: axes}
}

// slice has the start and the step on every axis; counts are the result's shape.
func slice(n *ir.Node) billb.Params {
	x := n.In(0)
	out := whole(x.Rank())
	for i, start := range n.Ints("starts") {
		axis := i
		if a := n.Ints("axes"); len(a) > 0 {
			axis, _ = ir.Axis(a[i], x.Rank())
		}
		step := 1
		if s := n.Ints("steps"); len(s) > 0 {
			step = s[i]
		}
		size := x.Shape[axis]
		if start < 0 {
			start += size
		}
		if step < 0 {
			start = min(max(start, 0), size-1)
		} else {
			start = min(max(start, 0), size)
		}
		out.Start[axis], out.Step[axis] = start, step
	}
	return out
}

// whole is the slice that is all of a tensor.
func whole(rank int) *billb.Slice {
	s := &billb.Slice{Start: make([]int, rank), Step: make([]int, rank)}
	for i := range s.Step {
		s.Step[i] = 1
	}
	return s
}

func argMax(n *ir.Node) billb.Params {
	return &billb.ArgMax{Axis: along(n).(*billb.Along).Axis, SelectLast: n.Bool("select_last")}
}

func topK(n *ir.Node) billb.Params {
	return &billb.TopK{Axis: along(n).(*billb.Along).Axis, Largest: n.Bool("largest")}
}

func scatter(n *ir.Node) billb.Params {
	return &billb.Scatter{Reduction: named[billb.Reduction](n.Str("reduction"))}
}

// pad has the elements before every axis; how many come after is the result's
// shape.
func pad(n *ir.Node) billb.Params {
	rank, axes := n.In(0).Rank(), n.Ints("axes")
	out := &billb.Pad{Before: make([]int, rank), Mode: named[billb.PadMode](n.Str("mode"))}
	for i, p := range n.Ints("pads")[:len(n.Ints("pads"))/2] {
		axis := i
		if len(axes) > 0 {
			axis, _ = ir.Axis(axes[i], rank)
		}
		out.Before[axis] = p
	}
	return out
}

// rounding is a way of rounding by QONNX's name of it.
func rounding(name string) billb.Rounding {
	switch name {
	case "ROUND":
		return billb.HalfEven
	case "ROUND_TO_ZERO":
		return billb.Down
	}
	return named[billb.Rounding](strings.ToLower(name))
}

func quant(n *ir.Node) billb.Params {
	return &billb.Quantizer{Signed: n.Bool("signed"), Narrow: n.Bool("narrow"), Rounding: rounding(n.Str("rounding"))}
}

// named is the number of an enumeration that has a name. The operation has
// checked that there is one.
func named[E interface {
	~int
	billb.Enum
}](name string) E {
	e, ok := billb.Parse[E](name)
	if !ok {
		panic(fmt.Sprintf("BUG: bytecode has no %T called %q", e, name))
	}
	return e
}
