package kernels

import (
	"encoding/binary"
	"math/bits"
)

// Count is the plan that counts the ones of every channel of a bit map, over all positions or frame by frame.
type Count struct {
	set      *Set
	g        Geom
	perFrame bool
}

func countGeneric(n []int32, src []byte) {
	const ones = 0x0101010101010101
	for ; len(src) >= 8; src = src[8:] {
		x := binary.LittleEndian.Uint64(src)
		if x == 0 {
			continue
		}
		for j := range n {
			n[j] += int32(bits.OnesCount64(x >> j & ones))
		}
	}
	for _, x := range src {
		for j := range n {
			n[j] += int32(x >> j & 1)
		}
	}
}

// NewCount plans the count of a bit map. With perFrame the result is [T][C], else [C].
func NewCount(set *Set, g Geom, perFrame bool) (*Count, error) {
	if set == nil {
		return nil, errNoSet
	}
	if err := g.Check(Bit); err != nil {
		return nil, err
	}
	if int64(g.T)*int64(g.H)*int64(g.W) > maxBytes {
		return nil, errorf("kernels: counts over [%d %d %d] do not fit 32 bits", g.T, g.H, g.W)
	}
	return &Count{set, g, perFrame}, nil
}

// Len is the number of counts.
func (p *Count) Len() int {
	if p.perFrame {
		return p.g.T * p.g.C
	}
	return p.g.C
}

// Run writes the counts of one part of the channels.
func (p *Count) Run(stage, part, parts int, dst []int32, src []byte) {
	src, dst = src[:p.g.Bytes(Bit)], dst[:p.Len()]
	g := p.g
	lo, hi := share(ceilDiv(g.C, 8), part, parts)
	frames, perSrc := 1, g.PlaneStride() // the zeros of a plane count nothing
	if p.perFrame {
		frames, perSrc = g.T, g.Frame()
	}
	rows := g.PH * g.PW
	for b := lo; b < hi; b++ {
		for t := range frames {
			n := dst[t*g.C+8*b:][:min(8, g.C-8*b)]
			clear(n)
			if p.perFrame {
				at := g.Plane((b*g.PT+t%g.PT)*rows) + t/g.PT*g.Frame()
				for i := range rows {
					p.set.count(n, src[at+i*g.PlaneStride():][:perSrc])
				}
			} else {
				at := g.Plane(b * g.Phases())
				p.set.count(n, src[at:at+g.Phases()*perSrc])
			}
		}
	}
}
