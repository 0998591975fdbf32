package exact

import (
	"context"
	"math"
	"slices"

	"github.com/billnet/billnet/ir"
	"github.com/billnet/billnet/passes"
	"github.com/billnet/billnet/passes/analysis"
	"github.com/billnet/billnet/passes/report"
)

// intervals are the accumulators for which a curve's activation is set: it is
// first at the start of a channel's range and changes at each of changes.
type intervals struct {
	*curve
	class   passes.Class
	span    analysis.Span
	first   []int64
	changes [][]int64
	margin  []float64 // as in a certificate
	bound   []float64
}

const (
	maxIntervals   = 4       // comparisons of one accumulator
	maxCurveValues = 1 << 22 // of the accumulators of a curve
	maxCurveWork   = 1 << 25 // evaluations of operations for one curve
)

// fuseIntervals: a step or sign over a curve is a few comparisons of the integer
// and their exclusive or, found by evaluating every value of the accumulator.
func fuseIntervals(rw *passes.Rewriter, c *passes.Context, r *analysis.Ranger, n *ir.Node) []*ir.Value {
	if n.Op != ir.Step && n.Op != ir.Sign || n.In(0).DType != ir.F32 || ir.ConstOf(n.Args[0]) != nil {
		return nil
	}
	if pool := ir.Def(n.Args[0]); n.Is(ir.Step) && pool.Is(ir.MaxPool) && len(pool.Results) == 1 && analysis.PoolsElements(pool) && findCurve(pool.Args[0]) != nil {
		return []*ir.Value{rw.Op(ir.MaxPool, pool.Attrs, rw.Op(ir.Step, n.Attrs, pool.Args[0]))}
	}
	cv := findCurve(n.Args[0])
	if cv == nil {
		return nil
	}
	if n.Is(ir.Step) {
		cv.step = n
		if y := cv.activate(rw, c, r, n.Bool("signed")); y != nil {
			return []*ir.Value{y}
		}
		return nil
	}
	found := [2]*intervals{}
	for i, strict := range []bool{true, false} {
		one := *cv
		step, err := ir.NewNode(ir.Step, n.Args, map[string]any{"strict": strict}, n.Loc)
		if err != nil {
			rw.Err = err
			return nil
		}
		one.step = step
		if found[i] = one.intervals(rw, r); found[i] == nil {
			return nil
		}
	}
	pos, nonneg := found[0], found[1]
	if slices.Equal(pos.first, nonneg.first) && slices.EqualFunc(pos.changes, nonneg.changes, slices.Equal[[]int64]) {
		return []*ir.Value{rw.Op(ir.ToFloat, nil, pos.compare(rw, c, true))}
	}
	return []*ir.Value{rw.Op(ir.ToFloat, nil, rw.Op(ir.Join, nil, pos.compare(rw, c, false), rw.Op(ir.BitNot, nil, nonneg.compare(rw, c, false))))}
}

// activate returns the activation's bits as comparisons; nil where there are none.
func (cv *curve) activate(rw *passes.Rewriter, c *passes.Context, r *analysis.Ranger, signed bool) *ir.Value {
	iv := cv.intervals(rw, r)
	if iv == nil {
		return nil
	}
	return iv.compare(rw, c, signed)
}

// intervals evaluates the activation at every value of the accumulator. It
// returns nil where there are too many, or too many changes.
func (cv *curve) intervals(rw *passes.Rewriter, r *analysis.Ranger) *intervals {
	n := len(cv.channels)
	if n == 0 || n > maxChannels || !r.Afford(maxIntervals*n) {
		return nil
	}
	iv := &intervals{curve: cv, span: r.Of(cv.z), first: make([]int64, n), changes: make([][]int64, n), margin: make([]float64, n), bound: make([]float64, n)}
	width := int64(1)
	for i := range n {
		lo, hi := iv.span.At(i)
		if hi-lo >= report.MaxEnumerated {
			return nil
		}
		width = max(width, hi-lo+1)
	}
	if values := width * int64(n); values > maxCurveValues || values*int64(len(cv.nodes)) > maxCurveWork {
		return nil
	}
	ok, err := iv.scan(rw.Ctx(), width)
	if ok && err == nil && cv.base.Is(ir.Affine) {
		iv.class = passes.Ideal
		ok, err = iv.margins(rw.Ctx(), width)
	}
	if err != nil {
		rw.Err = err
	}
	if err != nil || !ok {
		return nil
	}
	return iv
}

// accumulators are row after row of every channel's values from the k-th on, the
// last one repeated.
func (iv *intervals) accumulators(k, rows int64) []int64 {
	n := int64(len(iv.channels))
	z := make([]int64, rows*n)
	for i := range z {
		lo, hi := iv.span.At(i % len(iv.channels))
		z[i] = min(lo+k+int64(i)/n, hi)
	}
	return z
}

// add appends the bits of rows from the k-th value on; false is too many changes.
func (iv *intervals) add(k int64, bits []int64) bool {
	n := len(iv.channels)
	for i, b := range bits {
		c, at := i%n, k+int64(i/n)
		if at == 0 {
			iv.first[c] = b
			continue
		}
		lo, hi := iv.span.At(c)
		if b == iv.first[c]^int64(len(iv.changes[c])&1) || lo+at > hi {
			continue
		}
		if iv.changes[c] = append(iv.changes[c], lo+at); len(iv.changes[c]) > maxIntervals {
			return false
		}
	}
	return true
}

// scan evaluates the source's float32 expression.
func (iv *intervals) scan(ctx context.Context, width int64) (bool, error) {
	block := max(1, 1<<18/int64(len(iv.channels)))
	for k := int64(0); k < width; k += block {
		if err := ctx.Err(); err != nil {
			return false, err
		}
		bits, err := iv.Bits(iv.accumulators(k, min(block, width-k)))
		if err != nil || !iv.add(k, bits) {
			return false, err
		}
	}
	return true, nil
}

// margins evaluates the expression over the real numbers: how far it stays from a
// tie, and how far rounding takes it.
func (iv *intervals) margins(ctx context.Context, width int64) (bool, error) {
	n := len(iv.channels)
	var values, errors []float64
	block := max(1, 1<<18/int64(n))
	for k := int64(0); k < width; k += block {
		if err := ctx.Err(); err != nil {
			return false, err
		}
		y, err := iv.real(iv.accumulators(k, min(block, width-k)))
		if err != nil || !y.v.HoldsDoubles() || slices.ContainsFunc(y.v.Doubles(), func(x float64) bool { return x-x != 0 }) {
			return false, err
		}
		values, errors = append(values, y.v.Doubles()...), append(errors, y.e.Doubles()...)
	}
	at, _ := iv.tie()
	tie, _ := at.Float64()
	for c := range n {
		iv.margin[c] = math.Inf(1)
		lo, hi := iv.span.At(c)
		for k := range hi - lo + 1 {
			i := int(k)*n + c
			slope := 0.0 // the steeper of the two steps from here
			for _, j := range []int{i - n, i + n} {
				if j >= 0 && j < len(values) {
					slope = max(slope, math.Abs(values[j]-values[i]))
				}
			}
			if slope == 0 {
				slope = 1
			}
			margin, bound := math.Abs(values[i]-tie)/slope, errors[i]/slope
			if margin-bound < iv.margin[c]-iv.bound[c] {
				iv.margin[c], iv.bound[c] = margin, bound
			}
		}
	}
	return true, nil
}

// compare writes the comparisons and their exclusive or.
func (iv *intervals) compare(rw *passes.Rewriter, c *passes.Context, signed bool) *ir.Value {
	count := 1
	for _, ch := range iv.changes {
		count = max(count, len(ch))
	}
	certs := make([]*report.Certificate, count)
	wrong := slices.Clone(iv.first) // whether the result would be inverted
	for j := range certs {
		certs[j] = iv.certificate(j)
		for i, p := range certs[j].Channels {
			wrong[i] ^= p.Bit(p.Lo)
		}
	}
	var y *ir.Value
	for _, cert := range certs {
		t, flip := cert.Constants()
		c.Record(cert)
		if y == nil {
			for i := range flip.Ints() {
				flip.Ints()[i] ^= wrong[i]
			}
		}
		b := rw.Op(ir.Threshold, map[string]any{"signed": signed}, iv.z, rw.Const(t), rw.Const(flip))
		if y == nil {
			y = b
			continue
		}
		y = rw.Op(ir.BitXor, nil, y, b)
	}
	return y
}

// certificate proves the j-th comparison: the curve between the changes before
// and after it, or its last value where there are fewer changes.
func (iv *intervals) certificate(j int) *report.Certificate {
	n := len(iv.channels)
	part := &piece{iv.curve, make([]int64, n), make([]int64, n)}
	cert := &report.Certificate{Class: iv.class, Channels: make([]report.ChannelProof, n), Sources: []report.Expression{part}}
	for i := range n {
		p := &cert.Channels[i]
		p.Lo, p.Hi = iv.span.At(i)
		p.Enumerated, p.Margin, p.Bound = true, iv.margin[i], iv.bound[i]
		changes := iv.changes[i]
		part.from[i], part.to[i] = p.Lo, p.Hi
		if j >= len(changes) {
			last := iv.first[i] ^ int64(len(changes)&1)
			part.from[i] = p.Hi
			p.Set(last, last, 0)
			continue
		}
		if j > 0 {
			part.from[i] = changes[j-1]
		}
		if j+1 < len(changes) {
			part.to[i] = changes[j+1] - 1
		}
		before := iv.first[i] ^ int64(j&1)
		p.Set(before, 1-before, changes[j])
	}
	return cert
}

// piece is a curve's activation with accumulators limited to from..to.
type piece struct {
	*curve
	from, to []int64
}

// Channels is the number of channels.
func (p *piece) Channels() int { return len(p.channels) }

// Bits evaluates the curve at the limited accumulators.
func (p *piece) Bits(z []int64) ([]int64, error) {
	limited := make([]int64, len(z))
	for i, v := range z {
		c := i % len(p.from)
		limited[i] = min(max(v, p.from[c]), p.to[c])
	}
	return p.curve.Bits(limited)
}

// RealBit is the activation of the real sum.
func (p *piece) RealBit(channel int, z int64) bool {
	one := *p.curve
	one.channels = p.channels[channel : channel+1]
	bits, err := one.Bits([]int64{min(max(z, p.from[channel]), p.to[channel])})
	if err != nil {
		panic(err) // it was evaluated to find the piece
	}
	return bits[0] == 1
}

// Part is the piece of some channels.
func (p *piece) Part(from, k int) report.Expression {
	one := *p.curve
	one.channels = p.channels[from : from+k]
	return &piece{&one, p.from[from : from+k], p.to[from : from+k]}
}
