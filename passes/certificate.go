package passes

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"github.com/billnet/billnet/ir"
)

// Certificate proves the thresholds of one layer.
type Certificate struct {
	Layer    string
	Class    Class // Exact, or Ideal when the source's float sum has no defined order
	Channels []ChannelProof

	t *ir.Tensor // the thresholds' constant, by which a node finds its certificate

	// The source's own expressions, for every channel or one for all: there in
	// the compilation that made the certificate, not in a decoded one.
	sources []*chain

	// Where channels went since, channel i is the source's moved[i].from; nil: i.
	moved []movedChannel
}

// movedChannel says what a channel with accumulator z was in the source: channel
// from, with accumulator z + shift.
type movedChannel struct {
	from  int
	shift int64
}

// move returns the certificate of thresholds t over accumulators that lost
// channels or constants.
func (c *Certificate) move(channels []movedChannel, t *ir.Tensor) Certificate {
	m := Certificate{Layer: c.Layer, Class: c.Class, t: t, sources: c.sources}
	for _, k := range channels {
		p := c.Channels[k.from]
		p.Lo, p.Hi, p.T = p.Lo-k.shift, p.Hi-k.shift, p.T-k.shift
		m.Channels = append(m.Channels, p)
		was := c.origin(k.from)
		m.moved = append(m.moved, movedChannel{was.from, was.shift + k.shift})
	}
	return m
}

// origin says what a channel was in the source.
func (c *Certificate) origin(channel int) movedChannel {
	if c.moved == nil {
		return movedChannel{from: channel}
	}
	return c.moved[channel]
}

// certOf returns the certificate of a node with thresholds, or nil.
func certOf(certs []Certificate, n *ir.Node) *Certificate {
	t := thresholdConst(n)
	for i := range certs {
		if t != nil && certs[i].t == t {
			return &certs[i]
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
	// own float32 expression; in units of the expression's value where that is
	// the same for every z. Where Bound > Margin the source may round to the
	// other side of the tie.
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

// Reattach finds the thresholds that decoded certificates speak of: the module
// applies them in the certificates' order. It fails when they do not fit.
func Reattach(m *ir.Module, certs []Certificate) ([]Certificate, error) {
	next := 0
	for _, n := range m.Main().Nodes {
		t := thresholdConst(n)
		if t == nil {
			continue
		}
		if next == len(certs) || len(certs[next].Channels) != t.Len() {
			return nil, fmt.Errorf("%s (%s): its thresholds do not fit the certificates", n.Loc, n.Op.Name)
		}
		for i, p := range certs[next].Channels {
			if t.I[i] != p.T {
				return nil, fmt.Errorf("%s (%s): channel %d has threshold %d, its certificate says %d", n.Loc, n.Op.Name, i, t.I[i], p.T)
			}
		}
		certs[next].t = t
		next++
	}
	if next != len(certs) {
		return nil, fmt.Errorf("%d certificates for %d thresholded layers", len(certs), next)
	}
	return certs, nil
}

// thresholdConst returns the constant thresholds that a node applies, or nil.
func thresholdConst(n *ir.Node) *ir.Tensor {
	switch n.Op.Name {
	case "threshold":
		return ir.ConstOf(n.Args[1])
	case "bconv", "iconv":
		return ir.ConstOf(n.Arg(2))
	case "blstm":
		return ir.ConstOf(n.Args[3])
	}
	return nil
}

// The flags of an encoded channel.
const (
	certFlip = 1 << iota
	certEnumerated
	certSameRange // Lo and Hi are those of the channel before, or 0 and 0
)

// EncodeCertificates writes certificates as the bytes that an artifact stores:
// numbers as varints, margins and bounds rounded to float32.
func EncodeCertificates(certs []Certificate) []byte {
	out := binary.AppendUvarint(nil, uint64(len(certs)))
	for _, c := range certs {
		out = binary.AppendUvarint(out, uint64(len(c.Layer)))
		out = append(out, c.Layer...)
		out = append(out, byte(c.Class))
		out = binary.AppendUvarint(out, uint64(len(c.Channels)))
		var lo, hi int64
		for _, p := range c.Channels {
			var flags byte
			if p.Flip {
				flags |= certFlip
			}
			if p.Enumerated {
				flags |= certEnumerated
			}
			if p.Lo == lo && p.Hi == hi {
				flags |= certSameRange
			}
			out = append(out, flags)
			if flags&certSameRange == 0 {
				lo, hi = p.Lo, p.Hi
				out = binary.AppendVarint(out, lo)
				out = binary.AppendVarint(out, hi)
			}
			out = binary.AppendVarint(out, p.T)
			if c.Class == Ideal {
				out = binary.LittleEndian.AppendUint32(out, math.Float32bits(float32(p.Margin)))
				out = binary.LittleEndian.AppendUint32(out, math.Float32bits(float32(p.Bound)))
			}
		}
	}
	return out
}

// DecodeCertificates is the inverse of EncodeCertificates.
func DecodeCertificates(data []byte) ([]Certificate, error) {
	d := certReader{data: data}
	certs := make([]Certificate, d.count(3))
	for i := range certs {
		c := &certs[i]
		c.Layer = string(d.take(d.count(1)))
		c.Class = Class(d.byte())
		c.Channels = make([]ChannelProof, d.count(2))
		var lo, hi int64
		for j := range c.Channels {
			p := &c.Channels[j]
			flags := d.byte()
			p.Flip, p.Enumerated = flags&certFlip != 0, flags&certEnumerated != 0
			if flags&certSameRange == 0 {
				lo, hi = d.varint(), d.varint()
			}
			p.Lo, p.Hi, p.T = lo, hi, d.varint()
			if c.Class == Ideal {
				p.Margin, p.Bound = d.float(), d.float()
			}
		}
	}
	if d.bad || len(d.data) > 0 {
		return nil, errors.New("the certificate is damaged")
	}
	return certs, nil
}

// certReader reads the certificate's bytes; after the first fault it gives zeros.
type certReader struct {
	data []byte
	bad  bool
}

// count reads the length of a list whose elements take at least size bytes.
func (d *certReader) count(size int) int {
	n, k := binary.Uvarint(d.data)
	if k <= 0 || n > uint64(len(d.data)/size) {
		d.bad = true
		return 0
	}
	d.data = d.data[k:]
	return int(n)
}

func (d *certReader) take(n int) []byte {
	if n > len(d.data) {
		d.bad = true
		return make([]byte, n)
	}
	b := d.data[:n]
	d.data = d.data[n:]
	return b
}

func (d *certReader) byte() byte { return d.take(1)[0] }

func (d *certReader) varint() int64 {
	v, k := binary.Varint(d.data)
	if k <= 0 {
		d.bad = true
		return 0
	}
	d.data = d.data[k:]
	return v
}

func (d *certReader) float() float64 {
	return float64(math.Float32frombits(binary.LittleEndian.Uint32(d.take(4))))
}
