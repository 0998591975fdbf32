package exact

import (
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
		"What is not monotone (HardSwish, SiLU, GELU, Mish) becomes up to four comparisons and their exclusive or, found by evaluating every value. " +
		"A few-bit quantizer is one comparison a level or, with more than 16 levels, a table.",
	Class: passes.Ideal,
	Needs: BinaryActivations,
	After: []string{"integers"},
	Run: passes.EachFunc(func(c *passes.Context, f *ir.Func) error {
		r := analysis.NewRanger()
		// The rules of integers run along: in one sweep from the inputs to the
		// outputs, a layer's activation is a comparison before the next layer,
		// which reads it, is looked at.
		rules := append([]passes.Rule{
			func(rw *passes.Rewriter, n *ir.Node) []*ir.Value { return fuseStep(rw, c, r, n) },
			func(rw *passes.Rewriter, n *ir.Node) []*ir.Value { return fuseSign(rw, c, r, n) },
			func(rw *passes.Rewriter, n *ir.Node) []*ir.Value { return fuseIntervals(rw, c, r, n) },
			func(rw *passes.Rewriter, n *ir.Node) []*ir.Value { return fuseLevels(rw, c, r, n) },
			func(rw *passes.Rewriter, n *ir.Node) []*ir.Value { return sameGrid(rw, r, n) },
			func(rw *passes.Rewriter, n *ir.Node) []*ir.Value { return liftConcat(rw, c, n) },
			liftPool, stepOfBit, liftActivation, splitConcat}, integerRules(r, newFolder(f))...)
		return c.Rewrite(f, rules...)
	}),
}

// fuseStep: a step over a chain is a threshold.
func fuseStep(rw *passes.Rewriter, c *passes.Context, r *analysis.Ranger, n *ir.Node) []*ir.Value {
	if n.Op != ir.Step {
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
	if !r.Afford(ch.c) {
		return nil, nil, nil
	}
	if ch.border != nil {
		return ch.solveBorder(rw, r.Of(ch.z))
	}
	cert, err := ch.search(rw.Ctx(), r.Of(ch.z))
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
		for i := range d.Ints() {
			d.Ints()[i] = to.Int(i) ^ inverted.Int(i)
		}
		inverted = to
		return d
	}
	if len(ch.pools) > 0 {
		for i, x := range change(ch.falls(ch.before[0])).Ints() {
			flip.Ints()[i] ^= x
		}
	}
	y := rw.Op(ir.Threshold, map[string]any{"signed": signed, "axis": ch.axis}, z, rw.Const(t), rw.Const(flip))
	for i, pool := range ch.pools {
		if i > 0 {
			y = invertChannels(rw, y, change(ch.falls(ch.before[i])))
		}
		y = rw.Op(ir.MaxPool, pool.Attrs, y)
	}
	return invertChannels(rw, y, inverted)
}

// invertChannels flips the bits of the marked channels of a map.
func invertChannels(rw *passes.Rewriter, v *ir.Value, channels *ir.Tensor) *ir.Value {
	if s, ok := channels.Splat(); ok && s == 0 {
		return v
	}
	mask := onAxis(channels, 1, v.Type.Rank())
	if v.Type.DType == ir.SBit {
		m := ir.NewTensor(mask.Type.With(ir.SBit))
		for i, b := range mask.Ints() {
			m.Ints()[i] = 2*b - 1
		}
		mask = m
	}
	return rw.Op(ir.BitXor, nil, v, rw.Const(mask))
}

// fuseSign: a sign over a chain is the pair of comparisons x > 0 and x >= 0.
// Where no accumulator gives exactly 0 the two are one, and the sign is an sbit;
// otherwise it is ternary.
func fuseSign(rw *passes.Rewriter, c *passes.Context, r *analysis.Ranger, n *ir.Node) []*ir.Value {
	if n.Op != ir.Sign || n.In(0).DType != ir.F32 {
		return nil
	}
	step := func(strict, signed bool) *ir.Node {
		s, err := ir.NewNode(ir.Step, n.Args, map[string]any{"strict": strict, "signed": signed}, n.Loc)
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
				return []*ir.Value{rw.Op(ir.ToFloat, nil, pos.compare(rw, c, p, zp, true))}
			}
			y := rw.Op(ir.Join, nil, pos.compare(rw, c, p, zp, false), rw.Op(ir.BitNot, nil, nonneg.compare(rw, c, q, zq, false)))
			return []*ir.Value{rw.Op(ir.ToFloat, nil, y)}
		}
	}
	rw.Err = err
	return nil
}

// liftPool: a threshold behind a max pool is the pool of thresholds, since
// max(z) >= t says that some z >= t; the flip stays behind the pool (for a
// falling comparison the two together are the AND of the bits).
func liftPool(rw *passes.Rewriter, n *ir.Node) []*ir.Value {
	if n.Op != ir.Threshold {
		return nil
	}
	pool := ir.Def(n.Args[0])
	if !pool.Is(ir.MaxPool) || !ir.AllAre(rw.Readers(n.Args[0]), ir.Threshold) || n.Int("axis") != 1 || pool.In(0).DType.IsLogic() {
		return nil
	}
	flip := ir.ConstOf(n.Args[2])
	none := rw.Const(ir.NewTensor(flip.Type))
	bits := rw.Op(ir.MaxPool, pool.Attrs, rw.Op(ir.Threshold, map[string]any{"signed": n.Bool("signed")}, pool.Args[0], n.Args[1], none))
	return []*ir.Value{invertChannels(rw, bits, flip)}
}

// liftConcat: a threshold of concatenated integers is the concatenation of
// thresholds: bits are put together rather than sums.
func liftConcat(rw *passes.Rewriter, c *passes.Context, n *ir.Node) []*ir.Value {
	cat := ir.Def(n.Arg(0))
	if n.Op != ir.Threshold || !cat.Is(ir.Concat) || n.Int("axis") != 1 || cat.In(0).DType.IsLogic() || !ir.AllAre(rw.Readers(n.Args[0]), ir.Threshold) {
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
			parts[i] = rw.Op(ir.Threshold, n.Attrs, a, n.Args[1], n.Args[2])
			continue
		}
		k := a.Type.Shape[1]
		part := cert.Part(from, k)
		t, _ := part.Constants()
		c.Record(part)
		parts[i] = rw.Op(ir.Threshold, n.Attrs, a, rw.Const(t), rw.Const(ir.IntTensor(ir.Bit, flip.IntRange(from, from+k), k)))
		from += k
	}
	return []*ir.Value{rw.Op(ir.Concat, cat.Attrs, parts...)}
}

// stepOfBit: a step of a bit that is already there changes nothing but the
// encoding; of sbits, the sign of the number.
func stepOfBit(rw *passes.Rewriter, n *ir.Node) []*ir.Value {
	if n.Op != ir.Threshold || !n.In(0).DType.IsBit() {
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
		v = rw.Op(ir.BitNot, nil, v)
	}
	if v.Type.DType != n.Result().Type.DType {
		v = rw.Op(ir.Recode, nil, v)
	}
	return []*ir.Value{v}
}

// readAsPlanes reports whether all that reads a few-bit activation are
// convolutions with binary or ternary weights, by way of max pools.
func readAsPlanes(rw *passes.Rewriter, v *ir.Value) bool {
	uses := rw.Readers(v)
	for _, u := range uses {
		switch {
		case u.Is(ir.MaxPool) && len(u.Results) == 1:
			if !readAsPlanes(rw, u.Result()) {
				return false
			}
		case !u.Is(ir.IConv) || u.In(1).DType != ir.SBit && u.In(1).DType != ir.Tern:
			return false
		}
	}
	return len(uses) > 0
}

// fuseLevels: a quantizer of a few levels over a chain is one comparison a
// level, where convolutions read the bits of the comparisons. Other readers want
// the number, which is rounded, scaled and limited at once.
func fuseLevels(rw *passes.Rewriter, c *passes.Context, r *analysis.Ranger, n *ir.Node) []*ir.Value {
	q, grid, lo, hi := quantizer(rw, n)
	if q == nil || hi-lo > 1 && (lo != 0 || hi > maxPlanes || !readAsPlanes(rw, n.Result())) {
		return nil
	}
	var bits []*ir.Value
	for l := lo + 1; l <= hi; l++ {
		end := activation{grid: grid, level: l}
		var b *ir.Value
		if ch := findChain(q.Args[0]); ch != nil {
			ch.activation = end
			b = ch.threshold(rw, c, r, false)
		} else if cv := findCurve(q.Args[0]); cv != nil {
			cv.activation = end
			b = cv.activate(rw, c, r, false)
		}
		if b == nil {
			return nil
		}
		bits = append(bits, b)
	}
	return []*ir.Value{rw.Op(ir.Tally, map[string]any{"base": int(lo), "to": n.Result().Type.DType.String()}, bits...)}
}
