package c

import (
	"fmt"
	"math"
	"strings"

	"github.com/billnet/billnet/runtime/billb"
)

// LSTM, GRU and plain recurrence of floats, as ONNX defines them. Sums are rounded after every operation; activations are
// computed in doubles and rounded once.

// recurrence is what the three share.
type recurrence struct {
	l                            *layer
	gates                        int
	steps, batch, inputs, hidden int
	dirs                         int
	batchFirst, reverse          bool
	given                        bool // x has the sums of the input
	bias                         bool
	clip                         float64
	acts                         []string // direction after direction, of the argument %s
	each                         int      // of a direction
}

// recurrence declares operands and results and opens the loops over directions d, sequences b and steps i, in which row is x
// of the step, zx the sums of the input, z room for those of the state h, and n the length of the sequence. names are those
// of the states: the operand and the result of each.
func (g *generator) recurrence(l *layer, gates int, sequence *billb.Sequence, with *billb.Gates, defaults ...billb.Activation) *recurrence {
	x := g.input(l, 0, "x")
	if x.elem != billb.F32 {
		refuse("%s, only f32", x.elem)
	}
	w, hasW := g.operand(l, 1, "w")
	r := g.input(l, 2, "r")
	_, bias := g.operand(l, 3, "bias")
	c := &recurrence{l: l, gates: gates, steps: x.shape[0], batch: x.shape[1], hidden: r.shape[2], dirs: r.shape[0],
		batchFirst: sequence.BatchFirst, reverse: sequence.Direction == billb.Reverse, given: !hasW, bias: bias, clip: with.Clip, each: len(defaults)}
	if c.batchFirst {
		c.steps, c.batch = c.batch, c.steps
	}
	if hasW {
		c.inputs = w.shape[2]
	}
	c.activations(g, with, defaults)
	g.use("dot_float")
	return c
}

// activations writes the functions of the gates.
func (c *recurrence) activations(g *generator, with *billb.Gates, defaults []billb.Activation) {
	for i := range c.dirs * len(defaults) {
		code := defaults[i%len(defaults)]
		if len(with.Activations) > 0 {
			code = with.Activations[i]
		}
		alpha, beta := code.Defaults()
		if len(with.Scales) > 0 {
			alpha, beta = with.Scales[i].Alpha, with.Scales[i].Beta
		}
		c.acts = append(c.acts, g.activation(code, alpha, beta))
	}
}

// activation is an activation function of %[1]s, a double without side effects.
func (g *generator) activation(code billb.Activation, alpha, beta float64) string {
	a, b := "", "" // where it has them
	if !math.IsNaN(alpha) {
		a = float(billb.F64, alpha)
	}
	if !math.IsNaN(beta) {
		b = float(billb.F64, beta)
	}
	switch code {
	case billb.Tanh:
		g.use("tanh_of")
		return "tanh_of(%[1]s)"
	case billb.Sigmoid:
		g.use("sigmoid")
		return "sigmoid(%[1]s)"
	case billb.Affine:
		return a + " * %[1]s + " + b
	case billb.LeakyRelu:
		return "%[1]s < 0 ? " + a + " * %[1]s : %[1]s"
	case billb.ThresholdedRelu:
		return "%[1]s > " + a + " ? %[1]s : 0"
	case billb.ScaledTanh:
		g.use("tanh_of")
		return a + " * tanh_of(" + b + " * %[1]s)"
	case billb.HardSigmoid:
		g.use("unit_line")
		return "unit_line(%[1]s, " + a + ", " + b + ")"
	case billb.Elu:
		g.use("exp_less_one")
		return "%[1]s < 0 ? " + a + " * exp_less_one(%[1]s) : %[1]s"
	case billb.Softsign:
		return "%[1]s / (1 + (%[1]s < 0 ? -%[1]s : %[1]s))"
	case billb.Softplus:
		g.use("softplus")
		return "softplus(%[1]s)"
	}
	g.use("larger")
	return "larger(%[1]s, 0)"
}

// activate sets a variable to activation k of itself, limited to -clip..clip first where limit says so.
func (c *recurrence) activate(v string, k int, limit bool) string {
	x := "(double)" + v
	if limit && c.clip > 0 {
		most := float(billb.F64, c.clip)
		x = fmt.Sprintf("(%[1]s > %[2]s ? %[2]s : %[1]s < -%[2]s ? -%[2]s : (double)%[1]s)", v, most)
	}
	first := fmt.Sprintf(c.acts[k], x)
	if second := fmt.Sprintf(c.acts[len(c.acts)-c.each+k], x); second != first {
		return fmt.Sprintf("(float)(d == 0 ? (%s) : (%s))", first, second)
	}
	return "(float)(" + first + ")"
}

// scratch declares room for floats.
func (c *recurrence) scratch(name string, n int) {
	c.l.line("float *%s = (float *)(void *)(memory + %s);", name, c.l.take(4*n))
}

// begin opens the loops.
func (c *recurrence) begin(lens tensor, hasLens bool, states ...[2]string) {
	l, rows := c.l, c.gates*c.hidden
	l.line("for (int d = 0; d < %d; d++) {", c.dirs)
	l.line("for (int b = 0; b < %d; b++) {", c.batch)
	if c.batchFirst {
		l.line("int state = (b * %d + d) * %d;", c.dirs, c.hidden)
	} else {
		l.line("int state = (d * %d + b) * %d;", c.batch, c.hidden)
	}
	if hasLens {
		at := lens.name + "[b]"
		l.line("int n = %s < 0 ? 0 : %s > %d ? %d : (int)%s;", at, at, c.steps, c.steps, at)
	} else {
		l.line("int n = %d;", c.steps)
	}
	for _, s := range states {
		if s[1] == "" {
			l.line("memset(%s, 0, %d * sizeof(float));", s[0], c.hidden)
		} else {
			l.line("memcpy(%s, %s + state, %d * sizeof(float));", s[0], s[1], c.hidden)
		}
	}
	l.line("for (int i = 0; i < n; i++) {")
	l.loops[len(l.loops)-1] = float64(c.steps)
	t := "i"
	switch {
	case c.reverse:
		t = "n - 1 - i"
	case c.dirs == 2:
		t = "d == 1 ? n - 1 - i : i"
	}
	l.line("int t = %s;", t)
	row := fmt.Sprintf("(t * %d + b)", c.batch)
	if c.batchFirst {
		row = fmt.Sprintf("(b * %d + t)", c.steps)
	}
	if c.given {
		l.line("const float *zx = x + (%s * %d + d) * %d;", row, c.dirs, rows)
	} else {
		l.line("const float *row = x + %s * %d;", row, c.inputs)
		c.products("zx", "w", "row", 0, rows, c.inputs)
	}
}

// products sets rows of z, from first on, to those of a matrix times a vector of k elements.
func (c *recurrence) products(z, matrix, vector string, first, rows, k int) {
	l := c.l
	l.line("for (int k = %d; k < %d; k++) {", first, first+rows)
	l.line("%s[k] = dot_float(%s + (d * %d + k) * %d, %s, %d);", z, matrix, c.gates*c.hidden, k, vector, k)
	l.spend(statements, float64(3*k))
	l.end(1)
}

// biases is bias j of a gate: of the input's sums for 0, of the state's for 1.
func (c *recurrence) biases(gate, of int) string {
	return fmt.Sprintf("bias[d * %d + %d + j]", 2*c.gates*c.hidden, (of*c.gates+gate)*c.hidden)
}

// sum declares v as the sum of a gate before its activation; more is added before the biases.
func (c *recurrence) sum(v string, gate int, more string) {
	at := fmt.Sprintf("[%d + j]", gate*c.hidden)
	c.l.line("float %s = zx%s + z%s;", v, at, at)
	if more != "" {
		c.l.line("%s = %s + %s;", v, v, more)
	}
	if c.bias {
		c.l.line("%s = %s + %s + %s;", v, v, c.biases(gate, 0), c.biases(gate, 1))
	}
}

// finish closes the loop over steps, after y has the state h of the step, and then the others, after the results have the states
// and y zeros behind the end of a sequence.
func (c *recurrence) finish(g *generator, y bool, hasLens bool, states ...[2]string) {
	l := c.l
	at := func(t string) string {
		if c.batchFirst {
			return fmt.Sprintf("((b * %d + %s) * %d + d) * %d", c.steps, t, c.dirs, c.hidden)
		}
		return fmt.Sprintf("((%s * %d + d) * %d + b) * %d", t, c.dirs, c.batch, c.hidden)
	}
	if y {
		l.line("memcpy(y + %s, h, %d * sizeof(float));", at("t"), c.hidden)
	}
	l.end(1)
	if y && hasLens {
		l.line("for (int t = n; t < %d; t++) {", c.steps)
		l.line("memset(y + %s, 0, %d * sizeof(float));", at("t"), c.hidden)
		l.end(1)
	}
	for _, s := range states {
		if s[1] != "" {
			l.line("memcpy(%s + state, %s, %d * sizeof(float));", s[1], s[0], c.hidden)
		}
	}
	l.end(2)
}

// optional declares an operand under a name, "" when it is left out.
func (g *generator) optional(l *layer, k int, name string) string {
	if _, ok := g.operand(l, k, name); !ok {
		return ""
	}
	return name
}

// wanted declares a result under a name, "" when nothing reads it.
func (g *generator) wanted(l *layer, k int, name string) string {
	if _, ok := g.result(l, k, name); !ok {
		return ""
	}
	return name
}

// lstm is a long short-term memory; gates in the order i o f c.
func lstm(g *generator, l *layer) {
	v := l.in.Params.(*billb.LSTM)
	c := g.recurrence(l, 4, &v.Sequence, &v.Gates, billb.Sigmoid, billb.Tanh, billb.Tanh)
	l.equation = "i, o, f = f1(w x + r h + p c + b); g = f2(w x + r h + b); c = f * c + i * g; h = o * f3(c)"
	lens, hasLens := g.operand(l, 4, "lens")
	h0, c0, peepholes := g.optional(l, 5, "h0"), g.optional(l, 6, "c0"), g.optional(l, 7, "p")
	y, lastH, lastC := g.wanted(l, 0, "y"), g.wanted(l, 1, "last_h"), g.wanted(l, 2, "last_c")
	hn := c.hidden
	c.rooms("c")
	c.begin(lens, hasLens, [2]string{"h", h0}, [2]string{"c", c0})
	c.products("z", "r", "h", 0, 4*hn, hn)
	l.line("for (int j = 0; j < %d; j++) {", hn)
	gate := func(name string, gate, act int) {
		more := ""
		if peepholes != "" && gate < 3 {
			more = fmt.Sprintf("p[d * %d + %d + j] * c[j]", 3*hn, gate*hn)
		}
		c.sum(name, gate, more)
		l.line("%s = %s;", name, c.activate(name, act, true))
	}
	gate("input", 0, 0)
	if v.InputForget {
		l.line("float forget = 1 - input;")
	} else {
		gate("forget", 2, 0)
	}
	gate("cell", 3, 1)
	l.line("c[j] = forget * c[j] + input * cell;")
	gate("output", 1, 0)
	l.line("h[j] = output * %s;", c.activate("c[j]", 2, false))
	l.end(1)
	c.finish(g, y != "", hasLens, [2]string{"h", lastH}, [2]string{"c", lastC})
}

// rooms declares scratch memory for the sums, the state h and other vectors of its size.
func (c *recurrence) rooms(vectors ...string) {
	if !c.given {
		c.scratch("zx", c.gates*c.hidden)
	}
	c.scratch("z", c.gates*c.hidden)
	for _, name := range append([]string{"h"}, vectors...) {
		c.scratch(name, c.hidden)
	}
}

// gru is a gated recurrent unit; gates in the order z r h.
func gru(g *generator, l *layer) {
	v := l.in.Params.(*billb.GRU)
	c := g.recurrence(l, 3, &v.Sequence, &v.Gates, billb.Sigmoid, billb.Tanh)
	candidate := "r (s * h)"
	if v.LinearBeforeReset {
		candidate = "s * (r h + b)"
	}
	l.equation = strings.Replace("u, s = f1(w x + r h + b); g = f2(w x + R + b); h = (1 - u) * g + u * h", "R", candidate, 1)
	lens, hasLens := g.operand(l, 4, "lens")
	h0 := g.optional(l, 5, "h0")
	y, lastH := g.wanted(l, 0, "y"), g.wanted(l, 1, "last_h")
	hn := c.hidden
	c.rooms("reset")
	c.begin(lens, hasLens, [2]string{"h", h0})
	recurrent := 2 * hn // sums of the state that no reset comes before
	if v.LinearBeforeReset {
		recurrent = 3 * hn
	}
	c.products("z", "r", "h", 0, recurrent, hn)
	l.line("for (int j = 0; j < %d; j++) {", hn)
	c.sum("s", 1, "")
	if v.LinearBeforeReset {
		l.line("reset[j] = %s;", c.activate("s", 0, true))
	} else {
		l.line("reset[j] = %s * h[j];", c.activate("s", 0, true))
	}
	l.end(1)
	if !v.LinearBeforeReset {
		c.products("z", "r", "reset", 2*hn, hn, hn)
	}
	l.line("for (int j = 0; j < %d; j++) {", hn)
	l.line("float *sum = z + %d + j;", 2*hn)
	if c.bias {
		l.line("*sum = *sum + %s;", c.biases(2, 1))
	}
	if v.LinearBeforeReset {
		l.line("*sum = reset[j] * *sum;")
	}
	if c.bias {
		l.line("*sum = *sum + %s;", c.biases(2, 0))
	}
	c.sum("u", 0, "")
	l.line("u = %s;", c.activate("u", 0, true))
	l.line("float value = zx[%d + j] + *sum;", 2*hn)
	l.line("value = %s;", c.activate("value", 1, true))
	l.line("h[j] = (1 - u) * value + u * h[j];")
	l.end(1)
	c.finish(g, y != "", hasLens, [2]string{"h", lastH})
}

// rnn is a plain recurrence.
func rnn(g *generator, l *layer) {
	v := l.in.Params.(*billb.RNN)
	c := g.recurrence(l, 1, &v.Sequence, &v.Gates, billb.Tanh)
	l.equation = "h = f(w x + r h + b)"
	lens, hasLens := g.operand(l, 4, "lens")
	h0 := g.optional(l, 5, "h0")
	y, lastH := g.wanted(l, 0, "y"), g.wanted(l, 1, "last_h")
	c.rooms()
	c.begin(lens, hasLens, [2]string{"h", h0})
	c.products("z", "r", "h", 0, c.hidden, c.hidden)
	l.line("for (int j = 0; j < %d; j++) {", c.hidden)
	c.sum("v", 0, "")
	l.line("h[j] = %s;", c.activate("v", 0, true))
	l.end(1)
	c.finish(g, y != "", hasLens, [2]string{"h", lastH})
}
