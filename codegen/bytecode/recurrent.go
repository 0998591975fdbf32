package bytecode

import (
	"math"
	"slices"
	"strings"

	"github.com/billnet/billnet/ir"
	"github.com/billnet/billnet/runtime/billb"
)

func blstm(n *ir.Node) billb.Params { return &billb.BLSTM{Sign0: n.Int("sign0")} }

func lstm(n *ir.Node) billb.Params {
	return &billb.LSTM{Sequence: sequence(n), InputForget: n.Bool("input_forget"), Gates: gates(n)}
}

func gru(n *ir.Node) billb.Params {
	return &billb.GRU{Sequence: sequence(n), LinearBeforeReset: n.Bool("linear_before_reset"), Gates: gates(n)}
}

func rnn(n *ir.Node) billb.Params {
	return &billb.RNN{Sequence: sequence(n), Gates: gates(n)}
}

func sequence(n *ir.Node) billb.Sequence {
	return billb.Sequence{Direction: named[billb.Direction](n.Str("direction")), BatchFirst: n.Int("layout") == 1}
}

// gates has the activations and, when the node gives any, alpha and beta of every
// one: ONNX lists them for the functions that have one, in order.
func gates(n *ir.Node) billb.Gates {
	g := billb.Gates{Clip: n.Float("clip")}
	for _, name := range n.Strs("activations") {
		g.Activations = append(g.Activations, named[billb.Activation](strings.ToLower(name)))
	}
	alphas, betas := n.Floats("activation_alpha"), n.Floats("activation_beta")
	if len(alphas) == 0 && len(betas) == 0 {
		return g
	}
	take := func(list *[]float64, def float64) float64 {
		switch {
		case math.IsNaN(def): // the function does not have it
			return 0
		case len(*list) == 0:
			return def
		}
		v := (*list)[0]
		*list = (*list)[1:]
		return v
	}
	for _, a := range g.Activations {
		alpha, beta := a.Defaults()
		g.Scales = append(g.Scales, billb.AlphaBeta{Alpha: take(&alphas, alpha), Beta: take(&betas, beta)})
	}
	return g
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

func quantLSTMParams(n *ir.Node) billb.Params {
	p := &billb.QuantLSTM{BatchFirst: n.Bool("batch_first"), Reverse: n.Bool("reverse_input"), CIFG: n.Bool("cifg")}
	for i, r := range n.Strs("rounding") {
		p.Quantizers[i] = billb.Quantizer{Signed: n.Ints("signed")[i] == 1, Narrow: n.Ints("narrow")[i] == 1, Rounding: rounding(r)}
	}
	return p
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
