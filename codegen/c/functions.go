package c

import (
	"fmt"

	"github.com/billnet/billnet/runtime/billb"
)

// function is an elementwise function of floats, which is computed in doubles and rounded once.
type function struct {
	text   string // its equation
	kernel string // which it uses, "" for none
	c      string // of the element %s
}

// functions are those that others have as operations of their own; exp, log, sigmoid and tanh are within four ulps of the
// exact value in doubles, and so the nearest float but where the exact value lies between two of them to 50 bits.
var functions = map[billb.Opcode]function{
	billb.OpExp:           {"e^x", "exp_of", "exp_of(%s)"},
	billb.OpLog:           {"ln(x)", "log_of", "log_of(%s)"},
	billb.OpSigmoid:       {"1 / (1 + e^-x)", "sigmoid", "sigmoid(%s)"},
	billb.OpTanh:          {"tanh(x)", "tanh_of", "tanh_of(%s)"},
	billb.OpSqrt:          {"the square root of x", "sqrt_of", "sqrt_of(%s)"},
	billb.OpFloor:         {"the largest integer not above x", "floor_of", "floor_of(%s)"},
	billb.OpCeil:          {"the least integer not below x", "floor_of", "-floor_of(-%s)"},
	billb.OpRoundHalfEven: {"the nearest integer, of two the even one", "round_even", "round_even(%s)"},
	billb.OpReciprocal:    {"1 / x", "", "1 / %s"},
}

// functionLayer writes a layer of the table.
func functionLayer(g *generator, l *layer) {
	f := functions[l.in.Op]
	l.equation = "y = " + f.text
	if e := g.elemOf(l, 0); e != billb.F32 {
		refuse("%s, only f32", e)
	}
	if f.kernel != "" {
		g.use(f.kernel)
	}
	elementwise(g, l, 1, func(_ tensor, x []string) string { return "(float)(" + fmt.Sprintf(f.c, x[0]) + ")" })
}

// elu has a parameter.
func elu(g *generator, l *layer) {
	alpha := l.in.Params.(*billb.Alpha).Alpha
	l.equation = "y = x < 0 ? alpha * (e^x - 1) : x"
	if e := g.elemOf(l, 0); e != billb.F32 {
		refuse("%s, only f32", e)
	}
	f := g.activation(billb.Elu, alpha, 0)
	elementwise(g, l, 1, func(_ tensor, x []string) string { return "(float)(" + fmt.Sprintf(f, "(double)"+x[0]) + ")" })
}

// softmax is softmax or its logarithm along an axis.
func softmax(g *generator, l *layer) {
	axis := l.in.Params.(*billb.Along).Axis
	x := g.input(l, 0, "x")
	g.output(l, "y")
	if x.elem != billb.F32 {
		refuse("%s, only f32", x.elem)
	}
	n, inner := x.shape[axis], billb.Product(x.shape[axis+1:])
	l.equation = fmt.Sprintf("y = e^(x - m) / the sum of e^(x - m), m the largest x along axis %d", axis)
	result := "exp_of(v[k * %[1]d] - most) / sum"
	if l.in.Op == billb.OpLogSoftmax {
		l.equation = fmt.Sprintf("y = x - m - ln(the sum of e^(x - m)), m the largest x along axis %d", axis)
		g.use("log_of")
		result = "v[k * %[1]d] - most - sum"
	}
	g.use("exp_of", "larger")
	l.line("for (int i = 0; i < %d; i++) {", x.n()/n)
	l.line("int first = i / %d * %d + i %% %d;", inner, n*inner, inner)
	l.line("const float *v = x + first;")
	l.line("double most = v[0], sum = 0;")
	l.line("for (int k = 1; k < %d; k++) {", n)
	l.line("most = larger(most, v[k * %d]);", inner)
	l.end(1)
	l.line("for (int k = 0; k < %d; k++) {", n)
	l.line("sum += exp_of(v[k * %d] - most);", inner)
	l.end(1)
	if l.in.Op == billb.OpLogSoftmax {
		l.line("sum = log_of(sum);")
	}
	l.line("for (int k = 0; k < %d; k++) {", n)
	l.line("y[first + k * %d] = (float)("+result+");", inner)
	l.end(2)
}
