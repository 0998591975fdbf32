package bytecode

import "github.com/billnet/billnet/ir"

// dense are the operations on row-major tensors.
var dense = map[string]row{
	"threshold":        {consts: []int{1, 2}, ints: ints("axis")},
	"transpose":        {ints: perm},
	"gather":           {ints: ints("axis")},
	"slice":            {ints: sliceInts},
	"concat":           {ints: ints("axis")},
	"cast":             {},
	"to_float":         {op: "cast"},
	"affine":           {consts: []int{1, 2, 3}, ints: ints("axis")},
	"gemm":             {ints: bools("trans_a", "trans_b"), floats: floats("alpha", "beta")},
	"ilinear":          {consts: []int{1}},
	"blstm":            {consts: []int{1, 2, 3, 4}, ints: ints("sign0")},
	"lstm":             {ints: lstmInts, floats: lstmFloats},
	"gru":              {ints: gruInts, floats: lstmFloats},
	"add":              {},
	"sub":              {},
	"mul":              {},
	"div":              {},
	"pow":              {},
	"equal":            {},
	"greater":          {},
	"greater_or_equal": {},
	"less":             {},
	"less_or_equal":    {},
	"and":              {},
	"or":               {},
	"xor":              {},
	"not":              {},
	"where":            {},
	"abs":              {},
	"neg":              {},
	"ceil":             {},
	"floor":            {},
	"round":            {op: "round_half_even"},
	"sqrt":             {},
	"exp":              {},
	"log":              {},
	"sign":             {},
	"sigmoid":          {},
	"tanh":             {},
	"relu":             {},
	"leaky_relu":       {floats: floats("alpha")},
	"hard_sigmoid":     {floats: floats("alpha", "beta")},
	"hard_swish":       {},
	"prelu":            {},
	"clip":             {},
	"softmax":          {ints: ints("axis")},
	"log_softmax":      {ints: ints("axis")},
	"step":             {ints: bools("strict", "nan")},
	"reduce_sum":       {ints: reduceAxes},
	"reduce_mean":      {ints: reduceAxes},
	"reduce_max":       {ints: reduceAxes},
	"reduce_min":       {ints: reduceAxes},
	"reduce_prod":      {ints: reduceAxes},
	"count":            {op: "reduce_sum", ints: reduceAxes},
	"arg_max":          {ints: argMaxInts},
	"conv":             {ints: denseConvInts},
	"batch_norm":       {floats: floats("epsilon")},
	"max_pool":         {ints: densePoolInts},
	"min_pool":         {ints: densePoolInts},
	"average_pool":     {ints: averagePoolInts},
	"matmul":           {},
	"max":              {},
	"min":              {},
	"elu":              {floats: floats("alpha")},
	"reciprocal":       {},
	"join":             {},
	"recode":           {},
	"pad":              {ints: padInts},
	"gather_elements":  {ints: ints("axis")},
	"bipolar_quant":    {},
	"quant":            {ints: quantInts},
	"trunc_quant":      {ints: quantInts},
	"quant_lstm_cell":  {consts: quantLSTMConsts(), ints: quantLSTMInts},
	"rnn":              {ints: rnnInts, floats: lstmFloats},
	"expand":           {},
	"tile":             {},
	"bit_and":          {},
	"bit_or":           {},
	"bit_xor":          {},
	"bit_not":          {},
	"mux":              {},
	"mux_or":           {},
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
