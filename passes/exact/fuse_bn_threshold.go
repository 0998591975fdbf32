package exact

import (
	"fmt"
	"math"
	"math/big"
	"slices"

	"github.com/billnet/billnet/ir"
	"github.com/billnet/billnet/passes"
	"github.com/billnet/billnet/passes/analysis"
	"github.com/billnet/billnet/passes/report"
)

// FuseBNThreshold is the pass fuse-bn-threshold.
var FuseBNThreshold = &passes.Pass{
	Name: "fuse-bn-threshold",
	Doc: "A step behind any chain of per-channel float operations (batch norm, bias, scale, TGAP's mean and threshold) over an integer becomes one integer comparison a channel. " +
		"The threshold is found by searching the accumulator with the chain's own float32 expression, evaluated by the interpreter; up to 2^16 values are enumerated, wider ranges are " +
		"proved by monotony and the values at T-1 and T. Behind an affine the search is over the real numbers: class ideal. " +
		"Max pools on the way become OR or AND of the bits, concatenations and other moves of elements move bits, a bias that padding cuts off is added to the accumulator as whole numbers. " +
		"A few-bit quantizer is one comparison a level or, with more than 16 levels, a table.",
	Class: passes.Ideal,
	After: []string{"integers"},
	Run: passes.EachFunc(func(c *passes.Context, f *ir.Func) error {
		r := analysis.NewRanger()
		// The rules of integers run along: in one sweep from the inputs to the
		// outputs, a layer's activation is a comparison before the next layer,
		// which reads it, is looked at.
		rules := append([]passes.Rule{
			func(rw *passes.Rewriter, n *ir.Node) []*ir.Value { return fuseStep(rw, c, r, n) },
			func(rw *passes.Rewriter, n *ir.Node) []*ir.Value { return fuseSign(rw, c, r, n) },
			func(rw *passes.Rewriter, n *ir.Node) []*ir.Value { return fuseLevels(rw, c, r, n) },
			func(rw *passes.Rewriter, n *ir.Node) []*ir.Value { return fuseTable(rw, c, r, n) },
			func(rw *passes.Rewriter, n *ir.Node) []*ir.Value { return liftConcat(rw, c, n) },
			liftPool, stepOfBit, liftActivation, splitConcat}, integerRules(r)...)
		return passes.Rewrite(f, rules...)
	}),
}

// fuseStep: a step over a chain is a threshold.
func fuseStep(rw *passes.Rewriter, c *passes.Context, r *analysis.Ranger, n *ir.Node) []*ir.Value {
	if n.Op.Name != "step" {
		return nil
	}
	y := thresholdOf(rw, c, r, n)
	if y == nil {
		return nil
	}
	return []*ir.Value{y}
}

func thresholdOf(rw *passes.Rewriter, c *passes.Context, r *analysis.Ranger, step *ir.Node) *ir.Value {
	ch := findChain(step.Args[0])
	if ch == nil {
		return nil
	}
	ch.step = step
	return ch.threshold(rw, c, r, step.Bool("signed"))
}

// threshold searches the chain's activation and returns the comparison.
func (ch *chain) threshold(rw *passes.Rewriter, c *passes.Context, r *analysis.Ranger, signed bool) *ir.Value {
	cert, z, err := ch.solve(rw, r)
	if err != nil {
		rw.Err = err
	}
	if cert == nil || err != nil {
		return nil
	}
	return ch.compare(rw, c, cert, z, signed)
}

// solve finds the thresholds and the integer to compare with them. It returns
// nil when there are none.
func (ch *chain) solve(rw *passes.Rewriter, r *analysis.Ranger) (*report.Certificate, *ir.Value, error) {
	if ch.border != nil {
		return ch.solveBorder(rw, r.Of(ch.z))
	}
	cert, err := ch.search(r.Of(ch.z))
	return cert, ch.z, err
}

// compare writes the comparison of z, and the chain's pools over the bits.
func (ch *chain) compare(rw *passes.Rewriter, c *passes.Context, cert *report.Certificate, z *ir.Value, signed bool) *ir.Value {
	t, flip := cert.Constants()
	c.Record(cert)
	// A pool of bits is OR. Where what follows the largest number falls with it,
	// it is AND: the pool of the inverted bits, inverted.
	inverted := ir.NewTensor(flip.Type)
	change := func(to *ir.Tensor) *ir.Tensor {
		d := ir.NewTensor(flip.Type)
		for i := range d.I {
			d.I[i] = to.I[i] ^ inverted.I[i]
		}
		inverted = to
		return d
	}
	if len(ch.pools) > 0 {
		for i, x := range change(ch.falls(ch.before[0])).I {
			flip.I[i] ^= x
		}
	}
	y := rw.Op("threshold", map[string]any{"signed": signed, "axis": ch.axis}, z, rw.Const(t), rw.Const(flip))
	for i, pool := range ch.pools {
		if i > 0 {
			y = invertChannels(rw, y, change(ch.falls(ch.before[i])))
		}
		y = rw.Op("max_pool", pool.Attrs, y)
	}
	return invertChannels(rw, y, inverted)
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

// invertChannels flips the bits of the marked channels of a map.
func invertChannels(rw *passes.Rewriter, v *ir.Value, channels *ir.Tensor) *ir.Value {
	if s, ok := channels.Splat(); ok && s == 0 {
		return v
	}
	mask := onAxis(channels, 1, v.Type.Rank())
	if v.Type.DType == ir.SBit {
		m := ir.NewTensor(mask.Type.With(ir.SBit))
		for i, b := range mask.I {
			m.I[i] = 2*b - 1
		}
		mask = m
	}
	return rw.Op("bit_xor", nil, v, rw.Const(mask))
}

// fuseSign: a sign over a chain is the pair of comparisons x > 0 and x >= 0.
// Where no accumulator gives exactly 0 the two are one, and the sign is an sbit;
// otherwise it is ternary.
func fuseSign(rw *passes.Rewriter, c *passes.Context, r *analysis.Ranger, n *ir.Node) []*ir.Value {
	if n.Op.Name != "sign" || n.In(0).DType != ir.F32 {
		return nil
	}
	step := func(strict, signed bool) *ir.Node {
		s, err := ir.NewNode("step", n.Args, map[string]any{"strict": strict, "signed": signed}, n.Loc)
		if err != nil {
			rw.Err = err
		}
		return s
	}
	pos, nonneg := findChain(n.Args[0]), findChain(n.Args[0])
	if pos == nil {
		return nil
	}
	pos.step, nonneg.step = step(true, false), step(false, false)
	if rw.Err != nil {
		return nil
	}
	p, zp, err := pos.solve(rw, r)
	if err == nil && p != nil {
		var q *report.Certificate
		var zq *ir.Value
		if q, zq, err = nonneg.solve(rw, r); err == nil && q != nil {
			if zp == zq && p.Equal(q) {
				return []*ir.Value{rw.Op("to_float", nil, pos.compare(rw, c, p, zp, true))}
			}
			y := rw.Op("join", nil, pos.compare(rw, c, p, zp, false), rw.Op("bit_not", nil, nonneg.compare(rw, c, q, zq, false)))
			return []*ir.Value{rw.Op("to_float", nil, y)}
		}
	}
	rw.Err = err
	return nil
}

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
		case d.Is("to_float") || d.Is("affine") && which == 0:
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
		case d.Is("max_pool") && len(d.Results) == 1 && ch.border == nil && analysis.PoolsElements(d):
			ch.pools, ch.before = append(ch.pools, d), append(ch.before, len(ch.ops))
			v = d.Args[0]
			continue
		case which >= 0 && ir.SameShape(d.In(which).Shape, v.Type.Shape):
		case d.Is("add") && ch.border == nil:
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

// search finds every channel's threshold. It returns nil when the accumulator
// does not fit 32 bits.
func (ch *chain) search(s analysis.Span) (*report.Certificate, error) {
	source := *ch
	cert := &report.Certificate{Channels: make([]report.ChannelProof, ch.c), Sources: []report.Expression{&source}}
	for i := range cert.Channels {
		p := &cert.Channels[i]
		p.Lo, p.Hi = s.At(i)
		if p.Lo < math.MinInt32 || p.Hi > math.MaxInt32-1 {
			return nil, nil // more than 32 bits
		}
	}
	if ch.base.Is("affine") {
		cert.Class = passes.Ideal
		return cert, ch.searchReal(cert)
	}
	return ch.searchFloat(cert)
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
			args[i] = &ir.Value{Type: in[i].Type}
		}
		n, err := ir.NewNode(op.Op.Name, args, op.Attrs, op.Loc)
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

// searchFloat searches with the source's float32 expression. Each operation of
// the chain is monotone (rounding is, and so are adding, scaling and dividing
// by a constant), hence so is the bit, and a binary search finds the step.
func (ch *chain) searchFloat(cert *report.Certificate) (*report.Certificate, error) {
	row := func(f func(p *report.ChannelProof) int64) ([]int64, error) {
		z := make([]int64, ch.c)
		for i := range z {
			z[i] = f(&cert.Channels[i])
		}
		return ch.Bits(z)
	}
	first, err := row(func(p *report.ChannelProof) int64 { return p.Lo })
	if err != nil {
		return nil, err
	}
	last, err := row(func(p *report.ChannelProof) int64 { return p.Hi })
	if err != nil {
		return nil, err
	}
	lo, hi := make([]int64, ch.c), make([]int64, ch.c) // the bit is first's at lo, and changes at or before hi
	for i, p := range cert.Channels {
		lo[i], hi[i] = p.Lo, p.Hi
	}
	for {
		z, open := make([]int64, ch.c), false
		for i := range z {
			z[i] = lo[i] + (hi[i]-lo[i])/2
			open = open || first[i] != last[i] && hi[i]-lo[i] > 1
		}
		if !open {
			break
		}
		bits, err := ch.Bits(z)
		if err != nil {
			return nil, err
		}
		for i := range z {
			if bits[i] == first[i] {
				lo[i] = z[i]
			} else {
				hi[i] = z[i]
			}
		}
	}
	for i := range cert.Channels {
		cert.Channels[i].Set(first[i], last[i], hi[i])
	}
	return cert, ch.enumerate(cert)
}

// enumerate compares the thresholds with the expression: at every value of
// channels up to MaxEnumerated wide, at the ends and around T for the rest.
func (ch *chain) enumerate(cert *report.Certificate) error {
	width := int64(2)
	for i := range cert.Channels {
		p := &cert.Channels[i]
		p.Enumerated = p.Hi-p.Lo < report.MaxEnumerated
		if p.Enumerated {
			width = max(width, p.Hi-p.Lo+1)
		}
	}
	block := max(1, 1<<18/int64(ch.c))
	for start := int64(0); start < width; start += block {
		rows := min(block, width-start)
		z := make([]int64, rows*int64(ch.c))
		for i := range z {
			p := &cert.Channels[i%ch.c]
			k := start + int64(i/ch.c)
			if p.Enumerated {
				z[i] = min(p.Lo+k, p.Hi)
			} else {
				z[i] = min(max(p.T-1+k&1, p.Lo), p.Hi)
			}
		}
		bits, err := ch.Bits(z)
		if err != nil {
			return err
		}
		for i, b := range bits {
			if p := &cert.Channels[i%ch.c]; p.Bit(z[i]) != b {
				return fmt.Errorf("BUG: channel %d: the threshold z >= %d (flip %v) disagrees with the source's expression at z = %d", i%ch.c, p.T, p.Flip, z[i])
			}
		}
	}
	return nil
}

// realPrec is the precision of the search over the real numbers, in bits. A
// value smaller than 2^-realTie relative to its terms is a tie: only a square
// root or a quotient can be inexact at all, and not by that little.
const (
	realPrec = 512
	realTie  = 400
)

// searchReal searches with the chain's value over the real numbers.
func (ch *chain) searchReal(cert *report.Certificate) error {
	for i := range cert.Channels {
		p := &cert.Channels[i]
		bit := func(z int64) int64 {
			if ch.RealBit(i, z) {
				return 1
			}
			return 0
		}
		first, last := bit(p.Lo), bit(p.Hi)
		lo, hi := p.Lo, p.Hi
		for first != last && hi-lo > 1 {
			if mid := lo + (hi-lo)/2; bit(mid) == first {
				lo = mid
			} else {
				hi = mid
			}
		}
		p.Set(first, last, hi)
		ch.margin(i, p, lo, hi)
	}
	return nil
}

func real(x float64) *big.Float { return new(big.Float).SetPrec(realPrec).SetFloat64(x) }

// realValue is the chain's value at z in a channel over the real numbers.
func (ch *chain) realValue(c int, z int64) *big.Float {
	at := func(v *ir.Value) *big.Float {
		t := ir.ConstOf(v)
		return real(t.Float(min(c, t.Len()-1)))
	}
	v := real(float64(z))
	v.Mul(v, at(ch.base.Args[1])).Quo(v, at(ch.base.Args[2])).Add(v, at(ch.base.Args[3]))
	for k, op := range ch.ops {
		which := ch.which[k]
		switch op.Op.Name {
		case "batch_norm":
			s := real(0).Add(at(op.Args[4]), real(op.Float("epsilon")))
			s.Sqrt(s)
			v.Sub(v, at(op.Args[3])).Quo(v, s).Mul(v, at(op.Args[1])).Add(v, at(op.Args[2]))
		case "neg":
			v.Neg(v)
		case "relu":
			v = larger(v, real(0))
		case "clip":
			if op.Arg(1) != nil {
				v = larger(v, at(op.Args[1]))
			}
			if op.Arg(2) != nil {
				v = smaller(v, at(op.Args[2]))
			}
		case "add":
			v.Add(v, at(op.Args[1-which]))
		case "sub":
			if v.Sub(v, at(op.Args[1-which])); which == 1 {
				v.Neg(v)
			}
		case "mul":
			v.Mul(v, at(op.Args[1-which]))
		case "div":
			v.Quo(v, at(op.Args[1]))
		case "min":
			v = smaller(v, at(op.Args[1-which]))
		case "max":
			v = larger(v, at(op.Args[1-which]))
		}
	}
	return v
}

func larger(a, b *big.Float) *big.Float {
	if a.Cmp(b) >= 0 {
		return a
	}
	return b
}

func smaller(a, b *big.Float) *big.Float {
	if a.Cmp(b) <= 0 {
		return a
	}
	return b
}

// tie is the chain's value at which the activation changes, and whether the
// value itself still has the lower bit.
func (ch *chain) tie() (at *big.Float, strict bool) {
	if ch.step != nil {
		return real(0), ch.step.Bool("strict")
	}
	// round(x/scale) >= level from x = (level - 1/2)*scale on; halves go to even.
	s := real(ir.ConstOf(ch.grid[0].Args[1]).Float(0))
	return s.Mul(s, real(float64(ch.level)-0.5)), ch.level%2 != 0
}

// RealBit is the activation at z in a channel over the real numbers.
func (ch *chain) RealBit(channel int, z int64) bool { return ch.realBit(ch.realValue(channel, z)) }

// realBit is the activation of a real value.
func (ch *chain) realBit(v *big.Float) bool {
	at, strict := ch.tie()
	d := real(0).Sub(v, at)
	if d.Sign() != 0 && d.MantExp(nil) < max(v.MantExp(nil), at.MantExp(nil))-realTie {
		d.SetInt64(0)
	}
	return d.Sign() > 0 || d.Sign() == 0 && !strict
}

// margin records how far the tie is from the nearest value and the bound of the
// source's rounding error there. lo and hi are the neighbours of the tie, or the
// ends of the range where the bit is constant.
func (ch *chain) margin(c int, p *report.ChannelProof, lo, hi int64) {
	at, _ := ch.tie()
	a, b := ch.realValue(c, lo), ch.realValue(c, hi)
	slope := 1.0
	if lo != hi {
		s := real(0).Sub(b, a)
		slope, _ = s.Quo(s, real(float64(hi-lo))).Float64()
	}
	if slope == 0 {
		slope = 1
	}
	p.Margin, p.Bound = math.Inf(1), 0
	for _, z := range []int64{lo, hi} {
		d, _ := real(0).Sub(ch.realValue(c, z), at).Float64()
		margin, bound := math.Abs(d/slope), ch.roundingBound(c, z)/math.Abs(slope)
		if margin-bound < p.Margin-p.Bound {
			p.Margin, p.Bound = margin, bound
		}
	}
}

// liftPool: a threshold behind a max pool is the pool of thresholds, since
// max(z) >= t says that some z >= t; the flip stays behind the pool (for a
// falling comparison the two together are the AND of the bits).
func liftPool(rw *passes.Rewriter, n *ir.Node) []*ir.Value {
	if n.Op.Name != "threshold" {
		return nil
	}
	pool := ir.Def(n.Args[0])
	if !pool.Is("max_pool") || !ir.AllAre(rw.Readers(n.Args[0]), "threshold") || n.Int("axis") != 1 || pool.In(0).DType.IsLogic() {
		return nil
	}
	flip := ir.ConstOf(n.Args[2])
	none := rw.Const(ir.NewTensor(flip.Type))
	bits := rw.Op("max_pool", pool.Attrs, rw.Op("threshold", map[string]any{"signed": n.Bool("signed")}, pool.Args[0], n.Args[1], none))
	return []*ir.Value{invertChannels(rw, bits, flip)}
}

// liftConcat: a threshold of concatenated integers is the concatenation of
// thresholds: bits are put together rather than sums.
func liftConcat(rw *passes.Rewriter, c *passes.Context, n *ir.Node) []*ir.Value {
	cat := ir.Def(n.Arg(0))
	if n.Op.Name != "threshold" || !cat.Is("concat") || n.Int("axis") != 1 || cat.In(0).DType.IsLogic() || !ir.AllAre(rw.Readers(n.Args[0]), "threshold") {
		return nil
	}
	axis, err := ir.Axis(cat.Int("axis"), n.In(0).Rank())
	cert := report.CertificateOf(c.Records, n)
	if err != nil || axis == 0 || cert == nil {
		return nil
	}
	flip := ir.ConstOf(n.Args[2])
	parts := make([]*ir.Value, len(cat.Args))
	from := 0
	for i, a := range cat.Args {
		if axis != 1 {
			parts[i] = rw.Op("threshold", n.Attrs, a, n.Args[1], n.Args[2])
			continue
		}
		k := a.Type.Shape[1]
		part := cert.Part(from, k)
		t, _ := part.Constants()
		c.Record(part)
		parts[i] = rw.Op("threshold", n.Attrs, a, rw.Const(t), rw.Const(ir.IntTensor(ir.Bit, flip.I[from:from+k], k)))
		from += k
	}
	return []*ir.Value{rw.Op("concat", cat.Attrs, parts...)}
}

// stepOfBit: a step of a bit that is already there changes nothing but the
// encoding; of sbits, the sign of the number.
func stepOfBit(rw *passes.Rewriter, n *ir.Node) []*ir.Value {
	if n.Op.Name != "threshold" || !n.In(0).DType.IsBit() {
		return nil
	}
	t, flip := ir.ConstOf(n.Args[1]), ir.ConstOf(n.Args[2])
	ts, ok1 := t.Splat()
	fs, ok2 := flip.Splat()
	if !ok1 || !ok2 {
		return nil
	}
	lo, hi := n.In(0).DType.Range()
	if ts <= float64(lo) || ts > float64(hi) { // constant
		return nil
	}
	v := n.Args[0]
	if fs == 1 {
		v = rw.Op("bit_not", nil, v)
	}
	if v.Type.DType != n.Result().Type.DType {
		v = rw.Op("recode", nil, v)
	}
	return []*ir.Value{v}
}
