package kernels

import "encoding/binary"

// Load is the plan that stores a dense u8 clip [C][T][H][W] as U8 planes.
type Load struct {
	m mover
	g Geom
}

// NewLoad plans the load of a clip into geometry out.
func NewLoad(set *Set, out Geom) (*Load, error) {
	if set == nil {
		return nil, errNoSet
	}
	if err := out.Check(U8); err != nil {
		return nil, err
	}
	return &Load{m: mover{set: set, dst: out.strided(U8), src: denseStrided(out), e: 1}, g: out}, nil
}

// Run loads one part; src holds C*T*H*W bytes.
func (p *Load) Run(stage, part, parts int, dst, src []byte) {
	dst, src = dst[:p.g.Bytes(U8)], src[:p.g.C*p.g.T*p.g.H*p.g.W]
	if part == 0 {
		clearEnds(dst, p.g, U8)
	}
	lo, hi := share(p.m.work(), part, parts)
	p.m.run(lo, hi, dst, src)
}

// Pack is the plan that stores dense bits, one byte 0 or 1 an element of [C][T][H][W], as a bit map, and back.
type Pack struct{ g Geom }

// NewPack plans both directions for geometry g.
func NewPack(g Geom) (*Pack, error) {
	if err := g.Check(Bit); err != nil {
		return nil, err
	}
	return &Pack{g}, nil
}

// Run packs one part of the channels. A source byte other than 0 is a set bit; with signed, one above 0 is.
func (p *Pack) Run(part, parts int, dst, src []byte, signed bool) {
	g := p.g
	positions := g.T * g.H * g.W
	dst, src = dst[:g.Bytes(Bit)], src[:g.C*positions]
	lo, hi := share(ceilDiv(g.C, 8), part, parts)
	if part == 0 {
		clearEnds(dst, g, Bit)
	}
	clear(dst[g.Plane(lo*g.Phases()):g.Plane(hi*g.Phases())])
	var tile [256]byte
	for b := lo; b < hi; b++ {
		for from := 0; from < positions; from += len(tile) {
			bits := tile[:min(len(tile), positions-from)]
			clear(bits)
			for c := 8 * b; c < min(8*b+8, g.C); c++ {
				orBits(bits, src[c*positions+from:], uint(c%8), signed)
			}
			g.PutBytes(dst, b, from, bits)
		}
	}
}

// orBits sets a bit of every byte whose source byte is set.
func orBits(dst, src []byte, bit uint, signed bool) {
	const ones, low = 0x0101010101010101, 0x7F7F7F7F7F7F7F7F
	src = src[:len(dst)]
	negative := uint64(0)
	if signed {
		negative = ones
	}
	i := 0
	for ; i+8 <= len(dst); i += 8 {
		x := binary.LittleEndian.Uint64(src[i:])
		set := (x&low + low | x) >> 7 & ones &^ (x >> 7 & negative)
		binary.LittleEndian.PutUint64(dst[i:], binary.LittleEndian.Uint64(dst[i:])|set<<bit)
	}
	for ; i < len(dst); i++ {
		if src[i] != 0 && (!signed || src[i] < 128) {
			dst[i] |= 1 << bit
		}
	}
}

// Unpack writes one part of the channels of a bit map as dense bytes 0 or 1.
func (p *Pack) Unpack(part, parts int, dst, src []byte) {
	g := p.g
	src, dst = src[:g.Bytes(Bit)], dst[:g.C*g.T*g.H*g.W]
	lo, hi := share(g.C, part, parts)
	stride := g.PlaneStride()
	for c := lo; c < hi; c++ {
		eachRow(g, c, func(at, step, from int) {
			for off := range step {
				dst[from+off] = src[at+off%g.PW*stride+off/g.PW] >> (c % 8) & 1
			}
		})
	}
}

// eachRow calls f for every logical row of channel c of a bit map: the byte of its first element, its length, and the
// index of its first element in a dense array.
func eachRow(g Geom, c int, f func(at, n, dense int)) {
	for t := range g.T {
		for h := range g.H {
			at, _ := g.Index(Bit, c, t, h, 0)
			f(at, g.W, ((c*g.T+t)*g.H+h)*g.W)
		}
	}
}
