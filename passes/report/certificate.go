package report

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/billnet/billnet/ir"
	"github.com/billnet/billnet/passes"
)

// Certificate proves the thresholds of one layer.
type Certificate struct {
	Layer    string
	Class    passes.Class // Exact, or Ideal when the source's float sum has no defined order
	Channels []ChannelProof

	// Thresholds is the constant by which a node finds its certificate.
	Thresholds *ir.Tensor

	// Sources are the source's own expressions, for every channel or one for all:
	// there in the compilation that made the certificate, not in a decoded one.
	Sources []Expression

	// Where channels went since, channel i is the source's moved[i].From; nil: i.
	moved []MovedChannel
}

// Expression is the source's own activation over the accumulators of a layer.
type Expression interface {
	// Channels is how many accumulators it takes.
	Channels() int
	// Bits evaluates it as the interpreter does, in float32, on rows of
	// accumulators z[row][channel], and returns a bit for each.
	Bits(z []int64) ([]int64, error)
	// RealBit is its value for accumulator z of a channel over the real numbers.
	RealBit(channel int, z int64) bool
	// Part is the expression of channels from to from+k.
	Part(from, k int) Expression
}

// MaxEnumerated is the widest accumulator whose every value is evaluated.
const MaxEnumerated = 1 << 16

// MovedChannel says what a channel with accumulator z was in the source: channel
// From, with accumulator z + Shift.
type MovedChannel struct {
	From  int
	Shift int64
}

// Move returns the certificate of thresholds t over accumulators that lost
// channels or constants.
func (c *Certificate) Move(channels []MovedChannel, t *ir.Tensor) *Certificate {
	m := &Certificate{Layer: c.Layer, Class: c.Class, Thresholds: t, Sources: c.Sources}
	for _, k := range channels {
		p := c.Channels[k.From]
		p.Lo, p.Hi, p.T = p.Lo-k.Shift, p.Hi-k.Shift, p.T-k.Shift
		m.Channels = append(m.Channels, p)
		was := c.origin(k.From)
		m.moved = append(m.moved, MovedChannel{was.From, was.Shift + k.Shift})
	}
	return m
}

// origin says what a channel was in the source.
func (c *Certificate) origin(channel int) MovedChannel {
	if c.moved == nil {
		return MovedChannel{From: channel}
	}
	return c.moved[channel]
}

// CertificateOf returns the first of the recorded certificates that is of a node
// with thresholds, or nil.
func CertificateOf(r passes.Records, n *ir.Node) *Certificate {
	t := ThresholdConst(n)
	for _, c := range passes.RecordsOf[Certificate](r) {
		if t != nil && c.Thresholds == t {
			return c
		}
	}
	return nil
}

// certOf is CertificateOf in a list.
func certOf(certs []Certificate, n *ir.Node) *Certificate {
	t := ThresholdConst(n)
	for i := range certs {
		if t != nil && certs[i].Thresholds == t {
			return &certs[i]
		}
	}
	return nil
}

// Certificates returns the recorded certificates of the thresholds that a module
// still has, in its order, each under the name of the layer that applies it.
func Certificates(m *ir.Module, r passes.Records) []Certificate {
	var out []Certificate
	for n := range m.Main().All() {
		if c := CertificateOf(r, n); c != nil {
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

// Equal reports whether two certificates have the same thresholds.
func (c *Certificate) Equal(d *Certificate) bool {
	for i, p := range c.Channels {
		if q := d.Channels[i]; p.T != q.T || p.Flip != q.Flip {
			return false
		}
	}
	return true
}

// Constants returns the operands t and flip of the threshold, and remembers t, in the
// form that a constant keeps, as what the threshold is known by.
func (c *Certificate) Constants() (t, flip *ir.Tensor) {
	n := len(c.Channels)
	t, flip = ir.NewTensor(ir.T(ir.I32, n)), ir.NewTensor(ir.T(ir.Bit, n))
	for i, p := range c.Channels {
		t.Ints()[i] = p.T
		if p.Flip {
			flip.Ints()[i] = 1
		}
	}
	t = t.Compact()
	c.Thresholds = t
	return t, flip
}

// Set records where the bit, first at Lo and last at Hi, changes.
func (p *ChannelProof) Set(first, last, t int64) {
	if first == last {
		p.T, p.Flip = p.Lo, first == 0 // z >= Lo always holds
		return
	}
	p.T, p.Flip = t, first == 1
}

// Bit is what the threshold says for z.
func (p *ChannelProof) Bit(z int64) int64 {
	if (z >= p.T) != p.Flip {
		return 1
	}
	return 0
}

// Part is the certificate of channels from to from+k.
func (c *Certificate) Part(from, k int) *Certificate {
	out := &Certificate{Layer: c.Layer, Class: c.Class, Channels: slices.Clone(c.Channels[from : from+k])}
	for _, ch := range c.Sources {
		out.Sources = append(out.Sources, ch.Part(from, k))
	}
	if len(c.Sources) > 1 {
		out.Sources = out.Sources[from : from+k]
	}
	return out
}

// Limit returns T of a comparison that is turned round when falling, beyond the
// range where the bit is constant, and whether it is within.
func (p *ChannelProof) Limit(falling bool) (t int64, inside bool) {
	if p.T != p.Lo {
		return p.T, true
	}
	if set := !p.Flip; set == falling { // never below T, or always
		return p.Hi + 1, false
	}
	return p.Lo, false
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
	if c.Class == passes.Exact {
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
	for n := range m.Main().All() {
		t := ThresholdConst(n)
		if t == nil {
			continue
		}
		if next == len(certs) || len(certs[next].Channels) != t.Len() {
			return nil, fmt.Errorf("%s (%s): its thresholds do not fit the certificates", n.Loc, n.Op.Name)
		}
		for i, p := range certs[next].Channels {
			if t.Int(i) != p.T {
				return nil, fmt.Errorf("%s (%s): channel %d has threshold %d, its certificate says %d", n.Loc, n.Op.Name, i, t.Int(i), p.T)
			}
		}
		certs[next].Thresholds = t
		next++
	}
	if next != len(certs) {
		return nil, fmt.Errorf("%d certificates for %d thresholded layers", len(certs), next)
	}
	return certs, nil
}

// ThresholdConst returns the constant thresholds that a node applies, or nil.
func ThresholdConst(n *ir.Node) *ir.Tensor {
	switch n.Op {
	case ir.Threshold:
		return ir.ConstOf(n.Args[1])
	case ir.BConv, ir.IConv:
		return ir.ConstOf(n.Arg(2))
	case ir.BLSTM:
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
			if c.Class == passes.Ideal {
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
		c.Class = passes.Class(d.byte())
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
			if c.Class == passes.Ideal {
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
