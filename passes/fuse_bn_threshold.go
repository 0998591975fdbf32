package passes

import (
	"fmt"
	"math"
	"math/big"

	"github.com/billnet/billnet/ir"
)

var _ = register(&Pass{
	Name: "fuse-bn-threshold",
	Doc: "A step behind any chain of per-channel float operations (batch norm, bias, scale, TGAP's mean and threshold) over an integer becomes one integer comparison a channel. " +
		"The threshold is found by searching the accumulator with the chain's own float32 expression, evaluated by the interpreter; up to 2^16 values are enumerated, wider ranges are " +
		"proved by monotony and the values at T-1 and T. Behind an affine the search is over the real numbers: class ideal.",
	Class: Ideal,
	After: []string{"integers"},
	Run: eachFunc(func(c *Context, f *ir.Func) error {
		r := newRanger()
		// The rules of integers run along: in one sweep from the inputs to the
		// outputs, a layer's activation is a comparison before the next layer,
		// which reads it, is looked at.
		rules := append([]rule{
			func(rw *rewriter, n *ir.Node) []*ir.Value { return fuseStep(rw, c, r, n) },
			func(rw *rewriter, n *ir.Node) []*ir.Value { return fuseSign(rw, c, r, n) },
			func(rw *rewriter, n *ir.Node) []*ir.Value { return fuseLevels(rw, c, r, n) },
			liftPool, stepOfBit}, integerRules(r)...)
		return rewrite(f, rules...)
	}),
})

// fuseStep: a step over a chain is a threshold.
func fuseStep(rw *rewriter, c *Context, r *ranger, n *ir.Node) []*ir.Value {
	if n.Op.Name != "step" {
		return nil
	}
	y := thresholdOf(rw, c, r, n)
	if y == nil {
		return nil
	}
	return []*ir.Value{y}
}

func thresholdOf(rw *rewriter, c *Context, r *ranger, step *ir.Node) *ir.Value {
	ch := findChain(step.Args[0])
	if ch == nil {
		return nil
	}
	ch.step = step
	return ch.threshold(rw, c, r, step.Bool("signed"))
}

// threshold searches the chain's activation and returns the comparison.
func (ch *chain) threshold(rw *rewriter, c *Context, r *ranger, signed bool) *ir.Value {
	cert, err := ch.search(r.of(ch.z))
	if err != nil {
		rw.Err = err
		return nil
	}
	if cert == nil {
		return nil
	}
	t, flip := cert.constants()
	c.Certs = append(c.Certs, *cert)
	return rw.Op("threshold", map[string]any{"signed": signed, "axis": ch.axis}, ch.z, rw.Const(t), rw.Const(flip))
}

// fuseSign: a sign over a chain is the pair of comparisons x > 0 and x >= 0.
// Where no accumulator gives exactly 0 the two are one, and the sign is an sbit;
// otherwise it is ternary.
func fuseSign(rw *rewriter, c *Context, r *ranger, n *ir.Node) []*ir.Value {
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
	pos := step(true, false)
	if rw.Err != nil || findChain(n.Args[0]) == nil {
		return nil
	}
	p, q := thresholdOf(rw, c, r, pos), thresholdOf(rw, c, r, step(false, false))
	if p == nil || q == nil {
		return nil
	}
	y := p
	if pt, qt := p.Def, q.Def; ir.ConstOf(pt.Args[1]).Equal(ir.ConstOf(qt.Args[1])) && ir.ConstOf(pt.Args[2]).Equal(ir.ConstOf(qt.Args[2])) {
		y = rw.Op("threshold", map[string]any{"signed": true, "axis": pt.Int("axis")}, pt.Args...)
	} else {
		y = rw.Op("join", nil, p, rw.Op("bit_not", nil, q))
	}
	return []*ir.Value{rw.Op("to_float", nil, y)}
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
}

// findChain follows a float value back to an integer.
func findChain(v *ir.Value) *chain {
	if v.Type.DType != ir.F32 || v.Type.Rank() < 2 {
		return nil
	}
	shape := v.Type.Shape
	ch := &chain{axis: 1, c: shape[1]}
	for {
		d := ir.Def(v)
		if d == nil || !ir.SameShape(d.Result().Type.Shape, shape) {
			return nil
		}
		which := -1
		switch d.Op.Name {
		case "to_float":
			ch.z, ch.base = d.Args[0], d
			return ch
		case "affine":
			if a, _ := ir.Axis(d.Int("axis"), d.In(0).Rank()); a != 1 && (d.In(1).Elems() > 1 || d.In(2).Elems() > 1 || d.In(3).Elems() > 1) {
				return nil
			}
			ch.z, ch.base = d.Args[0], d
			return ch
		case "batch_norm":
			if which = 0; !soundNorm(d) {
				return nil
			}
		case "neg", "relu":
			which = 0
		case "clip":
			which = 0
			for i := 1; i < len(d.Args); i++ {
				if d.Args[i] != nil && (ir.ConstOf(d.Args[i]) == nil || !finite32(ir.ConstOf(d.Args[i]))) {
					return nil
				}
			}
		case "add", "sub", "mul", "div", "min", "max":
			if which = carrier(d, shape); which < 0 {
				return nil
			}
		default:
			return nil
		}
		ch.ops = append([]*ir.Node{d}, ch.ops...)
		ch.which = append([]int{which}, ch.which...)
		v = d.Args[which]
	}
}

// soundNorm reports whether a batch norm has constant, finite parameters and a
// finite slope.
func soundNorm(n *ir.Node) bool {
	for i := 1; i < 5; i++ {
		if p := ir.ConstOf(n.Args[i]); p == nil || !finite32(p) {
			return false
		}
	}
	for _, x := range ir.ConstOf(n.Args[4]).F {
		if x+float32(n.Float("epsilon")) <= 0 {
			return false
		}
	}
	return true
}

// carrier returns which operand of a binary operation carries the chain, the
// other being a finite constant for every channel; -1 when neither does.
func carrier(n *ir.Node, shape []int) int {
	if len(n.Args) != 2 {
		return -1
	}
	for i := range 2 {
		p := ir.ConstOf(n.Args[1-i])
		if p == nil || !finite32(p) || !perChannel(p.Type.Shape, shape) {
			continue
		}
		if n.Is("div") && (i == 1 || hasZero(p)) {
			continue
		}
		return i
	}
	return -1
}

func hasZero(t *ir.Tensor) bool {
	for _, x := range t.F {
		if x == 0 {
			return true
		}
	}
	return false
}

// perChannel reports whether a constant of one shape, stretched to a tensor of
// another, differs along axis 1 only.
func perChannel(p, shape []int) bool {
	off := len(shape) - len(p)
	if off < 0 {
		return false
	}
	for i, d := range p {
		if d != 1 && i+off != 1 {
			return false
		}
	}
	return true
}

// maxEnumerated is the widest accumulator whose every value is evaluated.
const maxEnumerated = 1 << 16

// search finds every channel's threshold. It returns nil when the accumulator
// does not fit 32 bits.
func (ch *chain) search(s span) (*Certificate, error) {
	cert := &Certificate{Channels: make([]ChannelProof, ch.c)}
	for i := range cert.Channels {
		p := &cert.Channels[i]
		p.Lo, p.Hi = s.at(i)
		if p.Lo < math.MinInt32 || p.Hi > math.MaxInt32-1 {
			return nil, nil // more than 32 bits
		}
	}
	if ch.base.Is("affine") {
		cert.Class = Ideal
		return cert, ch.searchReal(cert)
	}
	return ch.searchFloat(cert)
}

// constants returns the operands t and flip of the threshold, and remembers t.
func (c *Certificate) constants() (t, flip *ir.Tensor) {
	n := len(c.Channels)
	t, flip = ir.NewTensor(ir.T(ir.I32, n)), ir.NewTensor(ir.T(ir.Bit, n))
	for i, p := range c.Channels {
		t.I[i] = p.T
		if p.Flip {
			flip.I[i] = 1
		}
	}
	c.t = t
	return t, flip
}

// probe evaluates the chain with the interpreter on rows of accumulator
// values, z[row][channel], and returns the bits in the same order.
func (ch *chain) probe(z []int64) ([]int64, error) {
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
	bits := make([]int64, len(x.I))
	for i, v := range x.I {
		if ch.step != nil && v > 0 || ch.step == nil && v >= ch.level {
			bits[i] = 1
		}
	}
	return bits, nil
}

// searchFloat searches with the source's float32 expression. Each operation of
// the chain is monotone (rounding is, and so are adding, scaling and dividing
// by a constant), hence so is the bit, and a binary search finds the step.
func (ch *chain) searchFloat(cert *Certificate) (*Certificate, error) {
	row := func(f func(p *ChannelProof) int64) ([]int64, error) {
		z := make([]int64, ch.c)
		for i := range z {
			z[i] = f(&cert.Channels[i])
		}
		return ch.probe(z)
	}
	first, err := row(func(p *ChannelProof) int64 { return p.Lo })
	if err != nil {
		return nil, err
	}
	last, err := row(func(p *ChannelProof) int64 { return p.Hi })
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
		bits, err := ch.probe(z)
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
		cert.Channels[i].set(first[i], last[i], hi[i])
	}
	return cert, ch.enumerate(cert)
}

// set records where the bit, first at Lo and last at Hi, changes.
func (p *ChannelProof) set(first, last, t int64) {
	if first == last {
		p.T, p.Flip = p.Lo, first == 0 // z >= Lo always holds
		return
	}
	p.T, p.Flip = t, first == 1
}

// bit is what the threshold says for z.
func (p *ChannelProof) bit(z int64) int64 {
	if (z >= p.T) != p.Flip {
		return 1
	}
	return 0
}

// enumerate compares the thresholds with the expression: at every value of
// channels up to maxEnumerated wide, at the ends and around T for the rest.
func (ch *chain) enumerate(cert *Certificate) error {
	width := int64(2)
	for i := range cert.Channels {
		p := &cert.Channels[i]
		p.Enumerated = p.Hi-p.Lo < maxEnumerated
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
		bits, err := ch.probe(z)
		if err != nil {
			return err
		}
		for i, b := range bits {
			if p := &cert.Channels[i%ch.c]; p.bit(z[i]) != b {
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
func (ch *chain) searchReal(cert *Certificate) error {
	for i := range cert.Channels {
		p := &cert.Channels[i]
		bit := func(z int64) int64 {
			if ch.realBit(ch.realValue(i, z)) {
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
		p.set(first, last, hi)
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
func (ch *chain) margin(c int, p *ChannelProof, lo, hi int64) {
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
func liftPool(rw *rewriter, n *ir.Node) []*ir.Value {
	if n.Op.Name != "threshold" {
		return nil
	}
	pool := ir.Def(n.Args[0])
	if !pool.Is("max_pool") || !rw.once(n.Args[0]) || n.Int("axis") != 1 || pool.In(0).DType.IsLogic() {
		return nil
	}
	flip := ir.ConstOf(n.Args[2])
	none := rw.Const(ir.NewTensor(flip.Type))
	bits := rw.Op("max_pool", pool.Attrs, rw.Op("threshold", map[string]any{"signed": n.Bool("signed")}, pool.Args[0], n.Args[1], none))
	if s, ok := flip.Splat(); ok && s == 0 {
		return []*ir.Value{bits}
	}
	shape := make([]int, n.In(0).Rank())
	for i := range shape {
		shape[i] = 1
	}
	shape[1] = flip.Len()
	mask := flip.Reshape(shape...)
	if n.Bool("signed") {
		m := ir.NewTensor(mask.Type.With(ir.SBit))
		for i, v := range mask.I {
			m.I[i] = 2*v - 1
		}
		mask = m
	}
	return []*ir.Value{rw.Op("bit_xor", nil, bits, rw.Const(mask))}
}

// stepOfBit: a step of a bit that is already there changes nothing but the
// encoding; of sbits, the sign of the number.
func stepOfBit(rw *rewriter, n *ir.Node) []*ir.Value {
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
