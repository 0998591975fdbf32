package hardcell

import (
	"math"

	"github.com/billnet/billnet/ir"
)

// Cell writes recurrent cells with hard gates, step by step, in source
// operations. With n = 2^gates-1 levels and the cell's unit m, a step is
//
//	i, f = level 0..n of z, g = 2*level - n, o = H(z)
//	c = sat(round(f*c/n) + round(i*g*m/n^2)), h = o*sign(c), sign(0) = sign0   (LSTM)
//	r, u = level 0..n, g = 2*level - n
//	c = sat(round((n-u)*g*m/n^2) + round(u*c/n)), h = round(c/m)               (GRU; u is its update gate)
//
// with sat limiting to -limit..limit. With one bit n = m = 1: levels are bits, g
// is a sign, and nothing is rounded. h is -1, 0 or 1.
type Cell struct {
	*ir.Builder
	GRU    bool
	Linear bool // GRU: the reset gate multiplies the recurrent product
	Gates  int  // bits
	M      int
	Limit  int // 0: the cell cannot leave its range, nothing is written
	Hidden int
	Wide   bool // the cell needs 16 bits
	Times  int  // the recurrent products count this often; 0 is once

	Wi, Wh *ir.Value    // [I,G*H] and [H,G*H]; gates i f o g, or u r g
	Norm   []*ir.Tensor // scale, bias, mean and variance of every row
	Eps    float64
	Grid   *Grid // of gates with more than one bit
	params map[paramKey]*ir.Value

	Strict []int // of the gates i, f, o, g; nil: all strict
	Sign0  int
	Hard   func(x *ir.Value, strict, signed bool) *ir.Value // 0 and 1, or -1 and +1
}

// Grid gives the levels of a gate: round((z + shift[r])/scale[r]), limited to
// 0..n.
type Grid struct{ Shift, Scale []float32 }

func (w *Cell) N() int { return 1<<w.Gates - 1 }

// SourceStep writes a binary activation as exporters do.
func SourceStep(b *ir.Builder) func(x *ir.Value, strict, signed bool) *ir.Value {
	return func(x *ir.Value, strict, signed bool) *ir.Value {
		op := ir.GreaterOrEqual
		if strict {
			op = ir.Greater
		}
		bit := b.Op(op, nil, x, b.Scalar(0))
		if !signed {
			return b.Op(ir.Cast, map[string]any{"to": "f32"}, bit)
		}
		return b.Op(ir.Where, nil, bit, b.Scalar(1), b.Scalar(-1))
	}
}

// LogicStep writes it as a step.
func LogicStep(b *ir.Builder) func(x *ir.Value, strict, signed bool) *ir.Value {
	return func(x *ir.Value, strict, signed bool) *ir.Value {
		return b.Op(ir.ToFloat, nil, b.Op(ir.Step, map[string]any{"strict": strict, "signed": signed}, x))
	}
}

// Run writes the steps over x, whose element t on the axis is step t's input,
// and returns h of every step and the last cell, in units of 1/m.
func (w *Cell) Run(x *ir.Value, axis int, h, c *ir.Value) (hs []*ir.Value, cell *ir.Value) {
	for t := range x.Type.Shape[axis] {
		xt := w.Op(ir.Gather, map[string]any{"axis": axis}, x, w.Const(ir.IntTensor(ir.I64, []int64{int64(t)})))
		if w.Err != nil {
			return nil, nil
		}
		if w.GRU {
			h, c = w.gruStep(xt, h, c)
		} else {
			h, c = w.lstmStep(xt, h, c)
		}
		hs = append(hs, h)
	}
	return hs, c
}

// recurrent is the product of h with recurrent weights.
func (w *Cell) recurrent(h, weights *ir.Value) *ir.Value {
	z := w.Op(ir.MatMul, nil, h, weights)
	if w.Times > 1 {
		z = w.Op(ir.Mul, nil, z, w.Scalar(float64(w.Times)))
	}
	return z
}

// rows are the gates from..to of z [B,G*H].
func (w *Cell) rows(z *ir.Value, from, to int) *ir.Value {
	return w.Op(ir.Slice, map[string]any{"starts": []int{from * w.Hidden}, "ends": []int{to * w.Hidden}, "axes": []int{1}}, z)
}

// param returns a constant that all steps share, made once.
func (w *Cell) param(name string, from int, make func() *ir.Tensor) *ir.Value {
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
func (w *Cell) normalized(z *ir.Value, from, to int) *ir.Value {
	args := []*ir.Value{z}
	for i, name := range []string{"scale", "bias", "mean", "var"} {
		args = append(args, w.param(name, from, func() *ir.Tensor { return rowsOf(w.Norm[i], from*w.Hidden, to*w.Hidden) }))
	}
	return w.Op(ir.BatchNorm, map[string]any{"epsilon": w.Eps}, args...)
}

func rowsOf(t *ir.Tensor, from, to int) *ir.Tensor {
	return ir.FloatTensor(t.FloatRange(from, to), to-from)
}

// levels is the level 0..n of the gates from..to.
func (w *Cell) levels(z *ir.Value, from, to int) *ir.Value {
	lo, hi := from*w.Hidden, to*w.Hidden
	z = w.Op(ir.Add, nil, z, w.param("shift", from, func() *ir.Tensor { return ir.FloatTensor(w.Grid.Shift[lo:hi], hi-lo) }))
	scale := w.param("grid", from, func() *ir.Tensor { return ir.FloatTensor(w.Grid.Scale[lo:hi], hi-lo) })
	zero := w.param("zero", from, func() *ir.Tensor { return ir.IntTensor(ir.U8, make([]int64, hi-lo), hi-lo) })
	q := w.Op(ir.QuantizeLinear, map[string]any{"axis": 1}, z, scale, zero)
	if w.N() < math.MaxUint8 {
		q = w.Op(ir.Clip, nil, q, w.Const(ir.Scalar(ir.U8, 0)), w.Const(ir.Scalar(ir.U8, float64(w.N()))))
	}
	return w.Op(ir.Cast, map[string]any{"to": "f32"}, q)
}

// signedLevel is 2*level - n.
func (w *Cell) signedLevel(level *ir.Value) *ir.Value {
	return w.Op(ir.Sub, nil, w.Op(ir.Mul, nil, level, w.Scalar(2)), w.Scalar(float64(w.N())))
}

// rounded is round(x/d) as a whole number of the cell's width.
func (w *Cell) rounded(x *ir.Value, d float64) *ir.Value {
	if d == 1 {
		return x
	}
	t := ir.I8
	if w.Wide {
		t = ir.I16
	}
	q := w.Op(ir.QuantizeLinear, nil, x, w.Scalar(d), w.Const(ir.Scalar(t, 0)))
	return w.Op(ir.Cast, map[string]any{"to": "f32"}, q)
}

func (w *Cell) saturated(c *ir.Value) *ir.Value {
	if w.Limit == 0 {
		return c
	}
	return w.Op(ir.Clip, nil, c, w.Scalar(float64(-w.Limit)), w.Scalar(float64(w.Limit)))
}

func (w *Cell) isStrict(gate int) bool { return w.Strict == nil || w.Strict[gate] == 1 }

func (w *Cell) lstmStep(x, h, c *ir.Value) (hNext, cNext *ir.Value) {
	z := w.Op(ir.Add, nil, w.Op(ir.MatMul, nil, x, w.Wi), w.recurrent(h, w.Wh))
	var i, f, g, o *ir.Value
	if w.Gates == 1 {
		z = w.normalized(z, 0, 4)
		i, f = w.Hard(w.rows(z, 0, 1), w.isStrict(0), false), w.Hard(w.rows(z, 1, 2), w.isStrict(1), false)
		o, g = w.Hard(w.rows(z, 2, 3), w.isStrict(2), false), w.Hard(w.rows(z, 3, 4), w.isStrict(3), true)
	} else {
		q := w.levels(w.rows(z, 0, 2), 0, 2)
		i, f = w.rows(q, 0, 1), w.rows(q, 1, 2)
		o = w.Hard(w.normalized(w.rows(z, 2, 3), 2, 3), true, false)
		g = w.signedLevel(w.levels(w.rows(z, 3, 4), 3, 4))
	}
	n := float64(w.N())
	keep := w.rounded(w.Op(ir.Mul, nil, f, c), n)
	write := w.rounded(w.Op(ir.Mul, nil, i, g), n*n/float64(w.M))
	cNext = w.saturated(w.Op(ir.Add, nil, keep, write))
	var s *ir.Value
	if w.Sign0 == 0 {
		s = w.Op(ir.Sign, nil, cNext)
	} else {
		s = w.Hard(cNext, w.Sign0 < 0, true)
	}
	return w.Op(ir.Mul, nil, o, s), cNext
}

func (w *Cell) gruStep(x, h, c *ir.Value) (hNext, cNext *ir.Value) {
	n := float64(w.N())
	zx := w.Op(ir.MatMul, nil, x, w.Wi)
	var zh *ir.Value
	whg := w.Wh
	if w.Linear {
		zh = w.recurrent(h, w.Wh)
	} else {
		part := func(from, to int) *ir.Value {
			return w.Op(ir.Slice, map[string]any{"starts": []int{from * w.Hidden}, "ends": []int{to * w.Hidden}, "axes": []int{1}}, w.Wh)
		}
		zh, whg = w.recurrent(h, part(0, 2)), part(2, 3)
	}
	sum := w.Op(ir.Add, nil, w.rows(zx, 0, 2), w.rows(zh, 0, 2))
	gate := func(z *ir.Value, from, to int, signed bool) *ir.Value {
		switch {
		case w.Gates > 1 && signed:
			return w.signedLevel(w.levels(z, from, to))
		case w.Gates > 1:
			return w.levels(z, from, to)
		}
		return w.Hard(w.normalized(z, from, to), true, signed)
	}
	ur := gate(sum, 0, 2, false)
	u, r := w.rows(ur, 0, 1), w.rows(ur, 1, 2)
	var reset *ir.Value // n times r of the equation
	if w.Linear {
		reset = w.Op(ir.Mul, nil, r, w.rows(zh, 2, 3))
	} else {
		masked := h
		if !ir.IsSplat(h, 0) {
			masked = w.Op(ir.Mul, nil, r, h)
		}
		reset = w.recurrent(masked, whg)
	}
	xg := w.rows(zx, 2, 3)
	if w.Gates > 1 {
		xg = w.Op(ir.Mul, nil, xg, w.Scalar(n))
	}
	g := gate(w.Op(ir.Add, nil, xg, reset), 2, 3, true)
	write := w.rounded(w.Op(ir.Mul, nil, w.Op(ir.Sub, nil, w.Scalar(n), u), g), n*n/float64(w.M))
	keep := w.rounded(w.Op(ir.Mul, nil, u, c), n)
	cNext = w.saturated(w.Op(ir.Add, nil, write, keep))
	if w.M == 1 && w.Gates == 1 {
		return cNext, cNext
	}
	q := w.Op(ir.QuantizeLinear, nil, cNext, w.Scalar(float64(w.M)), w.Const(ir.Scalar(ir.I8, 0)))
	q = w.Op(ir.Clip, nil, q, w.Const(ir.Scalar(ir.I8, -1)), w.Const(ir.Scalar(ir.I8, 1)))
	return w.Op(ir.Cast, map[string]any{"to": "f32"}, q), cNext
}
