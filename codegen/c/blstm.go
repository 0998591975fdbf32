package c

import (
	"fmt"
	"math"

	"github.com/billnet/billnet/runtime/billb"
)

// blstm is a binary LSTM: sums of bits, thresholds and a cell that counts.
func blstm(g *generator, l *layer) {
	wi, wh := &g.img.Consts[l.in.Constant("wi")], &g.img.Consts[l.in.Constant("wh")]
	rows, inputs, hidden := wh.Shape[0], wi.Shape[1], wh.Shape[1]
	l.equation = "z = wi x + wh h; i, f, o, g = (z >= t) != flip; c = f * c + i * (2 * g - 1); h = o * sign(c)"
	mi, mh := g.ternaryMatrix(l, wi, rows, inputs, "weights of the input"), g.ternaryMatrix(l, wh, rows, hidden, "weights of the state")
	t, flip := g.thresholds(l, "t", "flip", rows)
	x := g.input(l, 0, "x")
	h0, hasH := g.operand(l, 1, "h0")
	c0, hasC := g.operand(l, 2, "c0")
	_, y := g.result(l, 0, "y")
	_, lastH := g.result(l, 1, "last_h")
	_, lastC := g.result(l, 2, "last_c")
	batch, steps := x.shape[0], x.shape[1]
	scratch := func(kind, name string, bytes int) {
		l.line("%[1]s *%[2]s = (%[1]s *)(void *)(memory + %[3]s);", kind, name, l.take(bytes))
	}
	scratch("uint32_t", "xs", 4*mi.words)
	scratch("uint32_t", "xn", 4*mi.words)
	scratch("uint32_t", "hs", 4*mh.words)
	scratch("uint32_t", "hn", 4*mh.words)
	scratch("uint8_t", "gate", rows)
	scratch("int16_t", "c", 2*hidden)
	scratch("int8_t", "h", hidden)
	l.line("for (int n = 0; n < %d; n++) {", batch)
	for _, s := range []struct {
		name, from string
		has        bool
		width      int
	}{{"h", h0.name, hasH, 1}, {"c", c0.name, hasC, 2}} {
		if s.has {
			l.line("memcpy(%s, %s + n * %d, %d);", s.name, s.from, hidden, s.width*hidden)
		} else {
			l.line("memset(%s, 0, %d);", s.name, s.width*hidden)
		}
	}
	l.line("for (int s = 0; s < %d; s++) {", steps)
	l.line("int x_count = ternary_words(xs, xn, x + (n * %d + s) * %d, %d);", steps, inputs, inputs)
	l.line("int h_count = ternary_words(hs, hn, h, %d);", hidden)
	l.line("for (int r = 0; r < %d; r++) {", rows)
	l.line("int32_t z = %s;", mi.dot(l, "xs", "xn", "x_count", "r"))
	l.line("z += %s;", mh.dot(l, "hs", "hn", "h_count", "r"))
	l.line("gate[r] = (z >= %s[r]) != (int)(%s[r / 32] >> (r %% 32) & 1u);", t, flip)
	l.end(1)
	l.line("for (int k = 0; k < %d; k++) {", hidden)
	l.line("int v = gate[%d + k] * c[k] + gate[k] * (2 * gate[%d + k] - 1);", hidden, 3*hidden)
	if hasC || steps > math.MaxInt16 { // else it counts no further
		l.line("v = v > 32767 ? 32767 : v < -32767 ? -32767 : v;")
	}
	l.line("c[k] = (int16_t)v;")
	sign := "(v > 0) - (v < 0)"
	if sign0 := l.in.Params.(*billb.BLSTM).Sign0; sign0 != 0 {
		sign = fmt.Sprintf("%s + (v == 0) * %d", sign, sign0)
	}
	l.line("h[k] = (int8_t)(gate[%d + k] * (%s));", 2*hidden, sign)
	l.end(1)
	if y {
		l.line("memcpy(y + (n * %d + s) * %d, h, %d);", steps, hidden, hidden)
	}
	l.end(1)
	if lastH {
		l.line("memcpy(last_h + n * %d, h, %d);", hidden, hidden)
	}
	if lastC {
		l.line("memcpy(last_c + n * %d, c, %d);", hidden, 2*hidden)
	}
	l.end(1)
}
