package kernels

import "fmt"

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

// Stages is 1.
func (p *Load) Stages() int { return 1 }

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

// Run packs one part of the channels. A source byte other than 0 is a set bit.
func (p *Pack) Run(part, parts int, dst, src []byte) {
	g := p.g
	dst, src = dst[:g.Bytes(Bit)], src[:g.C*g.T*g.H*g.W]
	lo, hi := share(ceilDiv(g.C, 8), part, parts)
	if part == 0 {
		clearEnds(dst, g, Bit)
	}
	clear(dst[g.Plane(lo*g.Phases()):g.Plane(hi*g.Phases())])
	for c := 8 * lo; c < min(8*hi, g.C); c++ {
		eachRow(g, c, func(at, step, from int) {
			bit := byte(1) << (c % 8)
			for i, off := from, 0; i < from+step; i, off = i+1, off+1 {
				if src[i] != 0 {
					dst[at+off%g.PW*g.PlaneStride()+off/g.PW] |= bit
				}
			}
		})
	}
}

// Unpack writes one part of the channels of a bit map as dense bytes 0 or 1.
func (p *Pack) Unpack(part, parts int, dst, src []byte) {
	g := p.g
	src, dst = src[:g.Bytes(Bit)], dst[:g.C*g.T*g.H*g.W]
	lo, hi := share(g.C, part, parts)
	for c := lo; c < hi; c++ {
		eachRow(g, c, func(at, step, from int) {
			for off := range step {
				dst[from+off] = src[at+off%g.PW*g.PlaneStride()+off/g.PW] >> (c % 8) & 1
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

// Dense is the plan that converts between an integer map and a dense []int32 [C][T][H][W].
type Dense struct {
	g Geom
	e Elem
}

// NewDense plans both directions for a map of elements e (U8, I8, I16 or I32).
func NewDense(g Geom, e Elem) (*Dense, error) {
	if e == Bit {
		return nil, fmt.Errorf("kernels: dense integers of a bit map: use Pack")
	}
	if err := g.Check(e); err != nil {
		return nil, err
	}
	return &Dense{g, e}, nil
}

// Store writes one part of the channels of a map from dense integers, which must fit its elements.
func (p *Dense) Store(part, parts int, dst []byte, src []int32) {
	g := p.g
	dst, src = dst[:g.Bytes(p.e)], src[:g.C*g.T*g.H*g.W]
	lo, hi := share(g.C, part, parts)
	if part == 0 {
		clearEnds(dst, g, p.e)
	}
	clear(dst[g.Plane(lo*g.Phases())*p.e.Size() : g.Plane(hi*g.Phases())*p.e.Size()])
	switch p.e {
	case U8:
		denseRows(g, lo, hi, func(at, i int) { dst[at] = byte(src[i]) })
	case I8:
		denseRows(g, lo, hi, func(at, i int) { dst[at] = byte(src[i]) })
	case I16:
		d := view16(dst)
		denseRows(g, lo, hi, func(at, i int) { d[at] = int16(src[i]) })
	default:
		d := view32(dst)
		denseRows(g, lo, hi, func(at, i int) { d[at] = src[i] })
	}
}

// Load writes one part of the channels of a map to dense integers.
func (p *Dense) Load(part, parts int, dst []int32, src []byte) {
	g := p.g
	src, dst = src[:g.Bytes(p.e)], dst[:g.C*g.T*g.H*g.W]
	lo, hi := share(g.C, part, parts)
	switch p.e {
	case U8:
		denseRows(g, lo, hi, func(at, i int) { dst[i] = int32(src[at]) })
	case I8:
		denseRows(g, lo, hi, func(at, i int) { dst[i] = int32(int8(src[at])) })
	case I16:
		s := view16(src)
		denseRows(g, lo, hi, func(at, i int) { dst[i] = int32(s[at]) })
	default:
		s := view32(src)
		denseRows(g, lo, hi, func(at, i int) { dst[i] = s[at] })
	}
}

// denseRows calls f with the element in the map and in the dense array of every logical element of channels lo to hi-1.
func denseRows(g Geom, lo, hi int, f func(at, dense int)) {
	stride := g.PlaneStride()
	for c := lo; c < hi; c++ {
		for t := range g.T {
			for h := range g.H {
				at, _ := g.Index(U8, c, t, h, 0)
				dense := ((c*g.T+t)*g.H + h) * g.W
				for w := range g.W {
					f(at+w%g.PW*stride+w/g.PW, dense+w)
				}
			}
		}
	}
}
