package runtime

import (
	"slices"

	"github.com/billnet/billnet/runtime/billb"
)

var _ = executes(billb.OpShift, func(p *prep) step {
	state, x, y := p.in(0), p.in(1), p.out(0)
	axis := p.axis(y, params[billb.Along](p).Axis)
	p.sameElem(state, y)
	p.sameElem(x, y)
	p.sameShape(state, y)
	if x.rank() != y.rank() || x.shape[axis] > y.shape[axis] {
		p.fail("%s and %s, expected as many axes, and no more frames than are kept", x, y)
	}
	want := slices.Clone(y.shape)
	want[axis] = x.shape[axis]
	p.shaped(x, want...)
	if x.n == 0 {
		p.fail("%s, expected a buffer that is not empty", x)
	}
	if x.fixed == nil && x.off < y.off+y.size && y.off < x.off+x.size {
		p.fail("%s overlaps the result", x)
	}
	if state.planes || x.planes || y.planes {
		return p.shiftPlanes(state, x, y, axis)
	}
	lines := billb.Product(y.shape[:axis])
	added := x.size / lines
	kept := y.size/lines - added
	return moves(y.size, func(m *memory, part, parts int) {
		src, in, dst := state.bytes(m), x.bytes(m), y.bytes(m)
		lo, hi := share(lines, part, parts)
		for i := lo; i < hi; i++ {
			line := dst[i*(kept+added):][:kept+added]
			copy(line[:kept], src[i*(kept+added)+added:])
			copy(line[kept:], in[i*added:][:added])
		}
	})
})

// shiftPlanes is the step of maps on planes, of which frames are not split.
func (p *prep) shiftPlanes(state, x, y *operand, axis int) step {
	p.sameGeom(p.planes(state), p.planes(y))
	if g, h := p.planes(x).geom, y.geom; g.PT*h.PT != 1 || g.PH != h.PH || g.PW != h.PW {
		p.fail("%s and %s, expected frames that are not split, and equal phases of rows and columns", x, y)
	}
	from, to := storedMap(x), storedMap(y)
	if axis != 2 {
		p.fail("axis %d of planes, expected 2", axis)
	}
	left := to.frames - from.frames
	return moves(y.size, func(m *memory, part, parts int) {
		src, in, dst := state.bytes(m), x.bytes(m), y.bytes(m)
		lo, hi := share(to.planes, part, parts)
		if state.off != y.off {
			to.clear(dst, lo, hi, part, parts)
		}
		for pl := lo; pl < hi; pl++ {
			at := to.at(0, 0) + pl*to.plane
			copy(dst[at:at+left*to.frame], src[at+from.frames*to.frame:])
		}
		for f := range from.frames {
			moveRows(dst, in, &to, &from, [2]int{left + f, 0}, [2]int{f, 0}, to.rows, lo, hi)
		}
	})
}
