package train

import (
	"github.com/billnet/billnet/ir"
	"github.com/billnet/billnet/train/vec"
)

// window is the geometry of a convolution or pooling over three spatial axes;
// maps with fewer have leading axes of size 1.
type window struct {
	in, out, kernel, stride, dil, pad [3]int
}

// newWindow reads attributes stride, pad and dilation of a node whose spatial
// sizes are given.
func newWindow(n *ir.Node, in, out, kernel []int) window {
	fill := func(v []int, missing int) (a [3]int) {
		a = [3]int{missing, missing, missing}
		copy(a[3-len(in):], v[:min(len(v), len(in))])
		return a
	}
	return window{fill(in, 1), fill(out, 1), fill(kernel, 1), fill(n.Ints("stride"), 1), fill(n.Ints("dilation"), 1), fill(n.Ints("pad"), 0)}
}

func volume(d [3]int) int { return d[0] * d[1] * d[2] }

// plain reports whether every output position reads the input position of the
// same index.
func (w *window) plain() bool {
	one := [3]int{1, 1, 1}
	return w.kernel == one && w.stride == one && w.pad == [3]int{}
}

// each3 calls f for every position of a box, in row-major order.
func each3(d [3]int, f func(i int, at [3]int)) {
	i := 0
	for a := range d[0] {
		for b := range d[1] {
			for c := range d[2] {
				f(i, [3]int{a, b, c})
				i++
			}
		}
	}
}

// lattice says how a map is laid out in a padded buffer so that every tap of a
// window is one constant offset: padded coordinate q of an axis with step s goes
// to plane q mod s, index q / s.
type lattice struct {
	in     [3]int // sizes of the map
	step   [3]int // positions modulo the step are planes of their own
	pad    [3]int // map position 0 is padded coordinate pad (negative: cut off)
	spread [3]int // map positions are that far apart, with zeros between them
	size   [3]int // of a plane
}

// planes is the number of planes of a channel.
func (l *lattice) planes() int { return volume(l.step) }

// channel is the number of elements that a channel takes.
func (l *lattice) channel() int { return l.planes() * volume(l.size) }

// offset is the place of padded coordinate q within a channel.
func (l *lattice) offset(q [3]int) int {
	plane, at := 0, 0
	for a := range q {
		plane = plane*l.step[a] + q[a]%l.step[a]
		at = at*l.size[a] + q[a]/l.step[a]
	}
	return plane*volume(l.size) + at
}

// fill lays out one channel; everything that is not a map position is zero.
func (l *lattice) fill(dst, src []float32) {
	n := volume(l.size)
	each3(l.step, func(plane int, phase [3]int) {
		out := dst[plane*n : (plane+1)*n]
		// first and last index of every axis that holds a map position, and which.
		var first, count, from, by, gap [3]int
		for a := range phase {
			first[a], count[a], from[a], by[a], gap[a] = l.span(a, phase[a])
		}
		if count[0] == 0 || count[1] == 0 || count[2] == 0 {
			clear(out)
			return
		}
		end := 0 // of what is written
		rows := by[2] == 1 && gap[2] == 1
		for t := range count[0] {
			if rows {
				at := ((first[0]+t*gap[0])*l.size[1]+first[1])*l.size[2] + first[2]
				clear(out[end:at])
				pitch, step := gap[1]*l.size[2], by[1]*l.in[2]
				vec.Rows(out[at:], pitch, src[((from[0]+t*by[0])*l.in[1]+from[1])*l.in[2]+from[2]:], step, count[1], count[2])
				end = at + (count[1]-1)*pitch + count[2]
				continue
			}
			for h := range count[1] {
				at := ((first[0]+t*gap[0])*l.size[1]+first[1]+h*gap[1])*l.size[2] + first[2]
				width := (count[2]-1)*gap[2] + 1
				clear(out[end:at])
				d := out[at : at+width]
				end = at + width
				s := src[((from[0]+t*by[0])*l.in[1]+from[1]+h*by[1])*l.in[2]+from[2]:]
				if by[2] == 2 {
					vec.Even(d, s)
					continue
				}
				clear(d)
				for w, o, i := 0, 0, 0; w < count[2]; w++ {
					d[o] = s[i]
					o += gap[2]
					i += by[2]
				}
			}
		}
		clear(out[end:])
	})
}

// span returns, for plane phase of axis a, the first index that holds a map
// position, how many do, the first of these positions, how far apart the
// positions are in the map, and in the plane. A step and a spread above 1 do not
// occur together.
func (l *lattice) span(a, phase int) (first, count, from, by, gap int) {
	if s := l.spread[a]; s > 1 {
		for from*s+l.pad[a] < 0 {
			from++
		}
		first = from*s + l.pad[a]
		if from < l.in[a] && first < l.size[a] {
			count = min(l.in[a]-from, (l.size[a]-1-first)/s+1)
		}
		return first, count, from, 1, s
	}
	s := l.step[a]
	for first*s+phase-l.pad[a] < 0 { // map position of index i is i*s + phase - pad
		first++
	}
	from = first*s + phase - l.pad[a]
	if from < l.in[a] && first < l.size[a] {
		count = min((l.in[a]-1-from)/s+1, l.size[a]-first)
	}
	return first, count, from, s, 1
}
