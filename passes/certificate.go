package passes

import (
	"math"

	"github.com/billnet/billnet/ir"
)

// Certificate proves the thresholds of one layer.
type Certificate struct {
	Layer    string
	Class    Class // Exact, or Ideal when the source's float sum has no defined order
	Channels []ChannelProof

	t *ir.Tensor // the thresholds' constant, by which a node finds its certificate
}

// certOf returns the certificate of a node with thresholds, or nil.
func certOf(certs []Certificate, n *ir.Node) *Certificate {
	for i := range certs {
		for _, a := range n.Args {
			if c := ir.ConstOf(a); c != nil && c == certs[i].t {
				return &certs[i]
			}
		}
	}
	return nil
}

// attachCertificates keeps the certificates of the thresholds that a module
// still has, in its order, each under the name of the layer that applies it.
func attachCertificates(m *ir.Module, certs []Certificate) []Certificate {
	var out []Certificate
	for _, n := range m.Main().Nodes {
		if c := certOf(certs, n); c != nil {
			k := *c
			k.Layer = n.Loc.Name
			out = append(out, k)
		}
	}
	return out
}

// ChannelProof is the proof of one channel's threshold: the accumulator z lies
// in Lo..Hi whatever the input, and bit(z) = (z >= T) != Flip there.
type ChannelProof struct {
	Lo, Hi     int64
	T          int64
	Flip       bool
	Enumerated bool // every z in Lo..Hi was evaluated; otherwise monotony and the values at T-1 and T

	// For class Ideal, in units of z: the distance of the real tie point from
	// the nearest integer, and a bound of the rounding error of the source's
	// own float32 sum. Where Bound > Margin the source may round to the other
	// side of the tie.
	Margin, Bound float64
}

// AtRisk counts the channels whose rounding bound exceeds their margin.
func (c *Certificate) AtRisk() int {
	n := 0
	for _, p := range c.Channels {
		if p.Bound > p.Margin {
			n++
		}
	}
	return n
}

// MinMargin returns the smallest distance to a tie, +Inf for an exact layer.
func (c *Certificate) MinMargin() float64 {
	m := math.Inf(1)
	if c.Class == Exact {
		return m
	}
	for _, p := range c.Channels {
		m = min(m, p.Margin)
	}
	return m
}
