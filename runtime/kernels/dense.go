package kernels

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

// Run packs one part of the channels. A source byte other than 0 is a set bit.
func (p *Pack) Run(part, parts int, dst, src []byte) {
	g := p.g
	dst, src = dst[:g.Bytes(Bit)], src[:g.C*g.T*g.H*g.W]
	lo, hi := share(ceilDiv(g.C, 8), part, parts)
	if part == 0 {
		clearEnds(dst, g, Bit)
	}
	clear(dst[g.Plane(lo*g.Phases()):g.Plane(hi*g.Phases())])
	stride := g.PlaneStride()
	for c := 8 * lo; c < min(8*hi, g.C); c++ {
		eachRow(g, c, func(at, step, from int) {
			bit := byte(1) << (c % 8)
			for i, off := from, 0; i < from+step; i, off = i+1, off+1 {
				if src[i] != 0 {
					dst[at+off%g.PW*stride+off/g.PW] |= bit
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
