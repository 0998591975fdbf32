package exact

import (
	"math"

	"github.com/billnet/billnet/ir"
	"github.com/billnet/billnet/passes/analysis"
)

// unitRoundoff is the largest relative error of one float32 operation, and
// underflow what a result below the normal range may lose beside it.
const (
	unitRoundoff = 1.0 / (1 << 24)
	underflow    = 0x1p-149
)

// roundingBound bounds the error of a float32 evaluation of the chain at z in
// channel c, in units of the chain's value, with the sum in any order. A sum of
// k terms of magnitude m in all is off by (k+2)*u*m; every further operation
// passes the error on and adds u relative to its own result, which may be far
// larger than the chain's value where two terms cancel.
func (ch *chain) roundingBound(c int, z int64) float64 {
	base := link{ch.base, 0, c}
	scale := base.at(1) / base.at(2)
	if ch.ranges == nil {
		ch.ranges = analysis.NewRanger()
	}
	m, terms := sumMagnitude(ch.ranges, ch.z, c)
	r := &rounding{float64(z) * scale, (terms + 2) * unitRoundoff * (m*math.Abs(scale) + ch.base.Float("terms"))}
	r.then(r.v+base.at(3), 1, 1)
	for k, op := range ch.ops {
		chainOps[op.Op].bound(link{op, ch.which[k], c}, r)
	}
	if ch.step == nil {
		r.then(r.v, 1, 2) // the quantizer's own division, and its scale times the level
	}
	return r.e
}

// sumMagnitude bounds the sum of the magnitudes of all terms behind an integer,
// in row c of its weights or, with c < 0, in any, and the number of roundings
// of one term in a float evaluation: partial sums of a linear chain may be far
// larger than what is left of them.
func sumMagnitude(r *analysis.Ranger, v *ir.Value, c int) (m, terms float64) {
	d := ir.Def(v)
	switch {
	case (d.Is(ir.BConv) || d.Is(ir.IConv)) && d.Arg(2) == nil || d.Is(ir.ILinear):
		w := ir.ConstOf(d.Args[1])
		if w == nil || w.Len() == 0 {
			break
		}
		rows := w.Type.Shape[0]
		row := w.Len() / rows
		most := 0.0
		for o := range rows {
			if c >= 0 && o != c && c < rows {
				continue
			}
			sum := 0.0
			for _, x := range w.IntRange(o*row, (o+1)*row) {
				sum += math.Abs(float64(x))
			}
			most = max(most, sum)
		}
		m, terms = sumMagnitude(r, d.Args[0], -1)
		return m * most, terms + float64(row)
	case d.Is(ir.MaxPool):
		return sumMagnitude(r, d.Args[0], c)
	case d != nil && analysis.MovesElements(d):
		return sumMagnitude(r, d.Args[0], -1)
	case d.Is(ir.Concat):
		for _, a := range d.Args {
			am, at := sumMagnitude(r, a, -1)
			m, terms = max(m, am), max(terms, at)
		}
		return m, terms
	}
	lo, hi := r.Of(v).All()
	return max(math.Abs(float64(lo)), math.Abs(float64(hi))), 1
}
