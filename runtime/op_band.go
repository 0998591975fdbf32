package runtime

import "github.com/billnet/billnet/runtime/billb"

var (
	_ = executes(billb.OpBandLoad, func(p *prep) step {
		x, y, b := p.in(0), p.out(0), params[billb.Band](p)
		ring, to := p.bandMaps(x, y, b)
		clip, frame := ring, ring
		port, _ := p.img.Fed()
		fed := port >= 0 && p.img.Inputs[port].Buffer == p.instr.In[0]
		if fed {
			clip, frame = denseMap(b.Frames, b.Rows, &ring), denseMap(1, b.Rows, &ring)
		}
		return moves(y.size, func(m *memory, part, parts int) {
			dst := y.bytes(m)
			lo, hi := share(to.planes, part, parts)
			to.clear(dst, lo, hi, part, parts)
			t, h := m.at.of(b)
			f0, f1 := inside(t, to.frames, b.Frames)
			r0, r1 := inside(h, to.rows, b.Rows)
			for f := f0; f < f1; f++ {
				switch {
				case fed && m.input.clip != nil:
					moveRows(dst, m.input.clip, &to, &clip, [2]int{f, r0}, [2]int{t + f, h + r0}, r1-r0, lo, hi)
				case fed && t+f == m.input.now:
					moveRows(dst, m.input.frame, &to, &frame, [2]int{f, r0}, [2]int{0, h + r0}, r1-r0, lo, hi)
				default:
					moveRows(dst, x.bytes(m), &to, &ring, [2]int{f, r0}, ring.slot(t+f, h+r0, b.Rows), r1-r0, lo, hi)
				}
			}
		})
	})
	_ = executes(billb.OpBandStore, func(p *prep) step {
		x, y, b := p.in(0), p.out(0), params[billb.Band](p)
		ring, from := p.bandMaps(y, x, b)
		return moves(x.size, func(m *memory, part, parts int) {
			lo, hi := share(ring.planes, part, parts)
			t, h := m.at.of(b)
			f0, f1 := inside(t, from.frames, b.Frames)
			r0, r1 := inside(h, from.rows, b.Rows)
			for f := f0; f < f1; f++ {
				moveRows(y.bytes(m), x.bytes(m), &ring, &from, ring.slot(t+f, h+r0, b.Rows), [2]int{f, r0}, r1-r0, lo, hi)
			}
		})
	})
	_ = executes(billb.OpBandShift, func(p *prep) step {
		x, y := p.planes(p.in(0)), p.planes(p.out(0))
		p.sameElem(x, y)
		from, to := p.bandMap(x), p.bandMap(y)
		if from.planes != to.planes || from.frames != to.frames || from.width != to.width || from.rows >= to.rows {
			p.fail("%s and %s, expected equal channels, frames and columns and fewer rows", x, y)
		}
		left := to.rows - from.rows
		return moves(y.size, func(m *memory, part, parts int) {
			src, dst := x.bytes(m), y.bytes(m)
			lo, hi := share(to.planes, part, parts)
			for f := range to.frames {
				for pl := lo; pl < hi; pl++ {
					a, b := to.at(f, 0)+pl*to.plane, to.at(f, from.rows)+pl*to.plane
					copy(dst[a:a+left*to.step], dst[b:b+(left-1)*to.step+to.width])
				}
				moveRows(dst, src, &to, &from, [2]int{f, left}, [2]int{f, 0}, from.rows, lo, hi)
			}
		})
	})
	_ = executes(billb.OpBandClip, func(p *prep) step {
		x, y, b := p.in(0), p.planes(p.out(0)), params[billb.Band](p)
		p.sameElem(x, y)
		p.sameGeom(x, y)
		p.band(b)
		to := p.bandMap(y)
		return moves(y.size, func(m *memory, part, parts int) {
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

// moves is a step that moves bytes.
func moves(work int, f func(m *memory, part, parts int)) step {
	s := stageOf(work, f)
	s.bare = true
	return s
}

// isBand reports an operation that depends on where a region stands.
func isBand(op billb.Opcode) bool {
	return op == billb.OpBandLoad || op == billb.OpBandClip || op.Keeps()
}

// arriving is an input whose frames arrive one by one, as the caller has it: all of its frames, or the one that is there, while
// rows of earlier ones are kept.
type arriving struct {
	clip, frame []byte
	now         int
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

// slot is the frame and row of a buffer at which it keeps a row of a map with so many rows.
func (m *bandMap) slot(frame, row, rows int) [2]int {
	if m.frames == 1 {
		return [2]int{0, (frame*rows + row) % m.rows}
	}
	return [2]int{frame % m.frames, row % m.rows}
}

// denseMap is a dense clip of the channels and columns of another.
func denseMap(frames, rows int, like *bandMap) bandMap {
	w := like.width
	return bandMap{planes: like.planes, frames: frames, rows: rows, plane: frames * rows * w, frame: rows * w, step: w, width: w}
}

// moveRows copies rows of planes lo to hi, from a frame and row on; behind the last row of a frame comes its first. Where rows lie
// equally far apart in both, what is between them, zeros, goes with them.
func moveRows(dst, src []byte, to, from *bandMap, d, s [2]int, rows, lo, hi int) {
	for rows > 0 {
		n := min(rows, to.rows-d[1], from.rows-s[1])
		for pl := lo; pl < hi; pl++ {
			a, b := to.at(d[0], d[1])+pl*to.plane, from.at(s[0], s[1])+pl*from.plane
			if to.step == from.step {
				size := (n-1)*to.step + to.width
				copy(dst[a:a+size], src[b:b+size])
				continue
			}
			for r := range n {
				i, j := a+r*to.step, b+r*from.step
				copy(dst[i:i+to.width], src[j:j+to.width])
			}
		}
		rows -= n
		d[1], s[1] = (d[1]+n)%to.rows, (s[1]+n)%from.rows
	}
}

// bandMaps checks a map, of which all or some rows are kept, and a band of it.
func (p *prep) bandMaps(whole, band *operand, b *billb.Band) (bandMap, bandMap) {
	if p.sameElem(whole, band); whole.planes != band.planes {
		p.fail("%s and %s, expected both dense or both planes", whole, band)
	}
	p.band(b)
	m, n := p.bandMap(whole), p.bandMap(band)
	if m.planes != n.planes || m.width != n.width {
		p.fail("%s and %s, expected equal channels and columns", whole, band)
	}
	if !billb.CanKeep(b.Frames, b.Rows, m.frames, m.rows) {
		p.fail("%s, expected some rows of %d frames of %d", whole, b.Frames, b.Rows)
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
	if o.geom.Phases() != 1 {
		p.fail("%s, expected planes that are not split", o)
	}
	return storedMap(o)
}

// storedMap is the map of what planes store: those of phases of rows and columns are planes too.
func storedMap(o *operand) bandMap {
	g := o.geom
	e, _ := o.elem.Plane()
	size := e.Size()
	frames, rows, columns := g.Stored()
	return bandMap{
		planes: g.Planes(e), frames: frames, rows: rows, first: g.Plane(0) * size, plane: g.PlaneStride() * size, frame: g.Frame() * size,
		step: g.Pitch() * size, width: columns * size, size: o.size,
	}
}
