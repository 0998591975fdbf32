package bytecode

import "github.com/billnet/billnet/ir"

// dense are the operations on row-major tensors.
var dense = map[*ir.Op]row{
	ir.Threshold:      {consts: []int{1, 2}, ints: ints("axis")},
	ir.Transpose:      {ints: perm},
	ir.Gather:         {ints: ints("axis")},
	ir.Slice:          {ints: sliceInts},
	ir.Concat:         {ints: ints("axis")},
	ir.Cast:           {},
	ir.ToFloat:        {op: "cast"},
	ir.Affine:         {consts: []int{1, 2, 3}, ints: ints("axis")},
	ir.Gemm:           {ints: bools("trans_a", "trans_b"), floats: floats("alpha", "beta")},
	ir.ILinear:        {consts: []int{1}},
	ir.BLSTM:          {consts: []int{1, 2, 3, 4}, ints: ints("sign0")},
	ir.LSTM:           {ints: lstmInts, floats: lstmFloats},
	ir.GRU:            {ints: gruInts, floats: lstmFloats},
	ir.Add:            {},
	ir.Sub:            {},
	ir.Mul:            {},
	ir.Div:            {},
	ir.Pow:            {},
	ir.Equal:          {},
	ir.Greater:        {},
	ir.GreaterOrEqual: {},
	ir.Less:           {},
	ir.LessOrEqual:    {},
	ir.And:            {},
	ir.Or:             {},
	ir.Xor:            {},
	ir.Not:            {},
	ir.Where:          {},
	ir.Abs:            {},
	ir.Neg:            {},
	ir.Ceil:           {},
	ir.Floor:          {},
	ir.Round:          {op: "round_half_even"},
	ir.Sqrt:           {},
	ir.Exp:            {},
	ir.Log:            {},
	ir.Sign:           {},
	ir.Sigmoid:        {},
	ir.Tanh:           {},
	ir.Relu:           {},
	ir.LeakyRelu:      {floats: floats("alpha")},
	ir.HardSigmoid:    {floats: floats("alpha", "beta")},
	ir.HardSwish:      {},
	ir.PRelu:          {},
	ir.Clip:           {},
	ir.Softmax:        {ints: ints("axis")},
	ir.LogSoftmax:     {ints: ints("axis")},
	ir.Step:           {ints: bools("strict", "nan")},
	ir.ReduceSum:      {ints: reduceAxes},
	ir.ReduceMean:     {ints: reduceAxes},
	ir.ReduceMax:      {ints: reduceAxes},
	ir.ReduceMin:      {ints: reduceAxes},
	ir.ReduceProd:     {ints: reduceAxes},
	ir.Count:          {op: "reduce_sum", ints: reduceAxes},
	ir.ArgMax:         {ints: argMaxInts},
	ir.Conv:           {ints: denseConvInts},
	ir.BatchNorm:      {floats: floats("epsilon")},
	ir.MaxPool:        {ints: densePoolInts},
	ir.MinPool:        {ints: densePoolInts},
	ir.AveragePool:    {ints: averagePoolInts},
	ir.MatMul:         {},
	ir.Max:            {},
	ir.Min:            {},
	ir.Elu:            {floats: floats("alpha")},
	ir.Reciprocal:     {},
	ir.Join:           {},
	ir.Recode:         {},
	ir.Pad:            {ints: padInts},
	ir.GatherElements: {ints: ints("axis")},
	ir.BipolarQuant:   {},
	ir.Quant:          {ints: quantInts},
	ir.TruncQuant:     {ints: quantInts},
	ir.QuantLSTMCell:  {consts: quantLSTMConsts(), ints: quantLSTMInts},
	ir.RNN:            {ints: rnnInts, floats: lstmFloats},
	ir.Expand:         {},
	ir.Tile:           {},
	ir.BitAnd:         {},
	ir.BitOr:          {},
	ir.BitXor:         {},
	ir.BitNot:         {},
	ir.Mux:            {},
	ir.MuxOr:          {},
}

func denseConvInts(n *ir.Node) []int64 {
	k := n.In(0).Rank() - 2
	out := append([]int64{int64(n.Int("groups"))}, spread(n, "stride", k, 1)...)
	out = append(out, spread(n, "pad", 2*k, 0)...)
	return append(out, spread(n, "dilation", k, 1)...)
}

func densePoolInts(n *ir.Node) []int64 {
	k := n.In(0).Rank() - 2
	out := append(spread(n, "kernel", k, 1), spread(n, "stride", k, 1)...)
	out = append(out, spread(n, "pad", 2*k, 0)...)
	return append(out, spread(n, "dilation", k, 1)...)
}

func perm(n *ir.Node) []int64 {
	rank := n.In(0).Rank()
	out := make([]int64, rank)
	for i := range out {
		out[i] = int64(rank - 1 - i)
		if p := n.Ints("perm"); len(p) > 0 {
			out[i] = int64(p[i])
		}
	}
	return out
}

func reduceAxes(n *ir.Node) []int64 {
	mask, _ := ir.Axes(n.Ints("axes"), n.In(0).Rank())
	out := []int64{}
	for i, m := range mask {
		if m {
			out = append(out, int64(i))
		}
	}
	return out
}

// sliceInts returns the start and the step on every axis; counts are the
// result's shape.
func sliceInts(n *ir.Node) []int64 {
	x := n.In(0)
	out := make([]int64, 2*x.Rank())
	for i := range x.Rank() {
		out[x.Rank()+i] = 1
	}
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
		out[axis], out[x.Rank()+axis] = int64(start), int64(step)
	}
	return out
}

func argMaxInts(n *ir.Node) []int64 {
	return append(ints("axis")(n), bools("select_last")(n)...)
}

func averagePoolInts(n *ir.Node) []int64 {
	return append(densePoolInts(n), bools("count_include_pad")(n)...)
}

var padMode = map[string]int64{"constant": 0, "reflect": 1, "edge": 2, "wrap": 3}

// padInts returns the elements before every axis and the mode; how many come
// after is the result's shape.
func padInts(n *ir.Node) []int64 {
	rank, axes := n.In(0).Rank(), n.Ints("axes")
	out := make([]int64, rank+1)
	out[rank] = padMode[n.Str("mode")]
	for i, p := range n.Ints("pads")[:len(n.Ints("pads"))/2] {
		axis := i
		if len(axes) > 0 {
			axis, _ = ir.Axis(axes[i], rank)
		}
		out[axis] = int64(p)
	}
	return out
}

// rounding codes of the quantizers.
var rounding = map[string]int64{"ROUND": 0, "HALF_EVEN": 0, "CEIL": 1, "FLOOR": 2, "UP": 3, "DOWN": 4, "ROUND_TO_ZERO": 4, "HALF_UP": 5, "HALF_DOWN": 6}

func quantInts(n *ir.Node) []int64 {
	return append(bools("signed", "narrow")(n), rounding[n.Str("rounding")])
}
