package exact

import (
	"slices"

	"github.com/billnet/billnet/ir"
	"github.com/billnet/billnet/passes"
	"github.com/billnet/billnet/passes/analysis"
	"github.com/billnet/billnet/passes/report"
)

// chain is an activation over per-channel float operations over an integer. The
// activation is a step or, with grid, the comparison grid(x) >= level.
type chain struct {
	z     *ir.Value
	base  *ir.Node   // to_float or affine
	ops   []*ir.Node // from the base outward
	which []int      // the operand of every op that carries the chain
	step  *ir.Node
	grid  []*ir.Node // quantize_linear, then clip
	level int64
	axis  int // of the channels in z
	c     int // number of channels

	// The max pools on the way, from the base outward, and the operation that each
	// stands before. They commute with what never falls or never rises.
	pools  []*ir.Node
	before []int

	border *spread // a bias by position that operation edge, an addition, adds
	edge   int
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
	for c := range out.I {
		for i := at; i < len(ch.ops); i++ {
			if s := slopes(ch.ops[i], ch.which[i]); s[min(c, len(s)-1)] < 0 {
				out.I[c] ^= 1
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
	bits := make([]int64, len(x.I))
	for i, v := range x.I {
		if ch.step != nil && v > 0 || ch.step == nil && v >= ch.level {
			bits[i] = 1
		}
	}
	return bits, nil
}

// run evaluates the chain with the interpreter on rows of accumulator values,
// up to and with its activation.
func (ch *chain) run(z []int64) (*ir.Tensor, error) {
	rows := len(z) / ch.c
	shape := make([]int, ch.z.Type.Rank())
	for i := range shape {
		shape[i] = 1
	}
	shape[0], shape[1] = rows, ch.c
	x := ir.IntTensor(ir.I32, z, shape...).Convert(ir.F32)
	eval := func(op *ir.Node, which int) error {
		in := make([]*ir.Tensor, len(op.Args))
		args := make([]*ir.Value, len(op.Args))
		for i, a := range op.Args {
			if in[i] = ir.ConstOf(a); i == which {
				in[i] = x
			}
			if in[i] != nil { // not an operand left out
				args[i] = &ir.Value{Type: in[i].Type}
			}
		}
		n, err := ir.NewNode(op.Op, args, op.Attrs, op.Loc)
		if err != nil {
			return err
		}
		out, err := ir.EvalNode(n, in)
		if err != nil {
			return err
		}
		x = out[0]
		return nil
	}
	for i, op := range ch.ops {
		if err := eval(op, ch.which[i]); err != nil {
			return nil, err
		}
	}
	for _, op := range ch.grid {
		if err := eval(op, 0); err != nil {
			return nil, err
		}
	}
	if ch.step != nil {
		if err := eval(ch.step, 0); err != nil {
			return nil, err
		}
	}
	return x, nil
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
