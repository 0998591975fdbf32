package onnx

import (
	"slices"

	"github.com/billnet/billnet/ir"
)

// logicExports express the operations of the logic level in standard operators
// on float32 numbers. The forms are those that the passes recognise.
var logicExports = map[*ir.Op]func(e *exporter, n *ir.Node){
	ir.Step:      exportStep,
	ir.Threshold: func(e *exporter, n *ir.Node) { e.threshold(n, n.Int("axis")) },
	ir.BConv:     exportConv,
	ir.IConv:     exportConv,
	ir.ILinear: func(e *exporter, n *ir.Node) {
		e.exactSum(n)
		w := e.weights(n.Args[1], true)
		e.slots[n.Result()] = &slot{num: e.emit("MatMul", in(e.num(n.Args[0]), w))}
	},
	ir.Count: func(e *exporter, n *ir.Node) {
		if e.spans[n.Result()].reach() >= exactFloat {
			e.failf("the count reaches %d, from 2^24 on float32 is not exact", e.spans[n.Result()].reach())
		}
		e.slots[n.Result()] = &slot{num: e.emit("ReduceSum", in(e.num(n.Args[0]), e.intsIf(n.Ints("axes"))), attrInt("keepdims", b2i(n.Bool("keepdims"))))}
	},
	ir.Affine:  exportAffine,
	ir.ToFloat: func(e *exporter, n *ir.Node) { e.slots[n.Result()] = &slot{native: e.num(n.Args[0])} },
	ir.Cast:    exportCast,

	ir.BitAnd: func(e *exporter, n *ir.Node) { e.numbers(n, "Min", e.num(n.Args[0]), e.num(n.Args[1])) },
	ir.BitOr:  func(e *exporter, n *ir.Node) { e.numbers(n, "Max", e.num(n.Args[0]), e.num(n.Args[1])) },
	ir.BitXor: func(e *exporter, n *ir.Node) { e.bit(n, e.emit("Xor", in(e.cond(n.Args[0]), e.cond(n.Args[1])))) },
	ir.BitNot: func(e *exporter, n *ir.Node) {
		if n.In(0).DType == ir.Bit {
			e.numbers(n, "Sub", e.scalar(ir.F32, 1), e.num(n.Args[0]))
		} else {
			e.bit(n, e.emit("Less", in(e.num(n.Args[0]), e.scalar(ir.F32, 0))))
		}
	},
	ir.Recode: func(e *exporter, n *ir.Node) { e.bit(n, e.emit("Greater", in(e.num(n.Args[0]), e.scalar(ir.F32, 0)))) },
	ir.Join:   exportJoin,
	ir.Mux: func(e *exporter, n *ir.Node) {
		e.numbers(n, "Where", e.cond(n.Args[0]), e.num(n.Args[2]), e.num(n.Args[1]))
	},
	ir.MuxOr: func(e *exporter, n *ir.Node) {
		f, x := e.num(n.Args[1]), e.num(n.Args[2])
		e.numbers(n, "Where", e.cond(n.Args[0]), e.emit("Max", in(f, x)), f)
	},
	ir.MinPool: exportMinPool,
	ir.Shift: func(e *exporter, n *ir.Node) {
		a, _ := ir.Axis(n.Int("axis"), n.In(0).Rank())
		kept := e.emit("Slice", in(e.num(n.Args[0]), e.ints([]int{n.In(1).Shape[a]}), e.ints([]int{n.In(0).Shape[a]}), e.ints([]int{a})))
		e.slots[n.Result()] = &slot{num: e.emit("Concat", in(kept, e.num(n.Args[1])), attrInt("axis", a))}
	},
	ir.Tally: func(e *exporter, n *ir.Node) {
		base, bits := n.Int("base"), int64(len(n.Args))
		e.spans[n.Result()] = span{int64(base), int64(base) + bits}
		y := e.num(n.Args[0])
		for _, b := range n.Args[1:] {
			y = e.emit("Add", in(y, e.num(b)))
		}
		if base != 0 {
			y = e.emit("Add", in(y, e.scalar(ir.F32, float64(base))))
		}
		e.slots[n.Result()] = &slot{num: y}
	},
}

// numbers emits an operator whose result is the node's, as numbers.
func (e *exporter) numbers(n *ir.Node, op string, inputs ...string) {
	e.slots[n.Result()] = &slot{num: e.emit(op, inputs)}
}

// bit makes a bool the node's result.
func (e *exporter) bit(n *ir.Node, cond string) { e.slots[n.Result()] = &slot{cond: cond} }

// exportStep: a comparison with 0; one that NaN passes is the opposite one,
// negated.
func exportStep(e *exporter, n *ir.Node) {
	x, zero := e.native(n.Args[0]), e.scalar(n.In(0).DType, 0)
	op := map[[2]bool]string{{true, false}: "Greater", {false, false}: "GreaterOrEqual", {true, true}: "LessOrEqual", {false, true}: "Less"}[[2]bool{n.Bool("strict"), n.Bool("nan")}]
	c := e.emit(op, in(x, zero))
	if n.Bool("nan") {
		c = e.emit("Not", in(c))
	}
	e.bit(n, c)
}

// threshold makes (z >= t[c]) != flip[c] the node's result: compared as float32
// numbers, or as integers where float32 does not hold them.
func (e *exporter) threshold(n *ir.Node, axis int) {
	z, t, flip := n.Args[0], n.Args[1], n.Args[2]
	if e.spanOf(z).reach() < exactFloat {
		e.compare(n, e.num(z), z.Type, t, flip, axis)
		return
	}
	tc, fc := ir.ConstOf(t), ir.ConstOf(flip)
	a, err := ir.Axis(axis, z.Type.Rank())
	if tc == nil || fc == nil || err != nil {
		e.failf("t and flip must be constants")
		return
	}
	shape := ones(z.Type.Rank())
	shape[a] = tc.Len()
	limit := tc.Convert(ir.I64).Reshape(shape...)
	c := e.emit("GreaterOrEqual", in(e.cast(e.native(z), ir.I64), e.shared(e.loc+".threshold", limit)))
	e.bit(n, e.emit("Xor", in(c, e.shared(e.loc+".flip", fc.Convert(ir.Bool).Reshape(shape...)))))
}

// compare is threshold of float32 numbers z of a type. Channels that flip compare
// -z >= 1-t, which is z < t of integers.
func (e *exporter) compare(n *ir.Node, z string, zt ir.Type, t, flip *ir.Value, axis int) {
	tc, fc := ir.ConstOf(t), ir.ConstOf(flip)
	if tc == nil || fc == nil {
		e.failf("t and flip must be constants")
		return
	}
	a, err := ir.Axis(axis, zt.Rank())
	if err != nil {
		e.failf("%w", err)
		return
	}
	shape := ones(zt.Rank())
	shape[a] = tc.Len()
	limit, sign := ir.NewTensor(ir.T(ir.F32, shape...)), ir.NewTensor(ir.T(ir.F32, shape...))
	flips := 0
	for c, v := range tc.Ints() {
		sign.Floats()[c] = 1
		if fc.Int(c) == 1 {
			flips++
			sign.Floats()[c] = -1
		}
		// Beyond 2^24 no z is; the bound is as good and a float32 number.
		limit.Floats()[c] = float32(min(max(v, -exactFloat), exactFloat))
	}
	op := "GreaterOrEqual"
	switch flips {
	case 0:
	case tc.Len():
		op = "Less"
	default:
		for c := range limit.Floats() {
			if fc.Int(c) == 1 {
				limit.Floats()[c] = 1 - limit.Float32(c)
			}
		}
		z = e.emit("Mul", in(z, e.shared(e.loc+".sign", sign)))
	}
	e.bit(n, e.emit(op, in(z, e.shared(e.loc+".threshold", limit))))
}

// exactSum refuses sums that float32 may round, and results narrower than what
// they hold.
func (e *exporter) exactSum(n *ir.Node) {
	s := e.sumSpan(n)
	if s.reach() >= exactFloat {
		e.failf("the sum reaches %d, from 2^24 on float32 is not exact", s.reach())
	}
	out := n.Result().Type.DType
	if out.IsLogic() { // the comparison is made before any narrowing
		return
	}
	if n.Is(ir.IConv) && len(n.Ints("lo")) > 0 && len(n.Ints("hi")) > 0 {
		s = span{int64(slices.Min(n.Ints("lo"))), int64(slices.Max(n.Ints("hi")))}
	}
	if lo, hi := out.Range(); s.lo < lo || s.hi > hi {
		e.failf("the sum lies in %d..%d and may wrap in %s, which ONNX does not express", s.lo, s.hi, out)
	}
	e.spans[n.Result()] = s
}

// weights makes weights an initializer of float32 numbers, transposed for a
// matrix product if asked.
func (e *exporter) weights(w *ir.Value, transpose bool) string {
	t := ir.ConstOf(w)
	if t == nil {
		name := e.num(w)
		if transpose {
			name = e.emit("Transpose", in(name), attrInts("perm", []int{1, 0}))
		}
		return name
	}
	if e.spanOf(w).reach() >= exactFloat {
		e.failf("a weight is %d, from 2^24 on float32 is not exact", e.spanOf(w).reach())
	}
	if !transpose {
		return e.num(w)
	}
	return e.shared(e.constLoc(w), transposed(t.Convert(ir.F32)))
}

// transposed returns the transpose of a matrix of f32.
func transposed(t *ir.Tensor) *ir.Tensor {
	rows, cols := t.Type.Shape[0], t.Type.Shape[1]
	out := ir.NewTensor(ir.T(ir.F32, cols, rows))
	for i := range rows {
		for j := range cols {
			out.Floats()[j*rows+i] = t.Float32(i*cols + j)
		}
	}
	return out
}

func exportConv(e *exporter, n *ir.Node) {
	e.exactSum(n)
	z := e.emit("Conv", in(e.num(n.Args[0]), e.weights(n.Args[1], false)), append(windowForm(n), attrInt("group", n.Int("groups")))...)
	if n.Arg(2) == nil {
		e.slots[n.Result()] = &slot{num: z}
		return
	}
	e.compare(n, z, n.Result().Type, n.Args[2], n.Args[3], 1)
}

// exportAffine: a single divisor gives the correctly rounded quotient in
// float32 too; the rest is computed in double, as the operation says.
func exportAffine(e *exporter, n *ir.Node) {
	p := [3]*ir.Tensor{}
	for i := range p {
		if p[i] = ir.ConstOf(n.Args[i+1]); p[i] == nil {
			e.failf("num, den and bias must be constants")
			return
		}
	}
	if e.spanOf(n.Args[0]).reach() >= exactFloat {
		e.failf("z reaches %d, from 2^24 on float32 is not exact", e.spanOf(n.Args[0]).reach())
	}
	z := e.num(n.Args[0])
	is := func(i int, x float64) bool { v, ok := p[i].Splat(); return ok && v == x }
	if den, ok := p[1].Splat(); ok && is(0, 1) && is(2, 0) && float64(float32(den)) == den {
		e.slots[n.Result()] = &slot{native: e.emit("Div", in(z, e.scalar(ir.F32, den)))}
		return
	}
	a, err := ir.Axis(n.Int("axis"), n.In(0).Rank())
	if err != nil {
		e.failf("%w", err)
		return
	}
	y := e.cast(z, ir.F64)
	for i, op := range []string{"Mul", "Div", "Add"} {
		shape := ones(n.In(0).Rank())
		shape[a] = p[i].Len()
		y = e.emit(op, in(y, e.shared(e.loc+"."+n.Op.Operands[i+1].Name, p[i].Reshape(shape...))))
	}
	e.slots[n.Result()] = &slot{native: e.cast(y, ir.F32)}
}

// exportCast: a logic value is cast from its numbers, a bit to bool by what it
// says; an integer that travels as float32 is that float.
func exportCast(e *exporter, n *ir.Node) {
	x, to := n.Args[0], n.Result().Type.DType
	switch {
	case to == ir.F32 && e.travelsAsNumbers(x):
		e.slots[n.Result()] = &slot{native: e.num(x)}
	case x.Type.DType == ir.Bit && to == ir.Bool:
		e.slots[n.Result()] = &slot{native: e.cond(x)}
	case x.Type.DType.IsLogic():
		e.slots[n.Result()] = &slot{native: e.cast(e.num(x), to)}
	default:
		e.source(n, sourceExports[ir.Cast](e, n))
	}
}

// exportJoin: the join of x > 0 and -x > 0 is the sign of x, that of two
// comparisons of one accumulator often the sign of its distance from a point,
// and any other the difference of the bits.
func exportJoin(e *exporter, n *ir.Node) {
	pos, neg := ir.Def(n.Args[0]), ir.Def(n.Args[1])
	plain := func(s *ir.Node) bool {
		return s.Is(ir.Step) && s.Bool("strict") && !s.Bool("nan") && s.In(0).DType == ir.F32
	}
	if plain(pos) && plain(neg) {
		if minus := ir.Def(neg.Args[0]); minus.Is(ir.Neg) && minus.Args[0] == pos.Args[0] {
			e.numbers(n, "Sign", e.native(pos.Args[0]))
			return
		}
	}
	if pos.Is(ir.Threshold) && neg.Is(ir.Threshold) && pos.Args[0] == neg.Args[0] && pos.Int("axis") == neg.Int("axis") && e.spanOf(pos.Args[0]).reach() < exactFloat/2 {
		if center, side := signPoint(pos, neg); center != nil {
			z := e.emit("Sub", in(e.num(pos.Args[0]), e.shared(e.loc+".center", center)))
			e.numbers(n, "Sign", e.emit("Mul", in(z, e.shared(e.loc+".side", side))))
			return
		}
	}
	e.numbers(n, "Sub", e.num(n.Args[0]), e.num(n.Args[1]))
}

// signPoint returns, for every channel, the point m and the side s = +1 or -1
// for which the comparisons pos and neg of z are s*(z-m) > 0 and s*(z-m) < 0. There
// is none where several z, or all, give neither.
func signPoint(pos, neg *ir.Node) (m, s *ir.Tensor) {
	t1, f1, t2, f2 := ir.ConstOf(pos.Args[1]), ir.ConstOf(pos.Args[2]), ir.ConstOf(neg.Args[1]), ir.ConstOf(neg.Args[2])
	a, err := ir.Axis(pos.Int("axis"), pos.In(0).Rank())
	if t1 == nil || f1 == nil || t2 == nil || f2 == nil || err != nil {
		return nil, nil
	}
	shape := ones(pos.In(0).Rank())
	shape[a] = t1.Len()
	m, s = ir.NewTensor(ir.T(ir.F32, shape...)), ir.NewTensor(ir.T(ir.F32, shape...))
	for c := range t1.Len() {
		first, last := t2.Int(c), t1.Int(c) // z in first..last-1 gives neither
		s.Floats()[c] = 1
		if f1.Int(c) == 1 {
			first, last, s.Floats()[c] = last, first, -1
		}
		switch {
		case f1.Int(c) == f2.Int(c) || max(first, -first) >= exactFloat/2:
			return nil, nil
		case first == last:
			m.Floats()[c] = float32(first) - 0.5
		case first == last-1:
			m.Floats()[c] = float32(first)
		default:
			return nil, nil
		}
	}
	return m, s
}

// exportMinPool: the smallest of bits is not the largest of their negations.
func exportMinPool(e *exporter, n *ir.Node) {
	x := e.num(n.Args[0])
	if e.spanOf(n.Args[0]).reach() >= exactFloat {
		e.failf("x reaches %d, from 2^24 on float32 is not exact", e.spanOf(n.Args[0]).reach())
	}
	not := func(x string) string { return e.emit("Neg", in(x)) }
	if n.In(0).DType == ir.Bit {
		not = func(x string) string { return e.emit("Sub", in(e.scalar(ir.F32, 1), x)) }
	}
	e.slots[n.Result()] = &slot{num: not(e.emit("MaxPool", in(not(x)), poolForm(e, n).attrs...))}
}
