package bytecode

import (
	"math"
	"slices"
	"strings"

	"github.com/billnet/billnet/ir"
)

var direction = map[string]int64{"forward": 0, "reverse": 1, "bidirectional": 2}

// activation codes of the recurrent instructions.
var activation = map[string]int64{"relu": 0, "tanh": 1, "sigmoid": 2, "affine": 3, "leakyrelu": 4, "thresholdedrelu": 5, "scaledtanh": 6, "hardsigmoid": 7, "elu": 8, "softsign": 9, "softplus": 10}

// defaults are alpha and beta of the activations that have them; a NaN stands
// for a parameter that the function does not have.
var defaults = map[string][2]float64{
	"affine": {1, 0}, "leakyrelu": {0.01, nan}, "thresholdedrelu": {1, nan}, "scaledtanh": {1, 1}, "hardsigmoid": {0.2, 0.5}, "elu": {1, nan},
}

var nan = math.NaN()

func lstmInts(n *ir.Node) []int64 {
	out := []int64{direction[n.Str("direction")], int64(n.Int("layout")), bools("input_forget")(n)[0]}
	return append(out, activationCodes(n)...)
}

func gruInts(n *ir.Node) []int64 {
	out := []int64{direction[n.Str("direction")], int64(n.Int("layout")), bools("linear_before_reset")(n)[0]}
	return append(out, activationCodes(n)...)
}

func rnnInts(n *ir.Node) []int64 {
	return append([]int64{direction[n.Str("direction")], int64(n.Int("layout"))}, activationCodes(n)...)
}

func activationCodes(n *ir.Node) []int64 {
	var out []int64
	for _, a := range n.Strs("activations") {
		out = append(out, activation[strings.ToLower(a)])
	}
	return out
}

// lstmFloats returns the clip and, when the node gives any, alpha and beta of
// every activation: ONNX lists them for the functions that have one, in order.
func lstmFloats(n *ir.Node) []float64 {
	out := []float64{n.Float("clip")}
	alphas, betas := n.Floats("activation_alpha"), n.Floats("activation_beta")
	if len(alphas) == 0 && len(betas) == 0 {
		return out
	}
	take := func(list *[]float64, def float64) float64 {
		if def != def {
			return 0
		}
		if len(*list) == 0 {
			return def
		}
		v := (*list)[0]
		*list = (*list)[1:]
		return v
	}
	for _, a := range n.Strs("activations") {
		d, ok := defaults[strings.ToLower(a)]
		if !ok {
			d = [2]float64{nan, nan}
		}
		out = append(out, take(&alphas, d[0]), take(&betas, d[1]))
	}
	return out
}

// recurrent gives lstm, gru and rnn the types of lengths that they take.
func recurrent(e *expansion, n *ir.Node) []*ir.Value {
	if l := n.Arg(4); l == nil || l.Type.DType == ir.I32 || l.Type.DType == ir.I64 {
		return nil
	}
	args := slices.Clone(n.Args)
	args[4] = e.cast(args[4], ir.I64)
	return e.again(args)
}

// firstQuantizer is the first operand of a quant_lstm_cell that belongs to a
// quantizer; those from 3 on are weights and biases.
const firstQuantizer = 15

// quantLSTMConsts are the operands behind x, h0 and c0.
func quantLSTMConsts() []int {
	var out []int
	for i := 3; i < len(ir.QuantLSTMCell.Operands); i++ {
		out = append(out, i)
	}
	return out
}

func quantLSTMInts(n *ir.Node) []int64 {
	out := bools("batch_first", "reverse_input", "cifg")(n)
	for i, r := range n.Strs("rounding") {
		out = append(out, int64(n.Ints("signed")[i]), int64(n.Ints("narrow")[i]), rounding[r])
	}
	return out
}

// quantLSTM leaves a cell to the table if all of it is of one type.
func quantLSTM(e *expansion, n *ir.Node) []*ir.Value {
	d := n.In(0).DType
	if isHalf(d) {
		return e.missing("x is %s", d)
	}
	for i := 1; i < firstQuantizer; i++ {
		if n.In(i).DType != d {
			return e.missing("x is %s and %s is %s", d, n.Op.Operands[i].Name, n.In(i).DType)
		}
	}
	return nil
}
