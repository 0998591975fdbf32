package exact

import (
	"slices"

	"github.com/billnet/billnet/ir"
	"github.com/billnet/billnet/passes"
	"github.com/billnet/billnet/passes/analysis"
	"github.com/billnet/billnet/passes/report"
)

// activation is a step or, with grid, the comparison grid(x) >= level.
type activation struct {
	step  *ir.Node
	grid  []*ir.Node // quantize_linear, then clip
	level int64
}

// chain is an activation over per-channel float operations over an integer.
type chain struct {
	activation
	z     *ir.Value
	base  *ir.Node   // to_float or affine
	ops   []*ir.Node // from the base outward
	which []int      // the operand of every op that carries the chain
	axis  int        // of the channels in z
	c     int        // number of channels

	// The max pools on the way, from the base outward, and the operation that each
	// stands before. They commute with what never falls or never rises.
	pools  []*ir.Node
	before []int

	border *spread // a bias by position that operation edge, an addition, adds
	edge   int

	ranges *analysis.Ranger // of what z is made of, once a bound asks for it
}

// findChain follows a float value back to an integer.
func findChain(v *ir.Value) *chain {
	if v.Type.DType != ir.F32 || v.Type.Rank() < 2 {
		return nil
	}
	ch := &chain{axis: 1, c: v.Type.Shape[1]}
	for {
		d := ir.Def(v)
		if d == nil {
			return nil
		}
		which := perChannelOp(d)
		switch {
		case d.Is(ir.ToFloat) || d.Is(ir.Affine) && which == 0:
			ch.z, ch.base = d.Args[0], d
			slices.Reverse(ch.ops)
			slices.Reverse(ch.which)
			slices.Reverse(ch.pools)
			slices.Reverse(ch.before)
			for i := range ch.before {
				ch.before[i] = len(ch.ops) - ch.before[i]
			}
			ch.edge = len(ch.ops) - 1 - ch.edge
			return ch
		case d.Is(ir.MaxPool) && len(d.Results) == 1 && ch.border == nil && analysis.PoolsElements(d):
			ch.pools, ch.before = append(ch.pools, d), append(ch.before, len(ch.ops))
			v = d.Args[0]
			continue
		case which >= 0 && ir.SameShape(d.In(which).Shape, v.Type.Shape):
		case d.Is(ir.Add) && ch.border == nil:
			if ch.border, which = asSpread(d.Args[1], v.Type.Shape), 0; ch.border == nil {
				return nil
			}
			ch.edge = len(ch.ops)
		default:
			return nil
		}
		ch.ops, ch.which = append(ch.ops, d), append(ch.which, which)
		v = d.Args[which]
	}
}

// falls marks the channels in which the activation, as a function of the number
// before operation at, falls.
func (ch *chain) falls(at int) *ir.Tensor {
	out := ir.NewTensor(ir.T(ir.Bit, ch.c))
	for c := range out.Ints() {
		for i := at; i < len(ch.ops); i++ {
			if s := slopes(ch.ops[i], ch.which[i]); s[min(c, len(s)-1)] < 0 {
				out.Ints()[c] ^= 1
			}
		}
	}
	return out
}

// Channels is the number of channels.
func (ch *chain) Channels() int { return ch.c }

// Bits evaluates the chain with the interpreter on rows of accumulator
// values, z[row][channel], and returns the bits in the same order.
func (ch *chain) Bits(z []int64) ([]int64, error) {
	x, err := ch.run(z)
	if err != nil {
		return nil, err
	}
	return ch.bits(x)
}

// bits evaluates the activation of floats with the interpreter.
func (a *activation) bits(x *ir.Tensor) ([]int64, error) {
	ends := a.grid
	if a.step != nil {
		ends = []*ir.Node{a.step}
	}
	for _, op := range ends {
		var err error
		if x, err = evalCarried(op, 0, x); err != nil {
			return nil, err
		}
	}
	bits := make([]int64, x.Len())
	for i, v := range x.Ints() {
		if a.step != nil && v > 0 || a.step == nil && v >= a.level {
			bits[i] = 1
		}
	}
	return bits, nil
}

// run evaluates the chain with the interpreter on rows of accumulator values,
// up to its activation.
func (ch *chain) run(z []int64) (*ir.Tensor, error) {
	rows := len(z) / ch.c
	shape := make([]int, ch.z.Type.Rank())
	for i := range shape {
		shape[i] = 1
	}
	shape[0], shape[1] = rows, ch.c
	x := ir.IntTensor(ir.I32, z, shape...).Convert(ir.F32)
	for i, op := range ch.ops {
		var err error
		if x, err = evalCarried(op, ch.which[i], x); err != nil {
			return nil, err
		}
	}
	return x, nil
}

// evalCarried evaluates an operation whose operands are constants, with another
// value for one of them.
func evalCarried(op *ir.Node, which int, x *ir.Tensor) (*ir.Tensor, error) {
	in := make([]*ir.Tensor, len(op.Args))
	for i, a := range op.Args {
		if in[i] = ir.ConstOf(a); i == which {
			in[i] = x
		}
	}
	return evalOn(op, in)
}

// evalOn evaluates an operation on operands of other shapes or types; nil is one
// left out.
func evalOn(op *ir.Node, in []*ir.Tensor) (*ir.Tensor, error) {
	args := make([]*ir.Value, len(in))
	for i, t := range in {
		if t != nil {
			args[i] = &ir.Value{Type: t.Type}
		}
	}
	n, err := ir.NewNode(op.Op, args, op.Attrs, op.Loc)
	if err != nil {
		return nil, err
	}
	out, err := ir.EvalNode(n, in)
	if err != nil {
		return nil, err
	}
	return out[0], nil
}

// Part returns the chain of k channels only.
func (ch *chain) Part(from, k int) report.Expression {
	out := *ch
	out.c, out.ops = k, nil
	rw := &passes.Rewriter{Builder: ir.Builder{F: &ir.Func{}}}
	channels, shape := make([]int, k), slices.Repeat([]int{1}, ch.z.Type.Rank())
	for i := range channels {
		channels[i] = from + i
	}
	shape[1] = k
	if ch.base.Is(ir.Affine) {
		out.base = again(rw, ch.base, 0, &ir.Value{Type: ir.T(ir.I32, shape...)}, 1, channels).Def
	}
	x := &ir.Value{Type: ir.T(ir.F32, shape...)}
	for i, op := range ch.ops {
		x = again(rw, op, ch.which[i], x, 1, channels)
		out.ops = append(out.ops, x.Def)
	}
	if rw.Err != nil {
		panic(rw.Err) // the operations are those of the chain
	}
	return &out
}
