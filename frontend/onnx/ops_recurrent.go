package onnx

import (
	"strings"

	"github.com/billnet/billnet/ir"
)

var recurrentOps = map[string]handler{
	"GRU":  {3, 6, gru},
	"LSTM": {3, 8, lstm},
	"RNN":  {3, 6, rnn},
}

func (c *call) recurrentAttrs() attrs {
	c.must(1) // ir does without it
	return attrs{
		"hidden":           c.int("hidden_size", 0),
		"direction":        c.str("direction", "forward"),
		"activations":      activationNames(attr[[]string](c, "activations", nil)),
		"activation_alpha": c.floats("activation_alpha"),
		"activation_beta":  c.floats("activation_beta"),
		"clip":             c.float("clip", 0),
		"layout":           c.int("layout", 0),
	}
}

// activationNames spells activations as ir does; ONNX does not care for their case.
func activationNames(names []string) []string {
	list := append([]string{}, names...)
	for i, name := range list {
		for _, known := range ir.ActivationNames() {
			if strings.EqualFold(name, known) {
				list[i] = known
			}
		}
	}
	return list
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
