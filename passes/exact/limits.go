package exact

import (
	"maps"
	"math"
	"slices"

	"github.com/billnet/billnet/ir"
	"github.com/billnet/billnet/passes"
)

// Limits is the pass limits.
var Limits = &passes.Pass{
	Name: "limits",
	Doc: "Recognises limits that are written with magnitudes and ReLUs, such as PACT's (|x| - |x - a| + a)/2 and relu(x) - relu(x - a), and signs written as x/|x|, " +
		"and makes each the clip or sign that it is over the real numbers, sign(0) = 0.",
	Class: passes.Ideal,
	After: []string{"fold-constants"},
	Run: passes.EachFunc(func(c *passes.Context, f *ir.Func) error {
		return c.Rewrite(f, limitOfPieces, signOfQuotient)
	}),
}

// signOfQuotient: x/|x| and |x|/x are the sign of x, but for 0/0.
func signOfQuotient(rw *passes.Rewriter, n *ir.Node) []*ir.Value {
	if n.Op != ir.Div || n.Result().Type.DType != ir.F32 || ir.ConstOf(n.Result()) != nil {
		return nil
	}
	switch a, b := n.Args[0], n.Args[1]; {
	case ir.Unwrap(b, ir.Abs) == a:
		return []*ir.Value{rw.Op(ir.Sign, nil, a)}
	case ir.Unwrap(a, ir.Abs) == b:
		return []*ir.Value{rw.Op(ir.Sign, nil, b)}
	}
	return nil
}

// pieces is a continuous, piecewise linear function of one value: line i, k*x + b,
// holds from knot i-1 to knot i.
type pieces struct {
	knots []float64
	lines []line
}

type line struct{ k, b float64 }

func (l line) at(x float64) float64 { return l.k*x + l.b }

// flat reports a slope of 0, near which the rounding of constants to float32 may
// leave others.
func (l line) flat() bool { return math.Abs(l.k) < piecesError }

const (
	piecesError = 0x1p-20
	maxPieces   = 16 // knots of a function
	maxPiecesOf = 8  // operations, one upon the other
)

// middle is a number within piece i.
func (p *pieces) middle(i int) float64 {
	lo, hi := p.ends(i)
	switch {
	case math.IsInf(lo, 0) && math.IsInf(hi, 0):
		return 0
	case math.IsInf(lo, 0):
		return hi - 1
	case math.IsInf(hi, 0):
		return lo + 1
	}
	return lo/2 + hi/2
}

// ends is where piece i begins and ends.
func (p *pieces) ends(i int) (lo, hi float64) {
	lo, hi = math.Inf(-1), math.Inf(1)
	if i > 0 {
		lo = p.knots[i-1]
	}
	if i < len(p.knots) {
		hi = p.knots[i]
	}
	return lo, hi
}

// over is what f makes of the line of every piece between the given knots, without
// knots where nothing changes.
func over(knots []float64, f func(x float64) line) *pieces {
	slices.Sort(knots)
	all := &pieces{knots: slices.Compact(knots)}
	out := &pieces{lines: []line{f(all.middle(0))}}
	near := func(a, b float64) bool { return math.Abs(a-b) <= piecesError*max(1, math.Abs(a), math.Abs(b)) }
	for i, knot := range all.knots {
		if l, last := f(all.middle(i+1)), out.lines[len(out.lines)-1]; !near(l.k, last.k) || !near(l.b, last.b) {
			out.knots, out.lines = append(out.knots, knot), append(out.lines, l)
		}
	}
	return out
}

// of is the line that holds at x.
func (p *pieces) of(x float64) line {
	i, _ := slices.BinarySearch(p.knots, x)
	return p.lines[i]
}

// each is the function with another line for every one of its own.
func (p *pieces) each(f func(l line) line) *pieces {
	return over(slices.Clone(p.knots), func(x float64) line { return f(p.of(x)) })
}

// plus is p + q.
func (p *pieces) plus(q *pieces) *pieces {
	return over(slices.Concat(p.knots, q.knots), func(x float64) line {
		a, b := p.of(x), q.of(x)
		return line{a.k + b.k, a.b + b.b}
	})
}

// scaled is p*f.
func (p *pieces) scaled(f float64) *pieces {
	return p.each(func(l line) line { return line{l.k * f, l.b * f} })
}

// plusConst is p + c.
func (p *pieces) plusConst(c float64) *pieces {
	return p.each(func(l line) line { return line{l.k, l.b + c} })
}

// atLeast is the larger of p and c.
func (p *pieces) atLeast(c float64) *pieces {
	knots := slices.Clone(p.knots)
	for i, l := range p.lines {
		if lo, hi := p.ends(i); !l.flat() && lo < (c-l.b)/l.k && (c-l.b)/l.k < hi {
			knots = append(knots, (c-l.b)/l.k)
		}
	}
	return over(knots, func(x float64) line {
		if l := p.of(x); l.at(x) >= c {
			return l
		}
		return line{0, c}
	})
}

// atMost is the smaller of p and c.
func (p *pieces) atMost(c float64) *pieces { return p.scaled(-1).atLeast(-c).scaled(-1) }

// piecewise finds piecewise linear functions of one value, its base.
type piecewise struct {
	base  *ir.Value
	shape []int
	joins bool // the base comes in by more than one way
	known map[*ir.Value]*pieces
}

// of returns what v is of the base, which it chooses as far back as it can.
func (w *piecewise) of(v *ir.Value, depth int) *pieces {
	if p, ok := w.known[v]; ok {
		return p
	}
	if v.Type.DType != ir.F32 || !ir.SameShape(v.Type.Shape, w.shape) || ir.ConstOf(v) != nil {
		return nil
	}
	before := *w
	before.known = maps.Clone(w.known)
	var p *pieces
	if d := ir.Def(v); d != nil && depth > 0 {
		p = w.made(d, depth-1)
	}
	if p == nil || len(p.knots) > maxPieces {
		*w, p = before, nil
		if w.base == nil || w.base == v {
			w.base, p = v, &pieces{lines: []line{{1, 0}}}
		}
	}
	w.known[v] = p
	return p
}

// made returns what an operation makes of its operands; nil for others than the
// piecewise linear ones.
func (w *piecewise) made(d *ir.Node, depth int) *pieces {
	operand := func(i int) *pieces { return w.of(d.Args[i], depth) }
	one := func(f func(p *pieces) *pieces) *pieces {
		if p := operand(0); p != nil {
			return f(p)
		}
		return nil
	}
	switch d.Op {
	case ir.Neg:
		return one(func(p *pieces) *pieces { return p.scaled(-1) })
	case ir.Relu:
		return one(func(p *pieces) *pieces { return p.atLeast(0) })
	case ir.Abs:
		return one(func(p *pieces) *pieces { return p.atLeast(0).plus(p.scaled(-1).atLeast(0)) })
	case ir.Clip:
		return one(func(p *pieces) *pieces {
			for i, limit := range []func(*pieces, float64) *pieces{(*pieces).atLeast, (*pieces).atMost} {
				if d.Arg(i+1) == nil {
					continue
				}
				k, ok := number(d.Args[i+1])
				if !ok {
					return nil
				}
				p = limit(p, k)
			}
			return p
		})
	case ir.Add, ir.Sub, ir.Mul, ir.Div, ir.Min, ir.Max:
		return w.pair(d, operand)
	}
	return nil
}

// pair is made for operations of two operands.
func (w *piecewise) pair(d *ir.Node, operand func(i int) *pieces) *pieces {
	if len(d.Args) != 2 {
		return nil
	}
	for i := range 2 {
		if ir.ConstOf(d.Args[1-i]) == nil {
			continue
		}
		k, ok := number(d.Args[1-i])
		p := operand(i)
		if !ok || p == nil {
			return nil
		}
		switch {
		case d.Is(ir.Add):
			return p.plusConst(k)
		case d.Is(ir.Sub) && i == 0:
			return p.plusConst(-k)
		case d.Is(ir.Sub):
			return p.scaled(-1).plusConst(k)
		case d.Is(ir.Mul):
			return p.scaled(k)
		case d.Is(ir.Div) && i == 0 && k != 0:
			return p.scaled(1 / k)
		case d.Is(ir.Min):
			return p.atMost(k)
		case d.Is(ir.Max):
			return p.atLeast(k)
		}
		return nil
	}
	if !d.Is(ir.Add) && !d.Is(ir.Sub) {
		return nil
	}
	p, q := operand(0), operand(1)
	if p == nil || q == nil {
		return nil
	}
	w.joins = true
	if d.Is(ir.Sub) {
		q = q.scaled(-1)
	}
	return p.plus(q)
}

// number is the one finite number of a constant.
func number(v *ir.Value) (float64, bool) {
	k, ok := ir.Splat(v)
	return k, ok && !math.IsInf(k, 0) && !math.IsNaN(k)
}

// scalesOn reports whether all that reads a value is a factor, divisor or summand of it.
func scalesOn(rw *passes.Rewriter, v *ir.Value) bool {
	readers := rw.Readers(v)
	return len(readers) > 0 && !slices.ContainsFunc(readers, func(u *ir.Node) bool {
		if !u.Is(ir.Add) && !u.Is(ir.Sub) && !u.Is(ir.Mul) && !u.Is(ir.Div) {
			return true
		}
		_, left := ir.Splat(u.Args[0])
		_, right := ir.Splat(u.Args[1])
		return !left && !right
	})
}

// limitOfPieces: a piecewise linear function of one value that is written with
// several, and is flat below or above all but one piece, is a clip, times a factor
// plus a number.
func limitOfPieces(rw *passes.Rewriter, n *ir.Node) []*ir.Value {
	switch n.Op {
	case ir.Add, ir.Sub, ir.Mul, ir.Div:
	default:
		return nil
	}
	y := n.Result()
	if y.Type.DType != ir.F32 || y.Type.Elems() == 0 || scalesOn(rw, y) {
		return nil
	}
	w := &piecewise{shape: y.Type.Shape, known: map[*ir.Value]*pieces{}}
	p := w.made(n, maxPiecesOf)
	if p == nil || !w.joins || len(p.knots) == 0 || len(p.knots) > 2 {
		return nil
	}
	last := len(p.lines) - 1
	var slope line
	var lo, hi *ir.Value
	switch first, end := p.lines[0].flat(), p.lines[last].flat(); {
	case last == 2 && first && end && !p.lines[1].flat():
		slope, lo, hi = p.lines[1], rw.Scalar(p.knots[0]), rw.Scalar(p.knots[1])
	case last == 1 && first && !end:
		slope, lo = p.lines[1], rw.Scalar(p.knots[0])
	case last == 1 && end && !first:
		slope, hi = p.lines[0], rw.Scalar(p.knots[0])
	default:
		return nil
	}
	if math.Abs(slope.b) <= piecesError*math.Abs(slope.k) {
		slope.b = 0
	}
	if math.Abs(slope.k-1) <= piecesError {
		slope.k = 1
	}
	return scaledOn(rw, rw.Op(ir.Clip, nil, w.base, lo, hi), float32(slope.k), float32(slope.b))
}
