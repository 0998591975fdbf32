package exact

import (
	"math"
	"slices"

	"github.com/billnet/billnet/ir"
	"github.com/billnet/billnet/passes"
	"github.com/billnet/billnet/passes/analysis"
	"github.com/billnet/billnet/passes/report"
)

// maxBoxes bounds the boxes that have thresholds of their own: two 3x3x3 kernels
// on top of each other make 125.
const maxBoxes = 256

// solveBorder finds the thresholds of a chain with a bias by position. Every box
// of positions has thresholds of its own, T[box]: the largest box's, T, hold for
// all once T - T[box] is added to the accumulator. It returns the certificate of
// the largest box, over the range of the sum, and that sum.
func (ch *chain) solveBorder(rw *passes.Rewriter, s analysis.Span) (*report.Certificate, *ir.Value, error) {
	if !ch.base.Is(ir.Affine) || ch.border.boxes() > maxBoxes {
		return nil, nil, nil
	}
	// The expressions are searched beyond the accumulator's range, so that the
	// largest box's threshold is the true one also where only border positions
	// come near it.
	wide := analysis.Span{Lo: make([]int64, ch.c), Hi: make([]int64, ch.c)}
	for c := range ch.c {
		lo, hi := s.At(c)
		reach := 4*(hi-lo) + 64
		wide.Lo[c], wide.Hi[c] = lo-reach, hi+reach
	}
	boxes, main := ch.border.boxes(), ch.border.largest()
	found := make([]*report.Certificate, boxes)
	for b := range boxes {
		cert, err := ch.onBox(b).search(rw.Ctx(), wide)
		if cert == nil || err != nil {
			return nil, nil, err
		}
		found[b] = cert
	}
	cert := found[main]
	falls := ch.falls(0)
	baseSlope := slopes(ch.base, 0)
	shift := &spread{ir.NewTensor(ch.border.t.Type), ch.border.at}
	for c := range cert.Channels {
		p := &cert.Channels[c]
		lo, hi := s.At(c)
		falling := (falls.Int(c) == 1) != (baseSlope[min(c, len(baseSlope)-1)] < 0)
		own, inside := p.Limit(falling)
		first, last := lo, hi
		margin, bound := p.Margin, p.Bound
		for b, other := range found {
			q := &other.Channels[c]
			if q.Margin-q.Bound < margin-bound {
				margin, bound = q.Margin, q.Bound
			}
			t, _ := q.Limit(falling)
			if !inside && t != own {
				return nil, nil, nil // no threshold stands for both
			}
			d := int64(0)
			if inside {
				d = own - min(max(t, lo), hi+1)
				if b == main {
					d = 0
				}
			}
			shift.t.Doubles()[c*boxes+b] = float64(d)
			first, last = min(first, lo+d), max(last, hi+d)
		}
		if first < p.Lo || last > p.Hi {
			return nil, nil, nil
		}
		if !inside {
			own = first
		} else {
			p.Flip = falling
		}
		p.Lo, p.Hi, p.T = first, last, min(max(own, first), last+1)
		p.Margin, p.Bound = margin, bound
	}
	z := ch.z
	if z.Type.DType != ir.I32 {
		z = rw.Op(ir.Cast, map[string]any{"to": "i32"}, z)
	}
	return cert, rw.Op(ir.Add, nil, z, shift.value(rw, ir.I32)), nil
}

// onBox returns the chain on one box of positions.
func (ch *chain) onBox(b int) *chain {
	out := *ch
	out.border = nil
	out.ops = slices.Clone(ch.ops)
	bias := ir.NewTensor(ir.T(ir.F32, ch.c))
	for c := range bias.Floats() {
		bias.Floats()[c] = float32(ch.border.number(c, b))
	}
	old := ch.ops[ch.edge]
	args := []*ir.Value{old.Args[0], ir.NewConst(onAxis(bias, 1, old.In(0).Rank()), old.Loc).Result()}
	n, err := ir.NewNode(ir.Add, args, nil, old.Loc)
	if err != nil {
		panic(err) // the operands are those of an addition
	}
	out.ops[ch.edge] = n
	return &out
}

// maxAbs returns the largest magnitude.
func maxAbs(v []float64) float64 {
	m := 0.0
	for _, x := range v {
		m = max(m, math.Abs(x))
	}
	return m
}
