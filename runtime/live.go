package runtime

import (
	"slices"

	"github.com/billnet/billnet/runtime/billb"
)

// span is a range of the arena that holds a value that may be read: that of one
// buffer, or of several after a free reshape.
type span struct {
	lo, hi  int
	buffers []int
}

// live follows which buffers hold a value, instruction by instruction. Spans
// are sorted and do not overlap.
type live struct {
	img   *billb.Image
	spans []span
}

func (l *live) extent(b int) (lo, hi int) {
	size, _ := l.img.Buffers[b].Size()
	lo = l.img.Buffers[b].Offset
	return lo, lo + size
}

// find returns the spans i to j that overlap lo to hi.
func (l *live) find(lo, hi int) (i, j int) {
	i, _ = slices.BinarySearchFunc(l.spans, lo, func(s span, lo int) int {
		if s.hi <= lo {
			return -1
		}
		return 1
	})
	for j = i; j < len(l.spans) && l.spans[j].lo < hi; j++ {
	}
	return i, j
}

// holds reports whether buffer b may be read. An empty one always may.
func (l *live) holds(b int) bool {
	lo, hi := l.extent(b)
	if lo == hi {
		return true
	}
	i, j := l.find(lo, hi)
	return j == i+1 && slices.Contains(l.spans[i].buffers, b)
}

// define marks buffer b as written, and everything that overlaps it as lost.
func (l *live) define(b int) {
	lo, hi := l.extent(b)
	if lo == hi {
		return
	}
	i, j := l.find(lo, hi)
	if i == j {
		l.spans = append(l.spans, span{})
		copy(l.spans[i+1:], l.spans[i:])
	} else {
		l.spans = l.spans[:i+1+copy(l.spans[i+1:], l.spans[j:])]
	}
	l.spans[i] = span{lo, hi, []int{b}}
}

// alias marks buffer b as another view of buffer x, which holds a value.
func (l *live) alias(b, x int) {
	lo, hi := l.extent(b)
	if lo == hi || b == x {
		return
	}
	i, _ := l.find(lo, hi)
	if !slices.Contains(l.spans[i].buffers, b) {
		l.spans[i].buffers = append(l.spans[i].buffers, b)
	}
}

// begin defines the inputs.
func (l *live) begin() error {
	for _, p := range l.img.Inputs {
		lo, hi := l.extent(p.Buffer)
		if i, j := l.find(lo, hi); lo < hi && i < j {
			return errorf("input %q: buffer %d overlaps another input's", p.Name, p.Buffer)
		}
		l.define(p.Buffer)
	}
	return nil
}

// matches reports whether element i of two buffers at one place is the same bytes
// for every i. An operation that may work in place then reads an element before it
// writes it; where an operand broadcasts it would read what it has written.
func (l *live) matches(a, b int) bool {
	x, y := &l.img.Buffers[a], &l.img.Buffers[b]
	if x.Planes || y.Planes {
		return x.Planes && y.Planes && x.Geom == y.Geom && x.Elem.Width() == y.Elem.Width() && x.Elem.IsBit() == y.Elem.IsBit()
	}
	return billb.Product(x.Shape) == billb.Product(y.Shape) && x.Elem.Width() == y.Elem.Width()
}

// step checks that an instruction reads values and that its outputs overlap
// neither its inputs, but for the operations that allow it, nor one another;
// then it defines the outputs.
func (l *live) step(in *billb.Instr, s *step) error {
	for _, b := range in.In {
		if b >= 0 && !l.holds(b) {
			return errorf("buffer %d is read before it is written, or after buffer memory that overlaps it was written", b)
		}
	}
	for i, b := range in.Out {
		if b < 0 {
			continue
		}
		lo, hi := l.extent(b)
		for _, a := range in.In {
			if a < 0 {
				continue
			}
			alo, ahi := l.extent(a)
			if max(lo, alo) >= min(hi, ahi) || i == 0 && in.Op.Op().InPlace && lo == alo && l.matches(a, b) {
				continue
			}
			return errorf("output buffer %d overlaps input buffer %d", b, a)
		}
		for _, a := range in.Out[:i] {
			if a >= 0 {
				if alo, ahi := l.extent(a); max(lo, alo) < min(hi, ahi) {
					return errorf("output buffers %d and %d overlap", a, b)
				}
			}
		}
	}
	for _, b := range in.Out {
		switch {
		case b < 0:
		case s.alias:
			l.alias(b, in.In[0])
		default:
			l.define(b)
		}
	}
	return nil
}

// end checks that the outputs hold values.
func (l *live) end() error {
	for _, p := range l.img.Outputs {
		if !l.holds(p.Buffer) {
			return errorf("output %q: buffer %d was never written, or memory that overlaps it was written after it", p.Name, p.Buffer)
		}
	}
	return nil
}
