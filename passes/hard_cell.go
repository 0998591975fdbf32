package passes

import (
	"math"

	"github.com/billnet/billnet/ir"
)

// hardCell writes recurrent cells with hard gates, step by step, in source
// operations. With n = 2^gates-1 levels and the cell's unit m, a step is
//
//	i, f = level 0..n of z, g = 2*level - n, o = H(z)
//	c = sat(round(f*c/n) + round(i*g*m/n^2)), h = o*sign(c), sign(0) = sign0   (LSTM)
//	r, u = level 0..n, g = 2*level - n
//	c = sat(round((n-u)*g*m/n^2) + round(u*c/n)), h = round(c/m)               (GRU; u is its update gate)
//
// with sat limiting to -limit..limit. With one bit n = m = 1: levels are bits, g
// is a sign, and nothing is rounded. h is -1, 0 or 1.
type hardCell struct {
	*rewriter
	gru    bool
	linear bool // GRU: the reset gate multiplies the recurrent product
	gates  int  // bits
	m      int
	limit  int // 0: the cell cannot leave its range, nothing is written
	hidden int
	wide   bool // the cell needs 16 bits
	times  int  // the recurrent products count this often; 0 is once

	wi, wh *ir.Value    // [I,G*H] and [H,G*H]; gates i f o g, or u r g
	norm   []*ir.Tensor // scale, bias, mean and variance of every row
	eps    float64
	grid   *cellGrid // of gates with more than one bit
	params map[paramKey]*ir.Value

	strict []int // of the gates i, f, o, g; nil: all strict
	sign0  int
	hard   func(x *ir.Value, strict, signed bool) *ir.Value // 0 and 1, or -1 and +1
}

// cellGrid gives the levels of a gate: round((z + shift[r])/scale[r]), limited to
// 0..n.
type cellGrid struct{ shift, scale []float32 }

func (w *hardCell) n() int { return 1<<w.gates - 1 }

// sourceStep writes a binary activation as exporters do.
func sourceStep(rw *rewriter) func(x *ir.Value, strict, signed bool) *ir.Value {
	return func(x *ir.Value, strict, signed bool) *ir.Value {
		op := "greater_or_equal"
		if strict {
			op = "greater"
		}
		b := rw.Op(op, nil, x, rw.scalar(0))
		if !signed {
			return rw.Op("cast", map[string]any{"to": "f32"}, b)
		}
		return rw.Op("where", nil, b, rw.scalar(1), rw.scalar(-1))
	}
}

// logicStep writes it as a step.
func logicStep(rw *rewriter) func(x *ir.Value, strict, signed bool) *ir.Value {
	return func(x *ir.Value, strict, signed bool) *ir.Value {
		return rw.Op("to_float", nil, rw.Op("step", map[string]any{"strict": strict, "signed": signed}, x))
	}
}

func (rw *rewriter) scalar(x float64) *ir.Value { return rw.Const(ir.Scalar(ir.F32, x)) }

// run writes the steps over x, whose element t on the axis is step t's input,
// and returns h of every step and the last cell, in units of 1/m.
func (w *hardCell) run(x *ir.Value, axis int, h, c *ir.Value) (hs []*ir.Value, cell *ir.Value) {
	for t := range x.Type.Shape[axis] {
		xt := w.Op("gather", map[string]any{"axis": axis}, x, w.Const(ir.IntTensor(ir.I64, []int64{int64(t)})))
		if w.Err != nil {
			return nil, nil
		}
		if w.gru {
			h, c = w.gruStep(xt, h, c)
		} else {
			h, c = w.lstmStep(xt, h, c)
		}
		hs = append(hs, h)
	}
	return hs, c
}

// recurrent is the product of h with recurrent weights.
func (w *hardCell) recurrent(h, weights *ir.Value) *ir.Value {
	z := w.Op("matmul", nil, h, weights)
	if w.times > 1 {
		z = w.Op("mul", nil, z, w.scalar(float64(w.times)))
	}
	return z
}

// rows are the gates from..to of z [B,G*H].
func (w *hardCell) rows(z *ir.Value, from, to int) *ir.Value {
	return w.Op("slice", map[string]any{"starts": []int{from * w.hidden}, "ends": []int{to * w.hidden}, "axes": []int{1}}, z)
}

// param returns a constant that all steps share, made once.
func (w *hardCell) param(name string, from int, make func() *ir.Tensor) *ir.Value {
	key := paramKey{name, from}
	if w.params[key] == nil {
		if w.params == nil {
			w.params = map[paramKey]*ir.Value{}
		}
		w.params[key] = w.Const(make())
	}
	return w.params[key]
}

type paramKey struct {
	name string
	from int // the first gate it belongs to
}

// normalized is the batch norm of the gates from..to.
func (w *hardCell) normalized(z *ir.Value, from, to int) *ir.Value {
	args := []*ir.Value{z}
	for i, name := range []string{"scale", "bias", "mean", "var"} {
		args = append(args, w.param(name, from, func() *ir.Tensor { return rowsOf(w.norm[i], from*w.hidden, to*w.hidden) }))
	}
	return w.Op("batch_norm", map[string]any{"epsilon": w.eps}, args...)
}

func rowsOf(t *ir.Tensor, from, to int) *ir.Tensor { return ir.FloatTensor(t.F[from:to], to-from) }

// levels is the level 0..n of the gates from..to.
func (w *hardCell) levels(z *ir.Value, from, to int) *ir.Value {
	lo, hi := from*w.hidden, to*w.hidden
	z = w.Op("add", nil, z, w.param("shift", from, func() *ir.Tensor { return ir.FloatTensor(w.grid.shift[lo:hi], hi-lo) }))
	scale := w.param("grid", from, func() *ir.Tensor { return ir.FloatTensor(w.grid.scale[lo:hi], hi-lo) })
	zero := w.param("zero", from, func() *ir.Tensor { return ir.IntTensor(ir.U8, make([]int64, hi-lo), hi-lo) })
	q := w.Op("quantize_linear", map[string]any{"axis": 1}, z, scale, zero)
	if w.n() < math.MaxUint8 {
		q = w.Op("clip", nil, q, w.Const(ir.Scalar(ir.U8, 0)), w.Const(ir.Scalar(ir.U8, float64(w.n()))))
	}
	return w.Op("cast", map[string]any{"to": "f32"}, q)
}

// signedLevel is 2*level - n.
func (w *hardCell) signedLevel(level *ir.Value) *ir.Value {
	return w.Op("sub", nil, w.Op("mul", nil, level, w.scalar(2)), w.scalar(float64(w.n())))
}

// rounded is round(x/d) as a whole number of the cell's width.
func (w *hardCell) rounded(x *ir.Value, d float64) *ir.Value {
	if d == 1 {
		return x
	}
	t := ir.I8
	if w.wide {
		t = ir.I16
	}
	q := w.Op("quantize_linear", nil, x, w.scalar(d), w.Const(ir.Scalar(t, 0)))
	return w.Op("cast", map[string]any{"to": "f32"}, q)
}

func (w *hardCell) saturated(c *ir.Value) *ir.Value {
	if w.limit == 0 {
		return c
	}
	return w.Op("clip", nil, c, w.scalar(float64(-w.limit)), w.scalar(float64(w.limit)))
}

func (w *hardCell) isStrict(gate int) bool { return w.strict == nil || w.strict[gate] == 1 }

func (w *hardCell) lstmStep(x, h, c *ir.Value) (hNext, cNext *ir.Value) {
	z := w.Op("add", nil, w.Op("matmul", nil, x, w.wi), w.recurrent(h, w.wh))
	var i, f, g, o *ir.Value
	if w.gates == 1 {
		z = w.normalized(z, 0, 4)
		i, f = w.hard(w.rows(z, 0, 1), w.isStrict(0), false), w.hard(w.rows(z, 1, 2), w.isStrict(1), false)
		o, g = w.hard(w.rows(z, 2, 3), w.isStrict(2), false), w.hard(w.rows(z, 3, 4), w.isStrict(3), true)
	} else {
		q := w.levels(w.rows(z, 0, 2), 0, 2)
		i, f = w.rows(q, 0, 1), w.rows(q, 1, 2)
		o = w.hard(w.normalized(w.rows(z, 2, 3), 2, 3), true, false)
		g = w.signedLevel(w.levels(w.rows(z, 3, 4), 3, 4))
	}
	n := float64(w.n())
	keep := w.rounded(w.Op("mul", nil, f, c), n)
	write := w.rounded(w.Op("mul", nil, i, g), n*n/float64(w.m))
	cNext = w.saturated(w.Op("add", nil, keep, write))
	var s *ir.Value
	if w.sign0 == 0 {
		s = w.Op("sign", nil, cNext)
	} else {
		s = w.hard(cNext, w.sign0 < 0, true)
	}
	return w.Op("mul", nil, o, s), cNext
}

func (w *hardCell) gruStep(x, h, c *ir.Value) (hNext, cNext *ir.Value) {
	n := float64(w.n())
	zx := w.Op("matmul", nil, x, w.wi)
	var zh *ir.Value
	whg := w.wh
	if w.linear {
		zh = w.recurrent(h, w.wh)
	} else {
		part := func(from, to int) *ir.Value {
			return w.Op("slice", map[string]any{"starts": []int{from * w.hidden}, "ends": []int{to * w.hidden}, "axes": []int{1}}, w.wh)
		}
		zh, whg = w.recurrent(h, part(0, 2)), part(2, 3)
	}
	sum := w.Op("add", nil, w.rows(zx, 0, 2), w.rows(zh, 0, 2))
	gate := func(z *ir.Value, from, to int, signed bool) *ir.Value {
		switch {
		case w.gates > 1 && signed:
			return w.signedLevel(w.levels(z, from, to))
		case w.gates > 1:
			return w.levels(z, from, to)
		}
		return w.hard(w.normalized(z, from, to), true, signed)
	}
	ur := gate(sum, 0, 2, false)
	u, r := w.rows(ur, 0, 1), w.rows(ur, 1, 2)
	var reset *ir.Value // n times r of the equation
	if w.linear {
		reset = w.Op("mul", nil, r, w.rows(zh, 2, 3))
	} else {
		masked := h
		if !isSplat(h, 0) {
			masked = w.Op("mul", nil, r, h)
		}
		reset = w.recurrent(masked, whg)
	}
	xg := w.rows(zx, 2, 3)
	if w.gates > 1 {
		xg = w.Op("mul", nil, xg, w.scalar(n))
	}
	g := gate(w.Op("add", nil, xg, reset), 2, 3, true)
	write := w.rounded(w.Op("mul", nil, w.Op("sub", nil, w.scalar(n), u), g), n*n/float64(w.m))
	keep := w.rounded(w.Op("mul", nil, u, c), n)
	cNext = w.saturated(w.Op("add", nil, write, keep))
	if w.m == 1 && w.gates == 1 {
		return cNext, cNext
	}
	q := w.Op("quantize_linear", nil, cNext, w.scalar(float64(w.m)), w.Const(ir.Scalar(ir.I8, 0)))
	q = w.Op("clip", nil, q, w.Const(ir.Scalar(ir.I8, -1)), w.Const(ir.Scalar(ir.I8, 1)))
	return w.Op("cast", map[string]any{"to": "f32"}, q), cNext
}

// unrollLSTM writes a bin_lstm that has no kernel (weights with zeros, an input
// of more than one bit, or a float one) as steps, which become integer operations
// one by one where they can.
func unrollLSTM(rw *rewriter, c *Context, n *ir.Node) []*ir.Value {
	if n.Op.Name != "bin_lstm" {
		return nil
	}
	wi, wh := ir.ConstOf(n.Args[1]), ir.ConstOf(n.Args[2])
	if wi == nil || wh == nil {
		return nil
	}
	var params []*ir.Tensor
	for _, a := range n.Args[3:] {
		if ir.ConstOf(a) == nil {
			return nil
		}
		params = append(params, ir.ConstOf(a))
	}
	w := &hardCell{rewriter: rw, gates: 1, m: 1, hidden: n.In(2).Shape[1], norm: params[:4], eps: n.Float("epsilon"), strict: n.Ints("strict"), sign0: n.Int("sign0"), hard: logicStep(rw)}
	w.wi, w.wh = rw.Const(transpose2D(wi)), rw.Const(transpose2D(wh))
	hs, cell := w.run(n.Args[0], 1, n.Args[7], n.Args[8])
	if rw.Err != nil {
		return nil
	}
	in := n.In(0).DType
	if x := unwrap(n.Args[0], "to_float"); x != nil {
		in = x.Type.DType
	}
	c.Note("the recurrent layer %q was unrolled over %d steps: only -1 and +1 over bits have a kernel, and its input is %s", layerName(n), len(hs), in)
	y := make([]*ir.Value, len(hs))
	for t, h := range hs {
		y[t] = rw.Op("unsqueeze", map[string]any{"axes": []int{1}}, h)
	}
	return []*ir.Value{rw.Op("concat", map[string]any{"axis": 1}, y...), hs[len(hs)-1], cell}
}
