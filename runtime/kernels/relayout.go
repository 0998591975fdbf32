package kernels

import (
	"encoding/binary"
)

// strided says where the elements of a map lie: a Geom, or a dense array as one phase without halo.
type strided struct {
	base, plane, frame, pitch int // elements
	pt, ph, pw                int
	c, t, h, w                int
	dense                     bool
}

func (g Geom) strided(e Elem) strided {
	s := strided{base: g.Lead(), plane: g.PlaneStride(), frame: g.Frame(), pitch: g.Pitch(), pt: g.PT, ph: g.PH, pw: g.PW, c: g.C, t: g.T, h: g.H, w: g.W}
	if e == Bit {
		s.c = ceilDiv(g.C, 8)
	}
	return s
}

func denseStrided(g Geom) strided {
	return strided{plane: g.T * g.H * g.W, frame: g.H * g.W, pitch: g.W, pt: 1, ph: 1, pw: 1, c: g.C, t: g.T, h: g.H, w: g.W, dense: true}
}

// row is the element at which the logical row (c,t,h) of phase rw begins.
func (s *strided) row(c, t, h, rw int) int {
	plane := ((c*s.pt+t%s.pt)*s.ph+h%s.ph)*s.pw + rw
	return s.base + plane*s.plane + t/s.pt*s.frame + h/s.ph*s.pitch
}

// frames is the number of stored frames of a plane.
func (s *strided) frames() int { return ceilDiv(s.t, s.pt) }

// moveRow copies one phase row: n elements dst[i] = src logical element rw + i*dpw, where the source row is split in spw
// phases that lie sp elements apart, the first at src[0].
func moveRow[T any](dst, src []T, n, rw, dpw, spw, sp int) {
	switch {
	case spw == dpw:
		copy(dst[:n], src[rw*sp:][:n])
	case spw == 1:
		for i := range n {
			dst[i] = src[rw+i*dpw]
		}
	default:
		for i := range n {
			x := rw + i*dpw
			dst[i] = src[x%spw*sp+x/spw]
		}
	}
}

// split2Generic separates even from odd bytes, 8 at a time.
func split2Generic(even, odd, src []byte) {
	i := 0
	for ; i+8 <= len(src) && i/2+4 <= len(odd); i += 8 {
		x := binary.LittleEndian.Uint64(src[i:])
		binary.LittleEndian.PutUint32(even[i/2:], squeeze(x))
		binary.LittleEndian.PutUint32(odd[i/2:], squeeze(x>>8))
	}
	for ; i < len(src); i++ {
		if i%2 == 0 {
			even[i/2] = src[i]
		} else {
			odd[i/2] = src[i]
		}
	}
}

// squeeze gathers bytes 0, 2, 4, 6 of x.
func squeeze(x uint64) uint32 {
	x &= 0x00FF00FF00FF00FF
	x = (x | x>>8) & 0x0000FFFF0000FFFF
	return uint32(x | x>>16)
}

// mover copies a map from one layout to another, element by element.
type mover struct {
	set      *Set
	dst, src strided
	e        int // bytes of an element
	// complement also writes, as channels c..2c-1, the complement of every logical element; last masks the last channel.
	complement bool
	last       byte
}

// work is the number of independent work items: the stored frames of all destination planes of a channel and their h, w phases.
func (m *mover) work() int {
	ts := m.dst.frames()
	return m.dst.c * m.dst.pt * ts
}

// run moves work items lo to hi.
func (m *mover) run(lo, hi int, dst, src []byte) {
	d := &m.dst
	ts := d.frames()
	for i := lo; i < hi; i++ {
		c, rt, st := i/ts/d.pt, i/ts%d.pt, i%ts
		for rh := range d.ph {
			m.frame(dst, src, c, rt, rh, st)
		}
	}
}

// frame moves stored frame st of the planes of phases rt, rh and channel c, and zeroes what follows each row.
func (m *mover) frame(dst, src []byte, c, rt, rh, st int) {
	d, s := &m.dst, &m.src
	ts := d.frames()
	t := st*d.pt + rt
	nh := ceilDiv(max(0, d.h-rh), d.ph)
	if t >= d.t {
		nh = 0
	}
	e := m.e
	base := d.base + (((c*d.pt+rt)*d.ph+rh)*d.pw)*d.plane + st*d.frame
	frameEnd := base + d.frame
	if st == ts-1 {
		frameEnd = base - st*d.frame + d.plane
	}
	for sh := range nh {
		h := sh*d.ph + rh
		from := src[s.row(c, t, h, 0)*e:]
		at := base + sh*d.pitch
		end := at + d.pitch
		if sh == nh-1 {
			end = frameEnd
		}
		if d.pw == 2 && s.pw == 1 && e == 1 {
			n0, n1 := (d.w+1)/2, d.w/2
			m.set.split2(dst[at:at+n0], dst[at+d.plane:at+d.plane+n1], from[:d.w])
		} else {
			for rw := range d.pw {
				n := ceilDiv(max(0, d.w-rw), d.pw)
				to := dst[(at+rw*d.plane)*e:]
				switch e {
				case 1:
					moveRow(to, from, n, rw, d.pw, s.pw, s.plane)
				case 2:
					moveRow(view16(to), view16(from), n, rw, d.pw, s.pw, s.plane)
				default:
					moveRow(view32(to), view32(from), n, rw, d.pw, s.pw, s.plane)
				}
			}
		}
		for rw := range d.pw {
			n := ceilDiv(max(0, d.w-rw), d.pw)
			row := dst[(at+rw*d.plane)*e : (end+rw*d.plane)*e]
			if !d.dense {
				clear(row[n*e:])
			}
			if m.complement {
				m.invert(dst[(at+rw*d.plane+d.c*d.pt*d.ph*d.pw*d.plane)*e:][:len(row)], row, n, c)
			}
		}
	}
	if nh == 0 && !d.dense {
		for rw := range d.pw {
			clear(dst[(base+rw*d.plane)*e : (frameEnd+rw*d.plane)*e])
			if m.complement {
				clear(dst[(base+(rw+d.c*d.pt*d.ph*d.pw)*d.plane)*e : (frameEnd+(rw+d.c*d.pt*d.ph*d.pw)*d.plane)*e])
			}
		}
	}
}

// invert writes the complement of n bytes of row and zeroes the rest of dst.
func (m *mover) invert(dst, row []byte, n, c int) {
	mask := byte(0xFF)
	if c == m.dst.c-1 {
		mask = m.last
	}
	i, word := 0, uint64(mask)*0x0101010101010101
	for ; i+8 <= n; i += 8 {
		binary.LittleEndian.PutUint64(dst[i:], ^binary.LittleEndian.Uint64(row[i:])&word)
	}
	for ; i < n; i++ {
		dst[i] = ^row[i] & mask
	}
	clear(dst[n:])
}

// Relayout copies a map between two geometries of the same logical shape: other halos, other phases.
type Relayout struct {
	m       mover
	in, out Geom
	elem    Elem
}

// NewRelayout plans the copy of a map of elements e.
func NewRelayout(set *Set, in, out Geom, e Elem) (*Relayout, error) {
	if set == nil {
		return nil, errNoSet
	}
	if err := checkPair(in, e, out, e); err != nil {
		return nil, err
	}
	return &Relayout{m: mover{set: set, dst: out.strided(e), src: in.strided(e), e: e.Size()}, in: in, out: out, elem: e}, nil
}

// checkPair validates two maps that must have the same logical shape.
func checkPair(in Geom, ie Elem, out Geom, oe Elem) error {
	if err := checkMaps(in, ie, out, oe); err != nil {
		return err
	}
	if in.C != out.C || in.T != out.T || in.H != out.H || in.W != out.W {
		return errorf("kernels: input [%d %d %d %d] and output [%d %d %d %d] differ in shape", in.C, in.T, in.H, in.W, out.C, out.T, out.H, out.W)
	}
	return nil
}

// Stages is 1.
func (r *Relayout) Stages() int { return 1 }

// Scratch is 0.
func (r *Relayout) Scratch(parts int) int { return 0 }

// Run copies a part of src to dst.
func (r *Relayout) Run(stage, part, parts int, dst, src, scratch []byte) {
	dst, src = dst[:r.out.Bytes(r.elem)], src[:r.in.Bytes(r.elem)]
	if part == 0 {
		clearEnds(dst, r.out, r.elem)
	}
	lo, hi := share(r.m.work(), part, parts)
	r.m.run(lo, hi, dst, src)
}

// prep is the first stage of plans whose input lacks the phases that the taps need, or that read its complement too.
type prep struct {
	m    mover
	to   Geom // with twice the channels, rounded up to bytes, when the complement is stored
	elem Elem
}

func newPrep(set *Set, in, to Geom, e Elem, complement bool) (*prep, error) {
	p := &prep{m: mover{set: set, dst: to.strided(e), src: in.strided(e), e: e.Size(), complement: complement, last: 0xFF}, to: to, elem: e}
	if in.C%8 != 0 {
		p.m.last = byte(1)<<(in.C%8) - 1
	}
	if complement {
		p.to.C = 2 * roundUp(in.C, 8)
	}
	if err := p.to.Check(e); err != nil {
		return nil, errorf("kernels: copy of the input with the phases of the stride: %w", err)
	}
	return p, nil
}

//go:noinline
func (p *prep) bytes() int {
	if p == nil {
		return 0
	}
	return p.to.Bytes(p.elem)
}

func (p *prep) stages() int {
	if p == nil {
		return 0
	}
	return 1
}

func (p *prep) run(part, parts int, dst, src []byte) {
	dst = dst[:p.to.Bytes(p.elem)]
	if part == 0 {
		clearEnds(dst, p.to, p.elem)
	}
	lo, hi := share(p.m.work(), part, parts)
	p.m.run(lo, hi, dst, src)
}
