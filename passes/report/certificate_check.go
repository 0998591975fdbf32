package report

import (
	"fmt"
	"slices"

	"github.com/billnet/billnet/passes"
)

// A certificate is checked again without the search that made it: the claimed
// threshold of every channel is compared with the source's own expression,
// evaluated value by value.

// LayerCheck is the result of checking one layer's certificate.
type LayerCheck struct {
	Layer      string         `json:"layer"`
	Class      string         `json:"class"`
	Channels   int            `json:"channels"`
	Enumerated int            `json:"enumerated"` // channels of which every accumulator value was evaluated
	Proved     int            `json:"proved"`     // the others: the ends, T-1, T and samples of a monotone expression
	Margin     float64        `json:"margin,omitempty"`
	AtRisk     int            `json:"at_risk,omitempty"`
	Faults     []ChannelFault `json:"faults,omitempty"`
}

// ChannelFault says what is wrong with one channel; Channel is -1 for what
// concerns the whole layer.
type ChannelFault struct {
	Channel int    `json:"channel"`
	Fault   string `json:"fault"`
}

// Report adds a fault.
func (l *LayerCheck) Report(channel int, format string, args ...any) {
	l.Faults = append(l.Faults, ChannelFault{channel, fmt.Sprintf(format, args...)})
}

// Samples of the accumulator beside its ends and the threshold: of a float32
// expression of a channel too wide to be enumerated, and of all channels of a
// layer together where the expression is evaluated over the real numbers, which
// takes a thousand times as long.
const (
	floatSamples = 256
	realSamples  = 1 << 14
)

// Check evaluates the source's expression of every channel of c, a certificate
// that this compilation made, and compares it with the claims of another
// certificate of the same layer: class, ranges, thresholds and directions.
func (c *Certificate) Check(claim *Certificate) (*LayerCheck, error) {
	l := &LayerCheck{Layer: c.Layer, Class: c.Class.String(), Channels: len(c.Channels), AtRisk: c.AtRisk()}
	if c.Class == passes.Ideal {
		l.Margin = c.MinMargin()
	}
	if len(claim.Channels) != len(c.Channels) {
		l.Report(-1, "the certificate has %d channels, the source %d", len(claim.Channels), len(c.Channels))
		return l, nil
	}
	if claim.Class != c.Class {
		l.Report(-1, "the certificate says %s, the source's expression is %s", claim.Class, c.Class)
	}
	if len(c.Sources) == 0 {
		return nil, fmt.Errorf("BUG: layer %q: its certificate was not made by this compilation", c.Layer)
	}
	for i, p := range claim.Channels {
		if own := c.Channels[i]; p.Lo > own.Lo || p.Hi < own.Hi {
			l.Report(i, "the accumulator lies in %d..%d, the certificate says %d..%d", own.Lo, own.Hi, p.Lo, p.Hi)
		}
	}
	check := c.checkFloat
	if c.Class == passes.Ideal {
		check = c.checkReal
	}
	return l, check(l, claim)
}

// source returns the expression of a channel.
func (c *Certificate) source(channel int) Expression {
	return c.Sources[min(c.origin(channel).From, len(c.Sources)-1)]
}

// spread gives rows of accumulators the source's n channels; those that are gone
// are 0.
func (c *Certificate) spread(z []int64, n int) []int64 {
	if c.moved == nil {
		return z
	}
	out := make([]int64, len(z)/len(c.moved)*n)
	for i, x := range z {
		k := c.moved[i%len(c.moved)]
		out[i/len(c.moved)*n+k.From] = x + k.Shift
	}
	return out
}

// gather takes the certificate's channels from rows of the source's n.
func (c *Certificate) gather(bits []int64, n int) []int64 {
	if c.moved == nil {
		return bits
	}
	out := make([]int64, len(bits)/n*len(c.moved))
	for i := range out {
		out[i] = bits[i/len(c.moved)*n+c.moved[i%len(c.moved)].From]
	}
	return out
}

// checkFloat evaluates the interpreter's float32 expression.
func (c *Certificate) checkFloat(l *LayerCheck, claim *Certificate) error {
	values := make([][]int64, len(c.Channels))
	most := 0
	for i, p := range c.Channels {
		values[i] = probes(p.Lo, p.Hi, claim.Channels[i].T, MaxEnumerated, floatSamples)
		most = max(most, len(values[i]))
		l.count(p, values[i])
	}
	bad := make([]bool, len(c.Channels))
	n := len(c.Channels)
	block := max(1, 1<<18/n)
	for start := 0; start < most; start += block {
		rows := min(block, most-start)
		z := make([]int64, rows*n)
		for i := range z {
			v := values[i%n]
			z[i] = v[min(start+i/n, len(v)-1)]
		}
		bits, err := c.probe(z)
		if err != nil {
			return err
		}
		for i, b := range bits {
			if ch := i % n; !bad[ch] && claim.Channels[ch].Bit(z[i]) != b {
				bad[ch] = true
				l.disagree(ch, &claim.Channels[ch], z[i], b)
			}
		}
	}
	return nil
}

// probe evaluates the expressions of all channels on rows of accumulators.
func (c *Certificate) probe(z []int64) ([]int64, error) {
	var out []int64
	var done []Expression
	for i, ch := range c.Sources {
		if slices.Contains(done, ch) {
			continue
		}
		done = append(done, ch)
		bits, err := ch.Bits(c.spread(z, ch.Channels()))
		if err != nil {
			return nil, err
		}
		bits = c.gather(bits, ch.Channels())
		if i == 0 {
			out = bits
			continue
		}
		for k := range bits {
			if c.source(k%len(c.Channels)) == ch {
				out[k] = bits[k]
			}
		}
	}
	return out, nil
}

// checkReal evaluates the expression over the real numbers.
func (c *Certificate) checkReal(l *LayerCheck, claim *Certificate) error {
	samples := int64(max(8, realSamples/len(c.Channels)))
	for i, p := range c.Channels {
		src, was := c.source(i), c.origin(i)
		values := probes(p.Lo, p.Hi, claim.Channels[i].T, samples, samples)
		l.count(p, values)
		for _, z := range values {
			b := int64(0)
			if src.RealBit(was.From, z+was.Shift) {
				b = 1
			}
			if claim.Channels[i].Bit(z) != b {
				l.disagree(i, &claim.Channels[i], z, b)
				break
			}
		}
	}
	return nil
}

func (l *LayerCheck) count(p ChannelProof, values []int64) {
	if int64(len(values)) == p.Hi-p.Lo+1 {
		l.Enumerated++
	} else {
		l.Proved++
	}
}

func (l *LayerCheck) disagree(channel int, p *ChannelProof, z, bit int64) {
	l.Report(channel, "the threshold z >= %d (flip %v) gives %d at z = %d, the source's expression %d", p.T, p.Flip, p.Bit(z), z, bit)
}

// probes returns the accumulator values to evaluate, in order: all of lo..hi
// where there are at most limit, else the ends, T-1 and T where they lie inside,
// and samples between.
func probes(lo, hi, t, limit, samples int64) []int64 {
	var v []int64
	if hi-lo < limit {
		for z := lo; z <= hi; z++ {
			v = append(v, z)
		}
		return v
	}
	for i := range samples {
		v = append(v, lo+(hi-lo)/(samples-1)*i)
	}
	for _, z := range []int64{hi, t - 1, t} {
		if z >= lo && z <= hi {
			v = append(v, z)
		}
	}
	slices.Sort(v)
	return slices.Compact(v)
}
