package c

import (
	"fmt"
	"slices"

	"github.com/billnet/billnet/runtime/billb"
)

// reduce combines the elements along axes.
func reduce(g *generator, l *layer) {
	axes := l.in.Params.(*billb.Reduce).Axes
	x, y := g.input(l, 0, "x"), g.output(l, "y")
	what := map[billb.Opcode]string{billb.OpReduceSum: "sum", billb.OpReduceMean: "mean", billb.OpReduceMax: "largest", billb.OpReduceMin: "smallest", billb.OpReduceProd: "product"}[l.in.Op]
	l.equation = fmt.Sprintf("y = the %s of x over the axes %v", what, axes)
	op := map[string]string{"largest": ">", "smallest": "<"}[what]
	if x.elem.IsFloat() && op != "" {
		g.use(extremes[op])
	}
	s := strides(x.shape)
	var outer, inner []int // axes of x
	var po, pi place
	for i := range x.shape {
		if slices.Contains(axes, i) {
			inner, pi.stride = append(inner, x.shape[i]), append(pi.stride, s[i])
		} else {
			outer, po.stride = append(outer, x.shape[i]), append(po.stride, s[i])
		}
	}
	index, loops := l.nest(outer, place{stride: strides(outer)}, po)
	l.line("const %s *v = x + %s;", cType(x.elem), index[1])
	kind := cType(y.elem)
	if y.elem.IsInt() && op == "" {
		kind = unsigned(y.elem)
	}
	first, add := "0", "+"
	switch {
	case what == "product":
		first, add = "1", "*"
	case op != "":
		first = "v[0]"
	}
	l.line("%s sum = %s;", kind, first)
	l.line("{")
	at, n := l.nestInner(inner, pi)
	switch {
	case op != "":
		l.line("sum = %s;", extremeOf(op, x.elem, "v["+at+"]", "sum"))
	case y.elem.IsInt():
		l.line("const %s e = v[%s];", signed(x.elem), at)
		l.line("sum %s= (%s)e;", add, kind)
	default:
		l.line("sum %s= v[%s];", add, at)
	}
	l.end(n + 1)
	if what == "mean" {
		l.line("sum /= %s;", float(y.elem, float64(billb.Product(inner))))
	}
	l.line("y[%s] = (%s)sum;", index[0], cType(y.elem))
	l.end(loops)
}

// signed is a type that holds integers of a type, or wraps as they do.
func signed(e billb.Elem) string {
	if e.Width() >= 4 {
		return cType(e)
	}
	return "int32_t"
}

// nestInner is nest with loops of other names, inside of a nest.
func (l *layer) nestInner(shape []int, p place) (string, int) {
	var terms []string
	loops := 0
	for i, n := range shape {
		if n == 1 {
			continue
		}
		name := fmt.Sprintf("r%d", i)
		l.line("for (int %s = 0; %s < %d; %s++) {", name, name, n, name)
		terms = append(terms, fmt.Sprintf("%d * %s", p.stride[i], name))
		loops++
	}
	if terms == nil {
		return "0", 0
	}
	text := terms[0]
	for _, t := range terms[1:] {
		text += " + " + t
	}
	return text, loops
}

// argMax finds the first of the largest elements along an axis, or the last; NaN is larger than everything.
func argMax(g *generator, l *layer) {
	v := l.in.Params.(*billb.ArgMax)
	x, y := g.input(l, 0, "x"), g.output(l, "y")
	l.equation = fmt.Sprintf("y = where x is largest along axis %d", v.Axis)
	n, inner := x.shape[v.Axis], billb.Product(x.shape[v.Axis+1:])
	l.line("for (int i = 0; i < %d; i++) {", y.n())
	l.line("const %s *v = x + i / %d * %d + i %% %d;", cType(x.elem), inner, n*inner, inner)
	l.line("int best = 0;")
	l.line("for (int k = 1; k < %d; k++) {", n)
	at, best := fmt.Sprintf("v[k * %d]", inner), fmt.Sprintf("v[best * %d]", inner)
	condition := at + " > " + best
	switch {
	case v.SelectLast && x.elem.IsFloat():
		condition = fmt.Sprintf("%s >= %s || %s != %s", at, best, at, at)
	case v.SelectLast:
		condition = at + " >= " + best
	case x.elem.IsFloat():
		condition = fmt.Sprintf("%s > %s || (%s != %s && %s == %s)", at, best, at, at, best, best)
	}
	l.line("if (%s) {", condition)
	l.line("best = k;")
	l.end(2)
	l.line("y[i] = best;")
	l.end(1)
}
