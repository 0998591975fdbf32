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
	at := func(v *ir.Value) float64 {
		t := ir.ConstOf(v)
		return t.Float(min(c, t.Len()-1))
	}
	scale := at(ch.base.Args[1]) / at(ch.base.Args[2])
	m, terms := sumMagnitude(analysis.NewRanger(), ch.z, c)
	v, e := float64(z)*scale, (terms+2)*unitRoundoff*(m*math.Abs(scale)+ch.base.Float("terms"))
	// rounded follows one operation: its exact result, the operand's error times
	// factor, and n roundings relative to the result.
	rounded := func(result, factor float64, n int) {
		v, e = result, e*math.Abs(factor)
		if v != 0 {
			e += float64(n)*unitRoundoff*math.Abs(v) + underflow
		}
	}
	rounded(v+at(ch.base.Args[3]), 1, 1)
	for k, op := range ch.ops {
		other := func() float64 { return at(op.Args[1-ch.which[k]]) }
		switch op.Op {
		case ir.BatchNorm:
			s := math.Sqrt(at(op.Args[4]) + op.Float("epsilon"))
			rounded(v-at(op.Args[3]), 1, 1)
			rounded(v/s, 1/s, 4) // the sum under the root, the root, epsilon and the quotient
			rounded(v*at(op.Args[1]), at(op.Args[1]), 1)
			rounded(v+at(op.Args[2]), 1, 1)
		case ir.Neg:
			v = -v
		case ir.Relu:
			v = math.Max(v, 0)
		case ir.Clip:
			if op.Arg(1) != nil {
				v = math.Max(v, at(op.Args[1]))
			}
			if op.Arg(2) != nil {
				v = math.Min(v, at(op.Args[2]))
			}
		case ir.Add:
			rounded(v+other(), 1, 1)
		case ir.Sub:
			d := v - other()
			if ch.which[k] == 1 {
				d = -d
			}
			rounded(d, 1, 1)
		case ir.Mul:
			rounded(v*other(), other(), 1)
		case ir.Div:
			rounded(v/other(), 1/other(), 1)
		case ir.Min:
			v = math.Min(v, other())
		case ir.Max:
			v = math.Max(v, other())
		}
	}
	if ch.step == nil {
		rounded(v, 1, 2) // the quantizer's own division, and its scale times the level
	}
	return e
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
			for _, x := range w.I[o*row : (o+1)*row] {
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
