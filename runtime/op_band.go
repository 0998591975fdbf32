package runtime

import (
	"github.com/billnet/billnet/runtime/billb"
	"github.com/billnet/billnet/runtime/kernels"
)

var (
	_ = executes(billb.OpBandLoad, func(p *prep) step {
		x, y, b := p.in(0), p.out(0), params[billb.Band](p)
		from, to := p.bandMaps(x, y, b)
		return stageOf(y.size, func(m *memory, part, parts int) {
			src, dst := x.bytes(m), y.bytes(m)
			lo, hi := share(to.planes, part, parts)
			to.clear(dst, lo, hi, part, parts)
			frame, row := m.at.of(b)
			f0, f1 := inside(frame, to.frames, b.Frames)
			r0, r1 := inside(row, to.rows, b.Rows)
			for f := f0; f < f1; f++ {
				copyBands(dst, src, &to, &from, to.at(f, r0), from.at((frame+f)%from.frames, row+r0), r1-r0, lo, hi)
			}
		})
	})
	_ = executes(billb.OpBandStore, func(p *prep) step {
		x, y, b := p.in(0), p.out(0), params[billb.Band](p)
		to, from := p.bandMaps(y, x, b)
		if b.First[0] < 0 || b.First[1] < 0 {
			p.fail("first is %v, expected no negative one", b.First)
		}
		return stageOf(x.size, func(m *memory, part, parts int) {
			src, dst := x.bytes(m), y.bytes(m)
			lo, hi := share(to.planes, part, parts)
			frame, row := m.at.of(b)
			f0, f1 := inside(frame, from.frames, b.Frames)
			r0, r1 := inside(row, from.rows, b.Rows)
			for f := f0; f < f1; f++ {
				copyBands(dst, src, &to, &from, to.at((frame+f)%to.frames, row+r0), from.at(f, r0), r1-r0, lo, hi)
			}
		})
	})
	_ = executes(billb.OpBandClip, func(p *prep) step {
		x, y, b := p.in(0), p.planes(p.out(0)), params[billb.Band](p)
		p.sameElem(x, y)
		p.sameGeom(x, y)
		p.band(b)
		to := p.bandMap(y)
		return stageOf(y.size, func(m *memory, part, parts int) {
			src, dst := x.bytes(m), y.bytes(m)
			lo, hi := share(to.planes, part, parts)
			if x.off != y.off {
				to.each(lo, hi, part, parts, func(from, end int) { copy(dst[from:end], src[from:end]) })
			}
			frame, row := m.at.of(b)
			f0, f1 := inside(frame, to.frames, b.Frames)
			r0, r1 := inside(row, to.rows, b.Rows)
			if f0 == 0 && f1 == to.frames && r0 == 0 && r1 == to.rows {
				return
			}
			for pl := lo; pl < hi; pl++ {
				for f := range to.frames {
					for r := range to.rows {
						if f < f0 || f >= f1 || r < r0 || r >= r1 {
							at := to.at(f, r) + pl*to.plane
							clear(dst[at : at+to.width])
						}
					}
				}
			}
		})
	})
)

// isBand reports an operation that depends on where a region stands.
func isBand(op billb.Opcode) bool {
	return op == billb.OpBandLoad || op == billb.OpBandStore || op == billb.OpBandClip
}

// of is the first frame and row of a band.
func (p position) of(b *billb.Band) (frame, row int) {
	return b.First[0] + p.run*b.Step[0], b.First[1] + p.band*b.Step[1]
}

// inside is the range of n positions from first on that are inside an axis of a size.
func inside(first, n, size int) (lo, hi int) {
	lo = min(max(0, -first), n)
	return lo, max(lo, min(n, size-first))
}

// bandMap is where the rows of a map lie, in bytes.
type bandMap struct {
	planes, frames, rows      int
	first, plane, frame, step int // of the first row; from plane to plane, frame to frame, row to row
	width                     int // of a row
	size                      int
}

func (m *bandMap) at(frame, row int) int { return m.first + frame*m.frame + row*m.step }

// each calls f for the bytes of a part's planes, lo to hi; the first part has what is in front of all and the last what
// is behind.
func (m *bandMap) each(lo, hi, part, parts int, f func(from, end int)) {
	from, end := m.first+lo*m.plane, m.first+hi*m.plane
	if part == 0 {
		from = 0
	}
	if part == parts-1 {
		end = m.size
	}
	f(from, end)
}

func (m *bandMap) clear(dst []byte, lo, hi, part, parts int) {
	m.each(lo, hi, part, parts, func(from, end int) { clear(dst[from:end]) })
}

// copyBands copies rows of planes lo to hi. Where rows lie equally far apart in both, what is between them, zeros, goes with
// them.
func copyBands(dst, src []byte, to, from *bandMap, d, s, rows, lo, hi int) {
	if rows <= 0 {
		return
	}
	for pl := lo; pl < hi; pl++ {
		a, b := d+pl*to.plane, s+pl*from.plane
		if to.step == from.step {
			n := (rows-1)*to.step + to.width
			copy(dst[a:a+n], src[b:b+n])
			continue
		}
		for r := range rows {
			i, j := a+r*to.step, b+r*from.step
			copy(dst[i:i+to.width], src[j:j+to.width])
		}
	}
}

// bandMaps checks a map, of which all or some frames are kept, and a band of it.
func (p *prep) bandMaps(whole, band *operand, b *billb.Band) (bandMap, bandMap) {
	if p.sameElem(whole, band); whole.planes != band.planes {
		p.fail("%s and %s, expected both dense or both planes", whole, band)
	}
	p.band(b)
	m, n := p.bandMap(whole), p.bandMap(band)
	if m.planes != n.planes || m.width != n.width {
		p.fail("%s and %s, expected equal channels and columns", whole, band)
	}
	if m.rows != b.Rows || m.frames > b.Frames {
		p.fail("%s, expected %d rows and at most %d frames", whole, b.Rows, b.Frames)
	}
	return m, n
}

// band limits numbers so that no position overflows.
func (p *prep) band(b *billb.Band) {
	const most = 1 << 20
	for a := range 2 {
		if b.First[a] < -most || b.First[a] > most || b.Step[a] > most || b.Frames > most || b.Rows > most {
			p.fail("first %v, step %v, %d frames, %d rows: expected at most %d", b.First, b.Step, b.Frames, b.Rows, most)
		}
	}
}

func (p *prep) bandMap(o *operand) bandMap {
	if o.fixed != nil || o.n == 0 {
		p.fail("%s, expected a buffer that is not empty", o)
	}
	if !o.planes {
		if o.rank() != 5 || o.shape[0] != 1 {
			p.fail("%s, expected shape [1,C,T,H,W]", o)
		}
		row := o.shape[4] * o.elem.Width()
		return bandMap{planes: o.shape[1], frames: o.shape[2], rows: o.shape[3], plane: o.shape[2] * o.shape[3] * row, frame: o.shape[3] * row, step: row, width: row, size: o.size}
	}
	g := o.geom
	if g.Phases() != 1 {
		p.fail("%s, expected planes that are not split", o)
	}
	e, _ := o.elem.Plane()
	size := e.Size()
	planes := g.C
	if e == kernels.Bit {
		planes = (g.C + 7) / 8
	}
	return bandMap{
		planes: planes, frames: g.T, rows: g.H, first: g.Plane(0) * size, plane: g.PlaneStride() * size, frame: g.Frame() * size,
		step: g.Pitch() * size, width: g.W * size, size: o.size,
	}
}
