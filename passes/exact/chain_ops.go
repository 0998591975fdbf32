package exact

import (
	"math"
	"math/big"
	"slices"

	"github.com/billnet/billnet/ir"
	"github.com/billnet/billnet/passes"
	"github.com/billnet/billnet/passes/analysis"
)

// chainOp is what a chain knows of an operation that carries a float through,
// element by element and the same all over a channel (axis 1).
type chainOp struct {
	// carries returns the operand of d that is carried, with a result of the given
	// shape; -1 where the others are no constants that the chain can use.
	carries func(d *ir.Node, shape []int) int

	// real is the value over the real numbers; it may change v. bound follows a
	// float32 evaluation. Both are nil for what only a chain's base can be.
	real  func(o link, v *big.Float) *big.Float
	bound func(o link, e *rounding)

	// slopes has the sign of the slope of every channel, or of all; nil: it rises.
	slopes func(d *ir.Node, which int) []float64

	// rewrite gives the other operands the channels that again asks for, false
	// where there is no such form; nil: there are none that have channels.
	rewrite func(w *rewritten) bool

	linear bool // over the real numbers, the mean of it is that of the mean
}

// chainOps are the operations of a chain.
var chainOps = map[*ir.Op]chainOp{
	ir.Affine: {carries: affineCarries, slopes: affineSlopes, rewrite: func(w *rewritten) bool { w.attrs["axis"] = w.axis; return w.lists() }},
	ir.BatchNorm: {
		carries: func(d *ir.Node, _ []int) int {
			if !analysis.SoundNorm(d) {
				return -1
			}
			return 0
		},
		real:    normReal,
		bound:   normBound,
		slopes:  func(d *ir.Node, _ int) []float64 { return numbers(d, 1) },
		rewrite: func(w *rewritten) bool { return w.axis == 1 && w.lists() },
		linear:  true,
	},
	ir.Neg: {
		carries: first,
		real:    func(_ link, v *big.Float) *big.Float { return v.Neg(v) },
		bound:   func(_ link, e *rounding) { e.v = -e.v },
		slopes:  falling,
		linear:  true,
	},
	ir.Relu: {
		carries: first,
		real:    func(_ link, v *big.Float) *big.Float { return larger(v, real(0)) },
		bound:   func(_ link, e *rounding) { e.v = math.Max(e.v, 0) },
	},
	ir.Clip: {carries: clipCarries, real: clipReal, bound: clipBound},
	ir.PRelu: {
		carries: func(d *ir.Node, shape []int) int {
			return firstIf(analysis.Carrier(d, shape) == 0 && !falls(numbers(d, 1)))
		},
		real: func(o link, v *big.Float) *big.Float {
			if v.Sign() < 0 {
				v.Mul(v, real(o.at(1)))
			}
			return v
		},
		bound:   func(o link, e *rounding) { leakyBound(e, o.at(1)) },
		rewrite: other,
	},
	ir.LeakyRelu: {
		carries: func(d *ir.Node, _ []int) int { return firstIf(!falls([]float64{d.Float("alpha")})) },
		real: func(o link, v *big.Float) *big.Float {
			if v.Sign() < 0 {
				v.Mul(v, real(o.op.Float("alpha")))
			}
			return v
		},
		bound: func(o link, e *rounding) { leakyBound(e, o.op.Float("alpha")) },
	},
	ir.HardSigmoid: {
		carries: func(d *ir.Node, _ []int) int { return firstIf(!falls([]float64{d.Float("alpha")})) },
		real: func(o link, v *big.Float) *big.Float {
			v.Mul(v, real(o.op.Float("alpha"))).Add(v, real(o.op.Float("beta")))
			return smaller(larger(v, real(0)), real(1))
		},
		bound: func(o link, e *rounding) {
			alpha := o.op.Float("alpha")
			e.then(alpha*e.v+o.op.Float("beta"), alpha, 2)
			e.v = min(max(e.v, 0), 1)
		},
	},
	ir.Elu: {
		carries: func(d *ir.Node, _ []int) int { return firstIf(!falls([]float64{d.Float("alpha")})) },
		real:    func(o link, v *big.Float) *big.Float { return through(v, func(x float64) float64 { return elu(o, x) }) },
		bound:   func(o link, e *rounding) { e.then(elu(o, e.v), max(1, o.op.Float("alpha")), 2) },
	},
	ir.Tanh: {
		carries: first,
		real:    func(_ link, v *big.Float) *big.Float { return through(v, math.Tanh) },
		bound:   func(_ link, e *rounding) { e.then(math.Tanh(e.v), 1, 2) },
	},
	ir.Sigmoid: {
		carries: first,
		real:    func(_ link, v *big.Float) *big.Float { return through(v, sigmoid) },
		bound:   func(_ link, e *rounding) { e.then(sigmoid(e.v), 0.25, 2) },
	},
	ir.Add: {
		carries: analysis.Carrier,
		real:    func(o link, v *big.Float) *big.Float { return v.Add(v, real(o.other())) },
		bound:   func(o link, e *rounding) { e.then(e.v+o.other(), 1, 1) },
		rewrite: other,
		linear:  true,
	},
	ir.Sub: {
		carries: analysis.Carrier,
		real: func(o link, v *big.Float) *big.Float {
			if v.Sub(v, real(o.other())); o.which == 1 {
				v.Neg(v)
			}
			return v
		},
		bound: func(o link, e *rounding) {
			d := e.v - o.other()
			if o.which == 1 {
				d = -d
			}
			e.then(d, 1, 1)
		},
		slopes: func(d *ir.Node, which int) []float64 {
			if which == 1 {
				return falling(d, which)
			}
			return []float64{1}
		},
		rewrite: other,
		linear:  true,
	},
	ir.Mul: {
		carries: analysis.Carrier,
		real:    func(o link, v *big.Float) *big.Float { return v.Mul(v, real(o.other())) },
		bound:   func(o link, e *rounding) { e.then(e.v*o.other(), o.other(), 1) },
		slopes:  otherSigns,
		rewrite: other,
		linear:  true,
	},
	ir.Div: {
		carries: analysis.Carrier,
		real:    func(o link, v *big.Float) *big.Float { return v.Quo(v, real(o.other())) },
		bound:   func(o link, e *rounding) { e.then(e.v/o.other(), 1/o.other(), 1) },
		slopes:  otherSigns,
		rewrite: other,
		linear:  true,
	},
	ir.Min: {
		carries: analysis.Carrier,
		real:    func(o link, v *big.Float) *big.Float { return smaller(v, real(o.other())) },
		bound:   func(o link, e *rounding) { e.v = math.Min(e.v, o.other()) },
		rewrite: other,
	},
	ir.Max: {
		carries: analysis.Carrier,
		real:    func(o link, v *big.Float) *big.Float { return larger(v, real(o.other())) },
		bound:   func(o link, e *rounding) { e.v = math.Max(e.v, o.other()) },
		rewrite: other,
	},
}

// perChannelOp returns the operand of a float operation of a chain that is
// carried through; -1 when the node is none.
func perChannelOp(d *ir.Node) int {
	if d == nil || d.Result().Type.DType != ir.F32 || d.Result().Type.Rank() < 2 {
		return -1
	}
	row, ok := chainOps[d.Op]
	if !ok {
		return -1
	}
	return row.carries(d, d.Result().Type.Shape)
}

// slopes returns a number of the sign of the slope of an operation of a chain,
// for every channel or one for all.
func slopes(d *ir.Node, which int) []float64 {
	if of := chainOps[d.Op].slopes; of != nil {
		return of(d, which)
	}
	return []float64{1}
}

// link is an operation in a chain at one channel.
type link struct {
	op    *ir.Node
	which int // the operand that carries the chain
	c     int
}

// at is the number of the link's channel in a constant operand.
func (o link) at(operand int) float64 { return channelNumber(o.op.Args[operand], o.c) }

// other is that of the second of two operands.
func (o link) other() float64 { return o.at(1 - o.which) }

// channelNumber is the number that a constant, one for all or a list of one a
// channel, has for a channel.
func channelNumber(v *ir.Value, c int) float64 {
	t := ir.ConstOf(v)
	return t.Float(min(c, t.Len()-1))
}

// rounding is a value over the real numbers and the bound of the error of its
// float32 evaluation.
type rounding struct{ v, e float64 }

// then follows one operation: its exact result, the operand's error times factor,
// and n roundings relative to the result.
func (r *rounding) then(result, factor float64, n int) {
	r.v, r.e = result, r.e*math.Abs(factor)
	if r.v != 0 {
		r.e += float64(n)*unitRoundoff*math.Abs(r.v) + underflow
	}
}

// rewritten is an operation of a chain that is written over another value, whose
// channel i, on an axis, is channels[i] of the operation's.
type rewritten struct {
	rw       *passes.Rewriter
	d        *ir.Node
	which    int
	args     []*ir.Value
	attrs    map[string]any
	axis     int
	rank     int
	channels []int
}

// lists gives the operands behind the first, lists of one number a channel, the
// new channels.
func (w *rewritten) lists() bool {
	for i := 1; i < len(w.args); i++ {
		w.args[i] = w.rw.Const(w.pick(ir.ConstOf(w.d.Args[i])))
	}
	return true
}

func (w *rewritten) pick(t *ir.Tensor) *ir.Tensor {
	if t.Len() == 1 && !w.d.Is(ir.BatchNorm) {
		return t.Reshape(1)
	}
	out := ir.NewTensor(ir.T(t.Type.DType, len(w.channels)))
	for i, c := range w.channels {
		out.SetFloat(i, t.Float(c))
	}
	return out
}

// other is the rewrite of an operation of two operands.
func other(w *rewritten) bool {
	k := w.pick(ir.ConstOf(w.d.Args[1-w.which]))
	if k.Len() == 1 {
		k = k.Reshape() // goes with any shape
	} else {
		k = onAxis(k, w.axis, w.rank)
	}
	w.args[1-w.which] = w.rw.Const(k)
	return true
}

// again writes operation d, which perChannelOp knows, over another value that
// has d's channels in another order or number on an axis: y's channel i is
// channels[i]. nil where the operation has no such form.
func again(rw *passes.Rewriter, d *ir.Node, which int, x *ir.Value, axis int, channels []int) *ir.Value {
	w := &rewritten{rw: rw, d: d, which: which, args: slices.Clone(d.Args), attrs: map[string]any{}, axis: axis, rank: x.Type.Rank(), channels: channels}
	for k, v := range d.Attrs {
		w.attrs[k] = v
	}
	w.args[which] = x
	if rewrite := chainOps[d.Op].rewrite; rewrite != nil && !rewrite(w) {
		return nil
	}
	return rw.Op(d.Op, w.attrs, w.args...)
}

// The parts of single rows.

func first(*ir.Node, []int) int { return 0 }

func firstIf(ok bool) int {
	if ok {
		return 0
	}
	return -1
}

// falls reports whether one of some slopes is negative or not a finite number.
func falls(slopes []float64) bool {
	return slices.ContainsFunc(slopes, func(s float64) bool { return !(s >= 0 && s <= math.MaxFloat32) })
}

// leakyBound is the bound of what has a slope below zero.
func leakyBound(e *rounding, slope float64) {
	v := e.v
	if v < 0 {
		v *= slope
	}
	e.then(v, max(1, slope), 1)
}

// through is a function of a real number to the 53 bits of a float64: signs and
// order are right where the function is far from flat, which the bound of the
// rounding error covers.
func through(v *big.Float, f func(x float64) float64) *big.Float {
	x, _ := v.Float64()
	return v.SetFloat64(f(x))
}

func elu(o link, x float64) float64 {
	if x < 0 {
		return o.op.Float("alpha") * math.Expm1(x)
	}
	return x
}

func sigmoid(x float64) float64 { return 1 / (1 + math.Exp(-x)) }

func falling(*ir.Node, int) []float64 { return []float64{-1} }

func numbers(d *ir.Node, operand int) []float64 {
	return ir.ConstOf(d.Args[operand]).Convert(ir.F64).Doubles()
}

func otherSigns(d *ir.Node, which int) []float64 { return numbers(d, 1-which) }

func affineCarries(d *ir.Node, shape []int) int {
	a, _ := ir.Axis(d.Int("axis"), len(shape))
	for i := 1; i < 4; i++ {
		if p := ir.ConstOf(d.Args[i]); p == nil || a != 1 && p.Len() > 1 {
			return -1
		}
	}
	return 0
}

func affineSlopes(d *ir.Node, _ int) []float64 {
	return analysis.Zip(numbers(d, 1), numbers(d, 2), func(a, b float64) float64 { return sign(a) * sign(b) })
}

func normReal(o link, v *big.Float) *big.Float {
	s := real(0).Add(real(o.at(4)), real(o.op.Float("epsilon")))
	s.Sqrt(s)
	return v.Sub(v, real(o.at(3))).Quo(v, s).Mul(v, real(o.at(1))).Add(v, real(o.at(2)))
}

func normBound(o link, e *rounding) {
	s := math.Sqrt(o.at(4) + o.op.Float("epsilon"))
	e.then(e.v-o.at(3), 1, 1)
	e.then(e.v/s, 1/s, 4) // the sum under the root, the root, epsilon and the quotient
	e.then(e.v*o.at(1), o.at(1), 1)
	e.then(e.v+o.at(2), 1, 1)
}

func clipCarries(d *ir.Node, _ []int) int {
	for i := 1; i < len(d.Args); i++ {
		if d.Args[i] != nil && (ir.ConstOf(d.Args[i]) == nil || !analysis.Finite32(ir.ConstOf(d.Args[i]))) {
			return -1
		}
	}
	return 0
}

func clipReal(o link, v *big.Float) *big.Float {
	if o.op.Arg(1) != nil {
		v = larger(v, real(o.at(1)))
	}
	if o.op.Arg(2) != nil {
		v = smaller(v, real(o.at(2)))
	}
	return v
}

func clipBound(o link, e *rounding) {
	if o.op.Arg(1) != nil {
		e.v = math.Max(e.v, o.at(1))
	}
	if o.op.Arg(2) != nil {
		e.v = math.Min(e.v, o.at(2))
	}
}
