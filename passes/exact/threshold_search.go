package exact

import (
	"context"
	"fmt"
	"github.com/billnet/billnet/ir"
	"math"

	"github.com/billnet/billnet/passes"
	"github.com/billnet/billnet/passes/analysis"
	"github.com/billnet/billnet/passes/report"
)

// maxChannels bounds the channels of a chain: more have no constants of their own.
const maxChannels = 1 << 17

// maxProbed bounds the values of a chain that are all evaluated; beyond, the proof
// is by monotony.
const maxProbed = 1 << 26

// search finds every channel's threshold. It returns nil when the accumulator
// does not fit 32 bits, and where there are too many channels.
func (ch *chain) search(ctx context.Context, s analysis.Span) (*report.Certificate, error) {
	if ch.c > maxChannels || ch.c == 0 {
		return nil, nil
	}
	source := *ch
	cert := &report.Certificate{Channels: make([]report.ChannelProof, ch.c), Sources: []report.Expression{&source}}
	for i := range cert.Channels {
		p := &cert.Channels[i]
		p.Lo, p.Hi = s.At(i)
		if p.Lo < math.MinInt32 || p.Hi > math.MaxInt32-1 {
			return nil, nil // more than 32 bits
		}
	}
	if ch.base.Is(ir.Affine) {
		cert.Class = passes.Ideal
		return cert, ch.searchReal(ctx, cert)
	}
	return ch.searchFloat(ctx, cert)
}

// searchFloat searches with the source's float32 expression. Each operation of
// the chain is monotone (rounding is, and so are adding, scaling and dividing
// by a constant), hence so is the bit, and a binary search finds the step.
func (ch *chain) searchFloat(ctx context.Context, cert *report.Certificate) (*report.Certificate, error) {
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
	return cert, ch.enumerate(ctx, cert)
}

// enumerate compares the thresholds with the expression: at every value of
// channels up to MaxEnumerated wide, at the ends and around T for the rest.
func (ch *chain) enumerate(ctx context.Context, cert *report.Certificate) error {
	width := int64(2)
	for i := range cert.Channels {
		p := &cert.Channels[i]
		p.Enumerated = p.Hi-p.Lo < min(report.MaxEnumerated, maxProbed/int64(ch.c))
		if p.Enumerated {
			width = max(width, p.Hi-p.Lo+1)
		}
	}
	block := max(1, 1<<18/int64(ch.c))
	for start := int64(0); start < width; start += block {
		if err := ctx.Err(); err != nil {
			return err
		}
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
