package c

import (
	"fmt"
	"math"

	"github.com/billnet/billnet/runtime/billb"
)

// elementwise computes y from n operands that broadcast to it; f is the element
// as C of those of the operands.
func elementwise(g *generator, l *layer, n int, f func(y tensor, x []string) string) {
	var operands []tensor
	for k := range n {
		operands = append(operands, g.input(l, k, string(rune('a'+k))))
	}
	y := g.output(l, "y")
	places := []place{{stride: strides(y.shape)}}
	for _, x := range operands {
		places = append(places, place{stride: broadcast(x.shape, y.shape)})
	}
	index, loops := l.nest(y.shape, places...)
	var x []string
	for k, o := range operands {
		x = append(x, fmt.Sprintf("%s[%s]", o.name, index[k+1]))
	}
	l.line("y[%s] = %s;", index[0], f(y, x))
	l.end(loops)
}

// denseGate is a gate of dense bits.
func denseGate(g *generator, l *layer, operands, word string) {
	elementwise(g, l, len(operands), func(y tensor, x []string) string {
		c := map[string]string{
			"a | b": "%[1]s > 0 || %[2]s > 0", "a & b": "%[1]s > 0 && %[2]s > 0", "a ^ b": "(%[1]s > 0) != (%[2]s > 0)", "~a": "!(%[1]s > 0)",
			"a ^ (s & (a ^ b))": "%[1]s > 0 ? %[3]s > 0 : %[2]s > 0", "a | (s & b)": "%[2]s > 0 || (%[1]s > 0 && %[3]s > 0)",
		}[word]
		args := make([]any, len(x))
		for i := range x {
			args[i] = x[i]
		}
		return truth(y.elem, "("+fmt.Sprintf(c, args...)+")")
	})
}

// denseThreshold is a threshold of dense integers.
func denseThreshold(g *generator, l *layer) {
	axis := l.in.Params.(*billb.Along).Axis
	x := g.input(l, 0, "x")
	y := g.output(l, "y")
	n := x.shape[axis]
	t, flip := g.thresholds(l, "t", "flip", n)
	outer, inner := billb.Product(x.shape[:axis]), billb.Product(x.shape[axis+1:])
	l.line("for (int i = 0; i < %d; i++) {", outer*n*inner)
	l.line("int c = i / %d %% %d;", inner, n)
	l.line("int flip = (int)(%s[c / 32] >> (c %% 32) & 1u);", flip)
	l.line("y[i] = %s;", truth(y.elem, fmt.Sprintf("((x[i] >= %s[c]) != flip)", t)))
	l.end(1)
}

// unsigned is the type in which integers of a type wrap.
func unsigned(e billb.Elem) string {
	if e.Width() == 8 {
		return "uint64_t"
	}
	return "uint32_t"
}

// form is an elementwise operation in C.
type form struct {
	operands int
	text     string // its equation
	c        func(l *layer, y billb.Elem, x []string, e []billb.Elem) string
}

// arithmetic is an operator of floats, or of integers that wrap.
func arithmetic(op string) form {
	return form{2, "a " + op + " b", func(_ *layer, y billb.Elem, x []string, _ []billb.Elem) string {
		if y.IsFloat() {
			return fmt.Sprintf("%s %s %s", x[0], op, x[1])
		}
		u := unsigned(y)
		return fmt.Sprintf("(%s)((%s)%s %s (%s)%s)", cType(y), u, x[0], op, u, x[1])
	}}
}

func comparison(op string) form {
	return form{2, "a " + op + " b", func(_ *layer, y billb.Elem, x []string, _ []billb.Elem) string {
		return truth(y, fmt.Sprintf("(%s %s %s)", x[0], op, x[1]))
	}}
}

// extreme is the smaller or the larger.
func extreme(op string) form {
	return form{2, "a " + op + " b ? a : b", func(_ *layer, y billb.Elem, x []string, _ []billb.Elem) string {
		return extremeOf(op, y, x[0], x[1])
	}}
}

// extremeOf is the smaller of a and b for "<", the larger for ">". Of floats NaN wins, and zeros have an order.
func extremeOf(op string, e billb.Elem, a, b string) string {
	if e.IsFloat() {
		return fmt.Sprintf("(%s)%s(%s, %s)", cType(e), extremes[op], a, b)
	}
	return fmt.Sprintf("%s %s %s ? %s : %s", a, op, b, a, b)
}

// extremes are the kernels for floats.
var extremes = map[string]string{"<": "smaller", ">": "larger"}

// pointwise are elementwise operations of operands that broadcast.
var pointwise = map[billb.Opcode]form{
	billb.OpAdd: arithmetic("+"),
	billb.OpSub: arithmetic("-"),
	billb.OpMul: arithmetic("*"),
	billb.OpDiv: {2, "a / b", func(_ *layer, y billb.Elem, x []string, _ []billb.Elem) string {
		if !y.IsFloat() {
			refuse("a division of integers, which by zero would be an error")
		}
		return x[0] + " / " + x[1]
	}},
	billb.OpBipolarQuant: {2, "a >= 0 ? b : -b", func(_ *layer, _ billb.Elem, x []string, _ []billb.Elem) string {
		return fmt.Sprintf("%s >= 0 ? %s : -%s", x[0], x[1], x[1])
	}},
	billb.OpMin:            extreme("<"),
	billb.OpMax:            extreme(">"),
	billb.OpEqual:          comparison("=="),
	billb.OpGreater:        comparison(">"),
	billb.OpGreaterOrEqual: comparison(">="),
	billb.OpLess:           comparison("<"),
	billb.OpLessOrEqual:    comparison("<="),
	billb.OpWhere: {3, "c ? a : b", func(_ *layer, _ billb.Elem, x []string, _ []billb.Elem) string {
		return fmt.Sprintf("%s > 0 ? %s : %s", x[0], x[1], x[2])
	}},
	billb.OpJoin: {2, "pos - neg", func(_ *layer, _ billb.Elem, x []string, _ []billb.Elem) string {
		return fmt.Sprintf("(int8_t)((%s > 0) - (%s > 0))", x[0], x[1])
	}},
	billb.OpNeg: {1, "-x", func(_ *layer, y billb.Elem, x []string, _ []billb.Elem) string {
		if y.IsFloat() {
			return "-" + x[0]
		}
		return fmt.Sprintf("(%s)(0 - (%s)%s)", cType(y), unsigned(y), x[0])
	}},
	billb.OpAbs: {1, "|x|", func(_ *layer, y billb.Elem, x []string, _ []billb.Elem) string {
		if y.IsFloat() {
			return fmt.Sprintf("%s <= 0 ? 0 - %s : %s", x[0], x[0], x[0])
		}
		return fmt.Sprintf("%s < 0 ? (%s)(0 - (%s)%s) : %s", x[0], cType(y), unsigned(y), x[0], x[0])
	}},
	billb.OpRelu: {1, "max(x, 0)", func(_ *layer, _ billb.Elem, x []string, _ []billb.Elem) string {
		return fmt.Sprintf("%s <= 0 ? 0 : %s", x[0], x[0])
	}},
	billb.OpPRelu: {2, "a < 0 ? a * b : a", func(_ *layer, y billb.Elem, x []string, e []billb.Elem) string {
		return fmt.Sprintf("%s < 0 ? %s : %s", x[0], arithmetic("*").c(nil, y, x, e), x[0])
	}},
	billb.OpLeakyRelu: {1, "x < 0 ? alpha * x : x", func(l *layer, y billb.Elem, x []string, _ []billb.Elem) string {
		return fmt.Sprintf("%s < 0 ? (%s)(%s * (double)%s) : %s", x[0], cType(y), float(billb.F64, l.in.Params.(*billb.Alpha).Alpha), x[0], x[0])
	}},
	billb.OpHardSigmoid: {1, "max(0, min(1, alpha * x + beta))", func(l *layer, y billb.Elem, x []string, _ []billb.Elem) string {
		v := l.in.Params.(*billb.AlphaBeta)
		return fmt.Sprintf("(%s)unit_line((double)%s, %s, %s)", cType(y), x[0], float(billb.F64, v.Alpha), float(billb.F64, v.Beta))
	}},
	billb.OpHardSwish: {1, "x * max(0, min(1, x / 6 + 0.5))", func(_ *layer, y billb.Elem, x []string, _ []billb.Elem) string {
		return fmt.Sprintf("(%s)((double)%s * unit_line((double)%s, %s, 0.5))", cType(y), x[0], x[0], float(billb.F64, 1.0/6))
	}},
	billb.OpSign: {1, "-1, 0 or +1", func(_ *layer, y billb.Elem, x []string, _ []billb.Elem) string {
		sign := fmt.Sprintf("(%s)((%s > 0) - (%s < 0))", cType(y), x[0], x[0])
		if y.IsFloat() {
			return fmt.Sprintf("%s != %s ? %s : %s", x[0], x[0], x[0], sign)
		}
		return sign
	}},
	billb.OpCast: {1, "x, in another type", cast},
	billb.OpStep: {1, "x > 0, or x >= 0", func(l *layer, y billb.Elem, x []string, _ []billb.Elem) string {
		v := l.in.Params.(*billb.Step)
		op := ">="
		if v.Strict {
			op = ">"
		}
		condition := fmt.Sprintf("(%s %s 0)", x[0], op)
		if v.NaN {
			condition = fmt.Sprintf("(%s %s 0 || %s != %s)", x[0], op, x[0], x[0])
		}
		return truth(y, condition)
	}},
	billb.OpAffine:    {1, "x * num[c] / den[c] + bias[c]", nil},
	billb.OpBatchNorm: {1, "(x - mean[c]) / sqrt(var[c] + epsilon) * scale[c] + bias[c]", nil},
	billb.OpClip:      {1, "x limited to min..max", nil},
}

// pointwiseLayer writes a layer of the table.
func pointwiseLayer(g *generator, l *layer) {
	f := pointwise[l.in.Op]
	l.equation = "y = " + f.text
	switch l.in.Op {
	case billb.OpAffine:
		affine(g, l)
		return
	case billb.OpBatchNorm:
		batchNorm(g, l)
		return
	case billb.OpClip:
		clip(g, l)
		return
	case billb.OpMin, billb.OpMax:
		if g.elemOf(l, 0).IsFloat() {
			g.use(extremes[map[billb.Opcode]string{billb.OpMin: "<", billb.OpMax: ">"}[l.in.Op]])
		}
	case billb.OpHardSigmoid, billb.OpHardSwish:
		g.use("unit_line")
	case billb.OpCast:
		if from, to := g.elemOf(l, 0), g.buffer(l.in.Out[0]).Elem; from.IsFloat() && !to.IsFloat() {
			g.use("to_int")
		}
	}
	var e []billb.Elem
	for k := range f.operands {
		e = append(e, g.elemOf(l, k))
	}
	elementwise(g, l, f.operands, func(y tensor, x []string) string { return f.c(l, y.elem, x, e) })
}

// elemOf is the element type of operand k.
func (g *generator) elemOf(l *layer, k int) billb.Elem {
	if b := l.in.In[k]; b < -1 {
		return g.img.Consts[-2-b].Elem
	}
	return g.buffer(l.in.In[k]).Elem
}

func cast(_ *layer, y billb.Elem, x []string, e []billb.Elem) string {
	switch {
	case y == billb.Bool:
		return fmt.Sprintf("(uint8_t)(%s != 0)", x[0])
	case y.IsBit():
		return truth(y, "("+x[0]+" > 0)")
	case y == billb.Tern:
		return fmt.Sprintf("(int8_t)((%s > 0) - (%s < 0))", x[0], x[0])
	case e[0].IsFloat() && y == billb.I32:
		return fmt.Sprintf("to_int((double)%s)", x[0])
	case e[0].IsFloat() && !y.IsFloat():
		lo, hi := y.Range()
		if y.Width() > 2 {
			refuse("a cast of %s to %s", e[0], y)
		}
		v := fmt.Sprintf("to_int((double)%s)", x[0])
		return fmt.Sprintf("(%s)(%s < %d ? %d : %s > %d ? %d : %s)", cType(y), v, lo, lo, v, hi, hi, v)
	}
	return fmt.Sprintf("(%s)%s", cType(y), x[0])
}

// affine computes in doubles, rounded once.
func affine(g *generator, l *layer) {
	axis := l.in.Params.(*billb.Along).Axis
	x, y := g.input(l, 0, "x"), g.output(l, "y")
	n, inner := x.shape[axis], billb.Product(x.shape[axis+1:])
	part := func(name string) string {
		k := l.in.Constant(name)
		if k < 0 {
			return ""
		}
		c := g.constant(k)
		return c.name + map[bool]string{true: "[0]", false: "[c]"}[billb.Product(c.shape) == 1]
	}
	l.line("for (int i = 0; i < %d; i++) {", x.n())
	l.line("int c = i / %d %% %d;", inner, n)
	l.line("double v = (double)x[i];")
	l.line("(void)c;")
	if s := part("num"); s != "" {
		l.line("v = v * %s;", s)
	}
	if s := part("den"); s != "" {
		l.line("v = v / %s;", s)
	}
	if s := part("bias"); s != "" {
		l.line("v = v + %s;", s)
	} else {
		l.line("v = v + 0.0;")
	}
	l.line("y[i] = (%s)v;", cType(y.elem))
	l.end(1)
}

// batchNorm has the square roots as constants.
func batchNorm(g *generator, l *layer) {
	x, y := g.input(l, 0, "x"), g.output(l, "y")
	if y.elem != billb.F32 {
		refuse("%s, only f32", y.elem)
	}
	var p [4][]float64
	for k := range p {
		b := l.in.In[k+1]
		if b >= -1 {
			refuse("its parameters are no constants")
		}
		if _, p[k] = values(&g.img.Consts[-2-b]); g.img.Consts[-2-b].Elem != billb.F32 {
			refuse("parameters of %s, only f32", g.img.Consts[-2-b].Elem)
		}
	}
	eps := float32(l.in.Params.(*billb.BatchNorm).Epsilon)
	for i, v := range p[3] {
		p[3][i] = float64(float32(math.Sqrt(float64(float32(v) + eps))))
	}
	name := func(what string, v []float64) string { return g.data.floats(l.in.Name+": "+what, v) }
	scale, bias, mean, deviation := name("scale", p[0]), name("bias", p[1]), name("mean", p[2]), name("square root of the variance", p[3])
	inner := billb.Product(x.shape[2:])
	l.line("for (int i = 0; i < %d; i++) {", x.n())
	l.line("int c = i / %d %% %d;", inner, x.shape[1])
	l.line("float v = x[i] - %s[c];", mean)
	l.line("v = v / %s[c];", deviation)
	l.line("v = v * %s[c];", scale)
	l.line("y[i] = v + %s[c];", bias)
	l.end(1)
}

func (d *data) floats(what string, v []float64) string {
	s := make([]string, len(v))
	for i, x := range v {
		s[i] = float(billb.F32, x)
	}
	return d.add("float", 4, what, s)
}

// clip limits elements; a bound that is NaN does not.
func clip(g *generator, l *layer) {
	x := g.input(l, 0, "x")
	lo, low := g.operand(l, 1, "least")
	hi, high := g.operand(l, 2, "most")
	g.output(l, "y")
	l.line("for (int i = 0; i < %d; i++) {", x.n())
	l.line("%s v = x[i];", cType(x.elem))
	if low {
		l.line("v = v < %s[0] ? %s[0] : v;", lo.name, lo.name)
	} else if x.elem.IsFloat() {
		l.line("v = v < %s ? %s : v;", finite(x.elem, -1), finite(x.elem, -1))
	}
	if high {
		l.line("v = v > %s[0] ? %s[0] : v;", hi.name, hi.name)
	} else if x.elem.IsFloat() {
		l.line("v = v > %s ? %s : v;", finite(x.elem, 1), finite(x.elem, 1))
	}
	l.line("y[i] = v;")
	l.end(1)
}

// finite is the least or greatest finite number.
func finite(e billb.Elem, sign float64) string {
	if e == billb.F32 {
		return float(e, sign*math.MaxFloat32)
	}
	return float(e, sign*math.MaxFloat64)
}
