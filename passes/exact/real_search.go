package exact

import (
	"context"
	"math"
	"math/big"

	"github.com/billnet/billnet/ir"
	"github.com/billnet/billnet/passes/report"
)

// realPrec is the precision of the search over the real numbers, in bits. A
// value smaller than 2^-realTie relative to its terms is a tie: only a square
// root or a quotient can be inexact at all, and not by that little.
const (
	realPrec = 512
	realTie  = 400
)

// searchReal searches with the chain's value over the real numbers.
func (ch *chain) searchReal(ctx context.Context, cert *report.Certificate) error {
	for i := range cert.Channels {
		if err := ctx.Err(); err != nil {
			return err
		}
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
	v := real(float64(z))
	base := link{ch.base, 0, c}
	v.Mul(v, real(base.at(1))).Quo(v, real(base.at(2))).Add(v, real(base.at(3)))
	for k, op := range ch.ops {
		v = chainOps[op.Op].real(link{op, ch.which[k], c}, v)
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

// tie is the value at which the activation changes, and whether the
// value itself still has the lower bit.
func (a *activation) tie() (at *big.Float, strict bool) {
	if a.step != nil {
		return real(0), a.step.Bool("strict")
	}
	switch {
	case a.grid[0].Is(ir.Floor), a.grid[0].Is(ir.Cast) && a.level > 0: // from the level on
		return real(float64(a.level)), false
	case a.grid[0].Is(ir.Ceil), a.grid[0].Is(ir.Cast): // above the level before
		return real(float64(a.level - 1)), true
	}
	// round(x/scale) >= level from x = (level - 1/2)*scale on; halves go to even.
	s := real(ir.ConstOf(a.grid[0].Args[1]).Float(0))
	return s.Mul(s, real(float64(a.level)-0.5)), a.level%2 != 0
}

// RealBit is the activation at z in a channel over the real numbers.
func (ch *chain) RealBit(channel int, z int64) bool { return ch.realBit(ch.realValue(channel, z)) }

// realBit is the activation of a real value.
func (a *activation) realBit(v *big.Float) bool {
	at, strict := a.tie()
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
