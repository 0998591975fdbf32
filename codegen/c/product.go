package c

import (
	"fmt"
	"math"

	"github.com/billnet/billnet/runtime/billb"
)

// Matrix products, and convolutions and pools of dense maps.

// ilinear is a linear layer of integers.
func ilinear(g *generator, l *layer) {
	l.equation = "z[o] = the sum of w[o,k] * x[k] over k"
	w := &g.img.Consts[l.in.Constant("w")]
	n, k := w.Shape[0], w.Shape[1]
	t, flip := g.thresholds(l, "t", "flip", n)
	x, y := g.input(l, 0, "x"), g.output(l, "y")
	rows := x.n() / k
	var z string
	if (x.elem == billb.Bool || x.elem.IsLogic()) && (w.Elem == billb.SBit || w.Elem == billb.Tern) {
		m := g.ternaryMatrix(l, w, n, k, "weights")
		words := (k + 31) / 32
		l.line("uint32_t *sign = (uint32_t *)(void *)(memory + %s);", l.take(4*words))
		l.line("uint32_t *nonzero = (uint32_t *)(void *)(memory + %s);", l.take(4*words))
		l.line("for (int i = 0; i < %d; i++) {", rows)
		l.line("int count = ternary_words(sign, nonzero, x + i * %d, %d);", k, k)
		l.line("for (int o = 0; o < %d; o++) {", n)
		z = m.dot(l, "sign", "nonzero", "count", "o")
	} else {
		weights := g.denseWeights(l, w)
		l.line("for (int i = 0; i < %d; i++) {", rows)
		l.line("for (int o = 0; o < %d; o++) {", n)
		l.line("uint32_t sum = 0;")
		l.line("for (int k = 0; k < %d; k++) {", k)
		l.line("sum += (uint32_t)x[i * %d + k] * (uint32_t)%s[o * %d + k];", k, weights, k)
		l.end(1)
		z = "(int32_t)sum"
	}
	if t == "NULL" {
		l.line("y[i * %d + o] = %s;", n, z)
	} else {
		l.equation += "; y = (z >= t[o]) != flip[o]"
		l.line("int32_t z = %s;", z)
		l.line("y[i * %d + o] = %s;", n, truth(y.elem, fmt.Sprintf("((z >= %s[o]) != (int)(%s[o / 32] >> (o %% 32) & 1u))", t, flip)))
	}
	l.end(2)
}

// denseWeights defines weights as the narrowest integers that hold them.
func (g *generator) denseWeights(l *layer, w *billb.Const) string {
	ints, floats := values(w)
	if floats != nil {
		return g.data.floats(l.in.Name+": weights", floats)
	}
	lo, hi := int64(0), int64(0)
	for _, v := range ints {
		lo, hi = min(lo, v), max(hi, v)
	}
	switch what := l.in.Name + ": weights"; {
	case lo >= math.MinInt8 && hi <= math.MaxInt8:
		return g.data.int8s(what, ints)
	case lo >= math.MinInt16 && hi <= math.MaxInt16:
		return g.data.int16s(what, ints)
	case lo >= math.MinInt32 && hi <= math.MaxInt32:
		return g.data.int32s(what, ints)
	}
	refuse("weights beyond 32 bits")
	return ""
}

// ternaryMatrix is a matrix of -1, 0 and +1 in words.
type ternaryMatrix struct {
	sign, nonzero string
	words         int
}

func (g *generator) ternaryMatrix(l *layer, w *billb.Const, n, k int, what string) ternaryMatrix {
	g.use("ternary_words")
	ints, _ := values(w)
	words := (k + 31) / 32
	sign, nonzero, zeros := make([]uint32, n*words), make([]uint32, n*words), false
	for i, v := range ints {
		at, bit := i/k*words+i%k/32, uint32(1)<<(i%k%32)
		if v > 0 {
			sign[at] |= bit
		}
		if v != 0 {
			nonzero[at] |= bit
		}
		zeros = zeros || v == 0
	}
	m := ternaryMatrix{g.data.words(l.in.Name+": "+what, sign), "NULL", words}
	if zeros {
		m.nonzero = g.data.words(l.in.Name+": "+what+" that are not 0", nonzero)
	}
	return m
}

// dot is a row's product with packed elements.
func (m ternaryMatrix) dot(l *layer, sign, nonzero, count, row string) string {
	l.spend(bitWords, float64(2*m.words))
	at := fmt.Sprintf("%s * %d", row, m.words)
	wn := "NULL"
	if m.nonzero != "NULL" {
		wn = m.nonzero + " + " + at
	}
	return fmt.Sprintf("ternary_dot(%s, %s, %s, %s + %s, %s, %d)", sign, nonzero, count, m.sign, at, wn, m.words)
}

// gemm is a product of float matrices: sums in ascending order, without fused
// multiply-adds.
func gemm(g *generator, l *layer) {
	v := l.in.Params.(*billb.Gemm)
	l.equation = "y[i,j] = the sum of a[i,k] * b[k,j] over k, + c[i,j]"
	a := g.input(l, 0, "a")
	g.input(l, 1, "b")
	c, hasC := g.operand(l, 2, "c")
	y := g.output(l, "y")
	if y.elem != billb.F32 {
		refuse("%s, only f32", y.elem)
	}
	m, n := y.shape[0], y.shape[1]
	depth := a.n() / m
	at := fmt.Sprintf("i * %d + k", depth)
	if v.TransA {
		at = fmt.Sprintf("k * %d + i", m)
	}
	bt := fmt.Sprintf("k * %d + j", n)
	if v.TransB {
		bt = fmt.Sprintf("j * %d + k", depth)
	}
	l.line("for (int i = 0; i < %d; i++) {", m)
	l.line("for (int j = 0; j < %d; j++) {", n)
	l.line("float sum = 0;")
	l.line("for (int k = 0; k < %d; k++) {", depth)
	l.line("float product = a[%s] * b[%s];", at, bt)
	l.line("sum += product;")
	l.end(1)
	if alpha := float32(v.Alpha); alpha != 1 {
		l.line("sum *= %s;", float(billb.F32, float64(alpha)))
	}
	if hasC {
		s := broadcast(c.shape, y.shape)
		add := fmt.Sprintf("c[%d * i + %d * j]", s[0], s[1])
		if beta := float32(v.Beta); beta != 1 {
			l.line("float scaled = %s * %s;", add, float(billb.F32, float64(beta)))
			add = "scaled"
		}
		l.line("sum += %s;", add)
	}
	l.line("y[i * %d + j] = sum;", n)
	l.end(2)
}

// matmul is a product over the last two axes; the axes before broadcast. An operand of one axis is a row, or a column.
func matmul(g *generator, l *layer) {
	l.equation = "y[...,i,j] = the sum of a[...,i,k] * b[...,k,j] over k"
	a, b := g.input(l, 0, "a"), g.input(l, 1, "b")
	y := g.output(l, "y")
	lead := y.shape
	if len(b.shape) == 1 {
		b.shape = []int{b.shape[0], 1}
	} else {
		lead = lead[:len(lead)-1]
	}
	if len(a.shape) == 1 {
		a.shape = []int{1, a.shape[0]}
	} else {
		lead = lead[:len(lead)-1]
	}
	m, n, depth := a.shape[len(a.shape)-2], b.shape[len(b.shape)-1], a.shape[len(a.shape)-1]
	outer := func(t tensor) place {
		p := place{stride: broadcast(t.shape[:len(t.shape)-2], lead)}
		for i := range p.stride {
			p.stride[i] *= t.shape[len(t.shape)-2] * t.shape[len(t.shape)-1]
		}
		return p
	}
	ys := strides(append(append([]int{}, lead...), m*n))[:len(lead)]
	index, loops := l.nest(lead, place{stride: ys}, outer(a), outer(b))
	kind := cType(y.elem)
	if !y.elem.IsFloat() {
		kind = unsigned(y.elem)
	}
	l.line("for (int row = 0; row < %d; row++) {", m)
	l.line("for (int column = 0; column < %d; column++) {", n)
	l.line("%s sum = 0;", kind)
	l.line("for (int at = 0; at < %d; at++) {", depth)
	l.line("%[1]s product = (%[1]s)a[%[2]s + row * %[3]d + at] * (%[1]s)b[%[4]s + at * %[5]d + column];", kind, index[1], depth, index[2], n)
	l.line("sum += product;")
	l.end(1)
	l.line("y[%s + row * %d + column] = (%s)sum;", index[0], n, cType(y.elem))
	l.end(2 + loops)
}

// windowed is a window over the spatial axes of dense maps, as loops.
type windowed struct {
	in, out, kernel          []int
	stride, before, dilation []int
}

func (l *layer) windowed(x, y, kernel []int, v billb.Window) *windowed {
	return &windowed{in: x[2:], out: y[2:], kernel: kernel, stride: v.Stride, before: v.PadBefore, dilation: v.Dilation}
}

// positions opens loops over the positions of the result and returns its index.
func (w *windowed) positions(l *layer) string {
	index := "0"
	for d, n := range w.out {
		l.line("for (int p%d = 0; p%d < %d; p%d++) {", d, d, n, d)
		index = fmt.Sprintf("(%s) * %d + p%d", index, n, d)
		if d == 0 {
			index = "p0"
		}
	}
	return index
}

// taps opens loops over the taps inside the map; the element is at index, the tap
// at tap.
func (w *windowed) taps(l *layer) (index, tap string, blocks int) {
	for d, n := range w.kernel {
		l.line("for (int k%d = 0; k%d < %d; k%d++) {", d, d, n, d)
		l.line("int q%[1]d = p%[1]d * %[2]d + k%[1]d * %[3]d - %[4]d;", d, w.stride[d], w.dilation[d], w.before[d])
		l.line("if (q%d < 0 || q%d >= %d) {", d, d, w.in[d])
		l.line("continue;")
		l.line("}")
		if d == 0 {
			index, tap = "q0", "k0"
			continue
		}
		index, tap = fmt.Sprintf("(%s) * %d + q%d", index, w.in[d], d), fmt.Sprintf("(%s) * %d + k%d", tap, n, d)
	}
	return index, tap, len(w.kernel)
}

// denseConv is a convolution of dense integers, or of floats.
func denseConv(g *generator, l *layer) {
	v := l.in.Params.(*billb.DenseConv)
	l.equation = "y[o,p] = the sum of w[o,i,k] * x[i,p*stride+k*dilation-pad] over i and k"
	x := g.input(l, 0, "x")
	if b := l.in.In[1]; b >= -1 {
		refuse("its weights are no constant")
	}
	k := &g.img.Consts[-2-l.in.In[1]]
	bias, hasBias := g.operand(l, 2, "bias")
	y := g.output(l, "y")
	kind := cType(y.elem)
	switch {
	case y.elem == billb.F64:
		refuse("f64")
	case y.elem.IsInt() && y.elem.Width() == 8:
		refuse("sums of 64 bits")
	case y.elem.IsInt():
		kind = "uint32_t"
	}
	weights := g.denseWeights(l, k)
	g.conv(l, x, y.shape, k.Shape, v.Groups, v.Window, kind, fmt.Sprintf("(%s)x[%%s]", kind), weights)
	if hasBias {
		l.line("sum += %s[o];", bias.name)
	}
	l.line("y[(b * %d + o) * %d + at] = (%s)sum;", y.shape[1], billb.Product(y.shape[2:]), cType(y.elem))
	l.end(2 + len(y.shape) - 2)
}

// conv opens the loops of a convolution over images b, outputs o and positions at,
// and leaves the sum in sum. element is an element of x, as a format of its index.
func (g *generator) conv(l *layer, x tensor, y, w []int, groups int, v billb.Window, kind, element, weights string) {
	win := l.windowed(x.shape, y, w[2:], v)
	channels, inputs := x.shape[1], w[1]
	l.line("for (int b = 0; b < %d; b++) {", y[0])
	l.line("for (int o = 0; o < %d; o++) {", y[1])
	at := win.positions(l)
	l.line("int at = %s;", at)
	l.line("%s sum = 0;", kind)
	l.line("for (int i = 0; i < %d; i++) {", inputs)
	l.line("int plane = (b * %d + o / %d * %d + i) * %d;", channels, y[1]/groups, inputs, billb.Product(x.shape[2:]))
	index, tap, blocks := win.taps(l)
	l.line("%[1]s product = %[2]s * (%[1]s)%[3]s[(o * %[4]d + i) * %[5]d + %[6]s];", kind, fmt.Sprintf(element, "plane + "+index), weights, inputs, billb.Product(w[2:]), tap)
	l.line("sum += product;")
	l.end(blocks + 1)
}

// densePool is the largest or smallest element under a window.
func densePool(g *generator, l *layer) {
	x, y := g.input(l, 0, "x"), g.output(l, "y")
	pool := l.in.Params.(*billb.Pool)
	op, what := ">", "largest"
	if l.in.Op == billb.OpMinPool {
		op, what = "<", "smallest"
	}
	l.equation = "y[c,p] = the " + what + " of x[c,q] over q in the window at p"
	w := l.windowed(x.shape, y.shape, pool.Kernel, pool.Window)
	if x.elem.IsFloat() {
		if w.outside() {
			refuse("a window that lies in the padding, which gives an infinity")
		}
		g.use(extremes[op])
	}
	least, most := x.elem.Range()
	l.line("for (int c = 0; c < %d; c++) {", x.shape[0]*x.shape[1])
	at := w.positions(l)
	l.line("%s best = %s;", cType(x.elem), map[bool]string{true: "0", false: integer(map[string]int64{">": least, "<": most}[op])}[x.elem.IsFloat()])
	if x.elem.IsFloat() {
		l.line("int taps = 0;")
	}
	index, _, blocks := w.taps(l)
	l.line("%s v = x[c * %d + %s];", cType(x.elem), billb.Product(x.shape[2:]), index)
	if x.elem.IsFloat() {
		l.line("best = taps++ == 0 ? v : %s;", extremeOf(op, x.elem, "v", "best"))
	} else {
		l.line("best = %s;", extremeOf(op, x.elem, "v", "best"))
	}
	l.end(blocks)
	l.line("y[c * %d + %s] = best;", billb.Product(y.shape[2:]), at)
	l.end(1 + len(w.out))
}

// outside reports a window that lies in the padding altogether.
func (w *windowed) outside() bool {
	for d, n := range w.out {
		for p := range n {
			begin := p*w.stride[d] - w.before[d]
			inside := false
			for k := range w.kernel[d] {
				at := begin + k*w.dilation[d]
				inside = inside || at >= 0 && at < w.in[d]
			}
			if !inside {
				return true
			}
		}
	}
	return false
}

// meanPool is the mean under a window.
func meanPool(g *generator, l *layer) {
	x, y := g.input(l, 0, "x"), g.output(l, "y")
	v := l.in.Params.(*billb.AveragePool)
	kind := cType(x.elem)
	l.equation = "y[c,p] = the mean of x[c,q] over q in the window at p"
	w := l.windowed(x.shape, y.shape, v.Pool.Kernel, v.Pool.Window)
	l.line("for (int c = 0; c < %d; c++) {", x.shape[0]*x.shape[1])
	at := w.positions(l)
	l.line("%s sum = 0;", kind)
	if !v.CountIncludePad {
		l.line("int count = 0;")
	}
	index, _, blocks := w.taps(l)
	l.line("sum += x[c * %d + %s];", billb.Product(x.shape[2:]), index)
	if !v.CountIncludePad {
		l.line("count++;")
	}
	l.end(blocks)
	if v.CountIncludePad {
		count := "1"
		for d := range w.out {
			most := make([]int64, w.out[d])
			for p := range most {
				begin := p*w.stride[d] - w.before[d]
				most[p] = int64(min(w.kernel[d], (w.in[d]+v.Pool.Window.PadAfter[d]-1-begin)/w.dilation[d]+1))
			}
			count += fmt.Sprintf(" * %s[p%d]", g.data.int32s(l.in.Name+": taps that count", most), d)
		}
		l.line("int count = %s;", count)
	}
	l.line("y[c * %d + %s] = count > 0 ? sum / (%s)count : 0;", billb.Product(y.shape[2:]), at, kind)
	l.end(1 + len(w.out))
}
