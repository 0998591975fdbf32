package onnx

import (
	"fmt"

	"github.com/billnet/billnet/ir"
)

// lstmExports unroll the binary recurrent layers over their steps, in the form
// in which exporters write a hand-made cell and the passes roll it back.
var lstmExports = map[*ir.Op]func(e *exporter, n *ir.Node){
	ir.BinLSTM: func(e *exporter, n *ir.Node) {
		c := &cell{x: e.native(n.Args[0]), wi: e.weights(n.Args[1], false), wh: e.weights(n.Args[2], false), epsilon: n.Float("epsilon"), sign0: n.Int("sign0")}
		for i := range c.norm {
			c.norm[i] = e.native(n.Args[3+i])
		}
		copy(c.strict[:], n.Ints("strict"))
		c.h, c.c = e.native(n.Args[7]), e.native(n.Args[8])
		y, h, last := e.unroll(n, c)
		e.slots[n.Results[0]], e.slots[n.Results[1]], e.slots[n.Results[2]] = &slot{native: y}, &slot{native: h}, &slot{native: last}
	},
	ir.BLSTM: exportBLSTM,
	ir.Scan:  exportScan,
}

// exportBLSTM: row r's comparison (z >= t) != flip is the norm s*(z - (t-1/2)),
// s = +1 or -1, compared with 0: with variance 1 and epsilon 0 it is exact.
func exportBLSTM(e *exporter, n *ir.Node) {
	t, flip := ir.ConstOf(n.Args[3]), ir.ConstOf(n.Args[4])
	if t == nil || flip == nil {
		e.failf("t and flip must be constants")
		return
	}
	const halfExact = exactFloat / 2 // numbers and a half
	reach := int64(n.In(1).Shape[1] + n.In(2).Shape[1])
	if reach >= halfExact {
		e.failf("z reaches %d, from 2^23 on float32 does not hold halves", reach)
	}
	if s := e.spans[n.Results[2]]; s.reach() > 32767 {
		e.failf("the cell may count to %d and saturate, which ONNX does not express", s.reach())
	}
	rows := t.Len()
	scale, bias, mean, variance := ir.NewTensor(ir.T(ir.F32, rows)), ir.NewTensor(ir.T(ir.F32, rows)), ir.NewTensor(ir.T(ir.F32, rows)), ir.NewTensor(ir.T(ir.F32, rows))
	for r := range rows {
		scale.Floats()[r], variance.Floats()[r] = 1, 1
		if flip.Int(r) == 1 {
			scale.Floats()[r] = -1
		}
		mean.Floats()[r] = float32(min(max(t.Int(r), -reach), reach+1)) - 0.5
	}
	c := &cell{x: e.num(n.Args[0]), wi: e.weights(n.Args[1], false), wh: e.weights(n.Args[2], false), strict: [4]int{1, 1, 1, 1}, sign0: n.Int("sign0"), h: e.num(n.Args[5]), c: e.num(n.Args[6])}
	for i, p := range []*ir.Tensor{scale, bias, mean, variance} {
		c.norm[i] = e.shared(fmt.Sprintf("%s.%s", e.loc, [4]string{"scale", "bias", "mean", "var"}[i]), p)
	}
	y, h, last := e.unroll(n, c)
	e.slots[n.Results[0]], e.slots[n.Results[1]], e.slots[n.Results[2]] = &slot{num: y}, &slot{num: h}, &slot{num: last}
}

// cell is a recurrent cell over the sequence x [N,T,I], in ONNX names.
type cell struct {
	x, wi, wh string
	norm      [4]string // scale, bias, mean, variance of the rows
	epsilon   float64
	strict    [4]int // of the gates i, f, o, g
	sign0     int
	h, c      string // the states before the first step
}

// unroll emits every step: z = BN(x[t]*wi' + h*wh'), c = f*c + i*g, h = o*sign(c).
// It returns the sequence of h, "" if nothing reads it, and the last h and c.
func (e *exporter) unroll(n *ir.Node, c *cell) (y, h, last string) {
	steps, hidden := n.In(0).Shape[1], n.In(2).Shape[1]
	if steps == 0 {
		e.failf("x is %s, a sequence without steps", n.In(0))
		return "", "", ""
	}
	h, last = c.h, c.c
	sizes := e.ints([]int{hidden, hidden, hidden, hidden})
	axis := e.ints([]int{1})
	var all []string
	for t := range steps {
		x := e.emit("Gather", in(c.x, e.shared(fmt.Sprintf("const_%d", t), ir.IntTensor(ir.I64, []int64{int64(t)}))), attrInt("axis", 1))
		z := e.emit("Add", in(e.product(x, c.wi), e.product(h, c.wh)))
		z = e.emit("BatchNormalization", append(in(z), c.norm[:]...), attrFloat("epsilon", c.epsilon))
		rows := make([]string, 4)
		for i := range rows {
			rows[i] = unique(e.names, e.loc)
		}
		e.node("", "Split", in(z, sizes), rows, attrInt("axis", 1))
		gate := func(k int) string {
			op := "GreaterOrEqual"
			if c.strict[k] == 1 {
				op = "Greater"
			}
			return e.emit(op, in(rows[k], e.scalar(ir.F32, 0)))
		}
		i, f, o := e.cast(gate(0), ir.F32), e.cast(gate(1), ir.F32), e.cast(gate(2), ir.F32)
		g := e.sign(gate(3))
		last = e.emit("Add", in(e.emit("Mul", in(f, last)), e.emit("Mul", in(i, g))))
		h = e.emit("Mul", in(o, e.signOf(last, c.sign0)))
		if len(e.uses[n.Results[0]]) > 0 {
			all = append(all, e.emit("Unsqueeze", in(h, axis)))
		}
	}
	if len(all) == 0 {
		return "", h, last
	}
	return e.emit("Concat", all, attrInt("axis", 1)), h, last
}

// product is a*w' for weights w [O,K].
func (e *exporter) product(a, w string) string {
	return e.emit("Gemm", in(a, w), attrInt("transB", 1))
}

// sign makes a bool +1 or -1.
func (e *exporter) sign(c string) string {
	return e.emit("Where", in(c, e.scalar(ir.F32, 1), e.scalar(ir.F32, -1)))
}

// signOf is the sign of x with the given sign of 0.
func (e *exporter) signOf(x string, zero int) string {
	switch zero {
	case 1:
		return e.sign(e.emit("GreaterOrEqual", in(x, e.scalar(ir.F32, 0))))
	case -1:
		return e.sign(e.emit("Greater", in(x, e.scalar(ir.F32, 0))))
	}
	return e.emit("Sign", in(x))
}
