package onnx

import "github.com/billnet/billnet/ir"

var recurrentOps = map[string]handler{
	"GRU":  {3, 6, gru},
	"LSTM": {3, 8, lstm},
	"RNN":  {3, 6, rnn},
}

func (c *call) recurrentAttrs() attrs {
	return attrs{
		"hidden":           c.int("hidden_size", 0),
		"direction":        c.str("direction", "forward"),
		"activations":      append([]string{}, attr[[]string](c, "activations", nil)...),
		"activation_alpha": c.floats("activation_alpha"),
		"activation_beta":  c.floats("activation_beta"),
		"clip":             c.float("clip", 0),
		"layout":           c.int("layout", 0),
	}
}

func lstm(c *call) []*ir.Value {
	a := c.recurrentAttrs()
	a["input_forget"] = c.bool("input_forget", false)
	return c.node(ir.LSTM, a, c.args...).Results
}

func gru(c *call) []*ir.Value {
	a := c.recurrentAttrs()
	a["linear_before_reset"] = c.bool("linear_before_reset", false)
	return c.node(ir.GRU, a, c.args...).Results
}

func rnn(c *call) []*ir.Value { return c.node(ir.RNN, c.recurrentAttrs(), c.args...).Results }
