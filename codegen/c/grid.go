package c

import (
	"fmt"
	"math"

	"github.com/billnet/billnet/runtime/billb"
)

// Rounding of floats to grids of integers, as QONNX has it, and the LSTM that does so everywhere.

// roundings are the modes of kernels/on_grid.c.
var roundings = map[billb.Rounding]string{
	billb.HalfUp: "HALF_AWAY", billb.HalfDown: "HALF_TOWARDS", billb.Ceil: "UPWARDS", billb.Floor: "DOWNWARDS", billb.Up: "AWAY", billb.Down: "TOWARDS",
}

// onGrid is a call of the kernel for a number of bits, with the place of the element left as %s.
func (g *generator) onGrid(q billb.Quantizer, scale, zero string, bits float64) string {
	g.use("on_grid")
	if bits != math.Trunc(bits) || bits < 1 || bits > 24 {
		refuse("a grid of %v bits, only 1 to 24", bits)
	}
	mode, ok := roundings[q.Rounding]
	if !ok {
		mode = "HALF_EVEN"
	}
	least, most := 0.0, math.Exp2(bits)-1
	switch half := math.Exp2(bits - 1); {
	case q.Signed && bits == 1:
		mode = "TO_SIGN"
	case q.Signed:
		if least, most = -half, half-1; q.Narrow {
			least++
		}
	case q.Narrow:
		most--
	}
	return fmt.Sprintf("on_grid(%%s, %s, %s, %s, %s, %s)", scale, zero, float(billb.F32, least), float(billb.F32, most), mode)
}

// number is the only element of constant k of the image.
func (g *generator) number(k int) float64 {
	ints, floats := values(&g.img.Consts[k])
	if len(ints)+len(floats) != 1 {
		refuse("a constant of %d elements, only one", len(ints)+len(floats))
	}
	if floats != nil {
		return floats[0]
	}
	return float64(ints[0])
}

// quant rounds to a grid.
func quant(g *generator, l *layer) {
	l.equation = "y = (round(x / scale + zero, limited to the bits) - zero) * scale"
	if e := g.elemOf(l, 0); e != billb.F32 {
		refuse("%s, only f32", e)
	}
	if l.in.In[3] >= -1 {
		refuse("a number of bits that is computed")
	}
	bits := g.number(-2 - l.in.In[3])
	elementwise(g, l, 3, func(_ tensor, x []string) string {
		return fmt.Sprintf(g.onGrid(*l.in.Params.(*billb.Quantizer), x[1], x[2], bits), x[0])
	})
}

// quantLSTM is an LSTM whose every value is on a grid; gates in the order i f c o.
func quantLSTM(g *generator, l *layer) {
	v := l.in.Params.(*billb.QuantLSTM)
	l.equation = "i, f, o = Q(sigmoid(Q(w x + r h + b))); g = Q(tanh(Q(w x + r h + b))); c = Q(Q(f * c) + Q(i * g)); h = Q(o * Q(tanh(c)))"
	x, h0, c0 := g.input(l, 0, "x"), g.input(l, 1, "h0"), g.input(l, 2, "c0")
	if x.elem != billb.F32 {
		refuse("%s, only f32", x.elem)
	}
	g.use("dot_float", "sigmoid", "tanh_of")
	steps, batch, inputs := x.shape[0], x.shape[1], x.shape[2]
	if v.BatchFirst {
		steps, batch = batch, steps
	}
	hidden := g.img.Consts[l.in.Constant("w_hi")].Shape[0]
	y, lastH, lastC := g.wanted(l, 0, "y"), g.wanted(l, 1, "last_h"), g.wanted(l, 2, "last_c")
	for _, name := range []string{"h", "c", "next"} {
		l.line("float *%s = (float *)(void *)(memory + %s);", name, l.take(4*hidden))
	}
	// grid is a value on the grid of quantizer k.
	grid := func(k int, value string) string {
		scale, zero := float(billb.F32, g.number(l.in.Const[12+3*k])), float(billb.F32, g.number(l.in.Const[13+3*k]))
		return fmt.Sprintf(g.onGrid(v.Quantizers[k], scale, zero, g.number(l.in.Const[14+3*k])), value)
	}
	gate := func(name, letter string, acc, out int, f string) {
		w, r, b := g.constant(l.in.Constant("w_i"+letter)), g.constant(l.in.Constant("w_h"+letter)), g.constant(l.in.Constant("b_"+letter))
		at := broadcast(b.shape, []int{hidden})
		l.line("float %s = dot_float(%s + j * %d, row, %d) + dot_float(%s + j * %d, h, %d);", name, w.name, inputs, inputs, r.name, hidden, hidden)
		l.spend(statements, float64(3*(inputs+hidden)))
		l.line("%s = %s;", name, grid(acc, fmt.Sprintf("%s + %s[%d * j]", name, b.name, at[0])))
		l.line("%s = %s;", name, grid(out, fmt.Sprintf("(float)%s(%s)", f, name)))
	}
	l.line("for (int b = 0; b < %d; b++) {", batch)
	l.line("for (int j = 0; j < %d; j++) {", hidden)
	for _, s := range []struct {
		name string
		from tensor
	}{{"h", h0}, {"c", c0}} {
		at := broadcast(s.from.shape, []int{batch, hidden})
		l.line("%s[j] = %s[%d * b + %d * j];", s.name, s.from.name, at[0], at[1])
	}
	l.end(1)
	l.line("for (int i = 0; i < %d; i++) {", steps)
	t := "i"
	if v.Reverse {
		t = fmt.Sprintf("(%d - i)", steps-1)
	}
	step := fmt.Sprintf("%s * %d + b", t, batch)
	if v.BatchFirst {
		step = fmt.Sprintf("b * %d + %s", steps, t)
	}
	l.line("const float *row = x + (%s) * %d;", step, inputs)
	l.line("for (int j = 0; j < %d; j++) {", hidden)
	gate("input", "i", 2, 6, "sigmoid")
	if v.CIFG {
		l.line("float forget = %s - input;", grid(6, "1.0f"))
	} else {
		gate("forget", "f", 3, 7, "sigmoid")
	}
	gate("cell", "c", 4, 8, "tanh_of")
	gate("output", "o", 5, 9, "sigmoid")
	l.line("float kept = %s;", grid(1, "forget * c[j]"))
	l.line("float added = %s;", grid(1, "input * cell"))
	l.line("c[j] = %s;", grid(1, "kept + added"))
	l.line("next[j] = %s;", grid(0, "output * "+grid(10, "(float)tanh_of(c[j])")))
	l.end(1)
	l.line("memcpy(h, next, %d * sizeof *h);", hidden)
	if y != "" {
		l.line("memcpy(y + (%s) * %d, h, %d * sizeof *h);", step, hidden, hidden)
	}
	l.end(1)
	for _, s := range [][2]string{{lastH, "h"}, {lastC, "c"}} {
		if s[0] != "" {
			l.line("memcpy(%s + b * %d, %s, %d * sizeof *h);", s[0], hidden, s[1], hidden)
		}
	}
	l.end(1)
}
