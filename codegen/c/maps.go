package c

import (
	"fmt"
	"strings"

	"github.com/billnet/billnet/runtime/billb"
)

// Layers over maps, but for convolutions. Each computes a row a call.

// relayout moves elements between a dense tensor and a map. From a map to a map
// there is nothing to do: layouts of planes differ where those of maps do not.
func relayout(g *generator, l *layer) {
	from, to := g.isMap(l, 0), g.toMap(l)
	if from && to { // as unite knows
		l.nothing = true
		return
	}
	l.rows, l.equation = true, "y[c,t,h,w] = x[c,t,h,w], the same elements in another order"
	if to {
		m := g.outMap(l)
		if g.feeds && l.in.In[0] == g.img.Inputs[0].Buffer {
			l.feeds = true
			l.line("(void)t;")
		} else {
			g.input(l, 0, "x")
		}
		l.row("y", m, true)
		if m.isBits() {
			l.line("memset(y, 0, %d);", m.pitch())
		}
		l.line("for (int c = 0; c < %d; c++) {", m.channels)
		if l.feeds {
			l.line("const %s *plane = frame + (c * %d + h) * %d;", cType(m.elem), m.rows, m.width)
		} else {
			l.line("const %s *plane = x + ((c * %d + t) * %d + h) * %d;", cType(m.elem), m.frames, m.rows, m.width)
		}
		l.line("for (int w = 0; w < %d; w++) {", m.width)
		if m.isBits() {
			l.line("%s", setBit(m, "y", "w", "c", "plane[w] == 1"))
		} else {
			l.line("y[w * %d + c] = plane[w];", m.channels)
		}
		l.end(2)
		return
	}
	m := g.inMap(l, 0)
	l.row("x", m, false)
	y := g.output(l, "y")
	l.line("for (int c = 0; c < %d; c++) {", m.channels)
	l.line("%s *plane = y + ((c * %d + t) * %d + h) * %d;", cType(y.elem), m.frames, m.rows, m.width)
	l.line("for (int w = 0; w < %d; w++) {", m.width)
	if m.isBits() {
		l.line("plane[w] = %s;", truth(y.elem, getBit(m, "x", "w", "c")))
	} else {
		l.line("plane[w] = x[w * %d + c];", m.channels)
	}
	l.end(2)
}

// getBit is bit c of position w of a row x.
func getBit(m cmap, x, w, c string) string {
	if m.unit == 4 {
		return fmt.Sprintf("(%s[%s * %d + %s / 32] >> (%s %% 32) & 1u) != 0", x, w, m.units, c, c)
	}
	return fmt.Sprintf("((uint32_t)%s[%s] >> %s & 1u) != 0", x, w, c)
}

// setBit sets a bit of a row of zeros where a condition holds.
func setBit(m cmap, y, w, c, condition string) string {
	if m.unit == 4 {
		return fmt.Sprintf("%s[%s * %d + %s / 32] |= (uint32_t)(%s) << (%s %% 32);", y, w, m.units, c, condition, c)
	}
	return fmt.Sprintf("%[1]s[%[2]s] = (%[3]s)(%[1]s[%[2]s] | (uint32_t)(%[4]s) << %[5]s);", y, w, m.unitType(), condition, c)
}

// truth is a condition as an element of a type of two values.
func truth(e billb.Elem, condition string) string {
	if e == billb.SBit {
		return fmt.Sprintf("(int8_t)(%s ? 1 : -1)", condition)
	}
	return fmt.Sprintf("(%s)(%s)", cType(e), condition)
}

// bitPool is a pooling of bits.
func bitPool(g *generator, l *layer) {
	v := l.in.Params.(*billb.BitPool)
	in, out := g.inMap(l, 0), g.outMap(l)
	g.use("bit_pool")
	and := 0
	l.rows, l.equation = true, "y[c,p] = the OR of x[c,q] over q in the window at p"
	if l.in.Op == billb.OpBitMinPool {
		and, l.equation = 1, "y[c,p] = the AND of x[c,q] over q in the window at p"
	}
	g.table("bit_pool_t", fmt.Sprintf("pool_%d", l.index), "in", in, "out", out, "window", window(v.Kernel, v.Stride, v.Dilation, v.Pad), "is_and", and)
	g.moves(l, v.Kernel, v.Stride, v.Dilation, v.Pad, fmt.Sprintf("pool_%d", l.index))
	l.spend(poolTaps, float64(out.width*((out.channels+31)/32)*v.Kernel[0]*v.Kernel[1]*v.Kernel[2]))
	l.line("bit_pool(memory, &pool_%d, t, h);", l.index)
}

// window is the initializer of a window_t.
func window(kernel, stride, dilation, pad [3]int) string {
	var parts []string
	for i, v := range [][3]int{kernel, stride, dilation, pad} {
		for _, n := range v {
			if n > 127 && i < 3 || n > 32767 || n < -32768 {
				refuse("a window of %v, stride %v, dilation %v, padding %v: at most 127 and 32767", kernel, stride, dilation, pad)
			}
		}
		name := [...]string{"kernel", "stride", "dilation", "pad"}[i]
		parts = append(parts, fmt.Sprintf(".%s = {%d, %d, %d}", name, v[0], v[1], v[2]))
	}
	return "{" + strings.Join(parts, ", ") + "}"
}

// gateForms are the boolean functions, of words s, a and b.
var gateForms = map[billb.Opcode]struct {
	operands string
	word     string // C
	text     string
}{
	billb.OpBitOr:  {"ab", "a | b", "a OR b"},
	billb.OpBitAnd: {"ab", "a & b", "a AND b"},
	billb.OpBitXor: {"ab", "a ^ b", "a XOR b"},
	billb.OpOr:     {"ab", "a | b", "a OR b"},
	billb.OpAnd:    {"ab", "a & b", "a AND b"},
	billb.OpXor:    {"ab", "a ^ b", "a XOR b"},
	billb.OpBitNot: {"a", "~a", "NOT a"},
	billb.OpNot:    {"a", "~a", "NOT a"},
	billb.OpMux:    {"sab", "a ^ (s & (a ^ b))", "b where s is set, else a"},
	billb.OpMuxOr:  {"sab", "a | (s & b)", "a OR (s AND b)"},
}

// gate is a boolean function of maps, or of a map and a bit for every channel, or
// of dense bits.
func gate(g *generator, l *layer) {
	form := gateForms[l.in.Op]
	l.equation = "y = " + form.text
	if !g.toMap(l) {
		denseGate(g, l, form.operands, form.word)
		return
	}
	l.rows = true
	out := g.outMap(l)
	vectors := false
	for k, name := range form.operands {
		if g.isMap(l, k) {
			l.row(string(name)+"_row", g.inMap(l, k), false)
			continue
		}
		vectors = true
		x := g.input(l, k, string(name)+"_bits")
		l.line("uint32_t %c_words[%d] = {0};", name, out.units)
		l.line("for (int c = 0; c < %d; c++) {", out.channels)
		l.line("%[1]c_words[c / 32] |= (uint32_t)(%[1]c_bits[%[2]s] > 0) << (c %% 32);", name, map[bool]string{true: "0", false: "c"}[x.n() == 1])
		l.end(1)
	}
	l.row("y", out, true)
	if vectors && out.units > 1 {
		l.line("for (int i = 0, k = 0; i < %d; i++, k = k + 1 < %d ? k + 1 : 0) {", out.width*out.units, out.units)
	} else {
		l.line("for (int i = 0; i < %d; i++) {", out.width*out.units)
	}
	for k, name := range form.operands {
		switch {
		case g.isMap(l, k):
			l.line("uint32_t %[1]c = %[1]c_row[i];", name)
		case out.units > 1:
			l.line("uint32_t %[1]c = %[1]c_words[k];", name)
		default:
			l.line("uint32_t %[1]c = %[1]c_words[0];", name)
		}
	}
	word := form.word
	if rest := out.channels % (8 * out.unit); strings.Contains(word, "~") && rest != 0 {
		switch {
		case out.units == 1:
			word = fmt.Sprintf("%s & %#xu", word, 1<<rest-1)
		default:
			word = fmt.Sprintf("%s & (i %% %d == %d ? %#xu : ~0u)", word, out.units, out.units-1, 1<<rest-1)
		}
	}
	if out.unit < 4 {
		word = fmt.Sprintf("(%s)(%s)", out.unitType(), word)
	}
	l.line("y[i] = %s;", word)
	l.end(1)
}

// threshold compares integers with a threshold for every channel.
func threshold(g *generator, l *layer) {
	l.equation = "y[c,p] = (x[c,p] >= t[c]) != flip[c]"
	if !g.toMap(l) {
		denseThreshold(g, l)
		return
	}
	l.rows = true
	in, out := g.inMap(l, 0), g.outMap(l)
	g.use("put")
	t, flip := g.bounds(l, out.channels)
	l.row("x", in, false)
	l.line("uint8_t *y = row_of(memory, &map_%d, t, h);", out.buffer)
	l.line("memset(y, 0, %d);", out.pitch())
	l.line("for (int w = 0; w < %d; w++) {", out.width)
	l.line("for (int c = 0; c < %d; c++) {", out.channels)
	l.line("int32_t z = x[w * %d + c];", in.channels)
	l.line("put(y, &map_%d, w, c, &z, 1, %s, %s);", out.buffer, t, flip)
	l.end(2)
}

// recode gives bits another encoding, which maps do not know.
func recode(g *generator, l *layer) {
	if g.isMap(l, 0) { // as unite knows
		l.nothing = true
		return
	}
	l.equation = "y = x, as bits of another encoding"
	elementwise(g, l, 1, func(y tensor, x []string) string { return truth(y.elem, x[0]+" > 0") })
}

// count sums the bits of every channel.
func count(g *generator, l *layer) {
	l.rows = true
	m := g.inMap(l, 0)
	mode := l.in.Params.(*billb.Count).Mode
	l.row("x", m, false)
	g.output(l, "y")
	index, begin, end := "c", "t == 0 && h == 0", fmt.Sprintf("t == %d && h == %d", m.frames-1, m.rows-1)
	positions := m.frames * m.rows * m.width
	l.equation = "y[c] = the sum of x[c,t,h,w] over t, h and w"
	if mode != billb.CountC {
		begin, end, positions = "h == 0", fmt.Sprintf("h == %d", m.rows-1), m.rows*m.width
		index = fmt.Sprintf("c * %d + t", m.frames)
		l.equation = "y[c,t] = the sum of x[c,t,h,w] over h and w"
		if mode == billb.CountTC {
			index = fmt.Sprintf("t * %d + c", m.channels)
			l.equation = "y[t,c] = the sum of x[c,t,h,w] over h and w"
		}
	}
	l.line("for (int c = 0; c < %d; c++) {", m.channels)
	l.line("int32_t sum = %s ? 0 : y[%s];", begin, index)
	l.line("for (int w = 0; w < %d; w++) {", m.width)
	l.line("sum += %s;", getBit(m, "x", "w", "c"))
	l.end(1)
	if m.elem == billb.SBit {
		l.line("y[%s] = %s ? 2 * sum - %d : sum;", index, end, positions)
	} else {
		l.line("y[%s] = sum;", index)
	}
	l.end(1)
}
