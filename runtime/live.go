package runtime

import (
	"slices"

	"github.com/billnet/billnet/runtime/billb"
)

// live follows which buffers hold a value, instruction by instruction. Every value
// has a number, and a tree over the pieces of the arena says which value each holds:
// a buffer may be read while all of its pieces hold the value that was written to
// it. A step takes a time that grows with the logarithm of the number of buffers.
type live struct {
	img   *billb.Image
	cuts  []int      // where buffers begin and end, ascending; a piece lies between two
	place [][2]int32 // the pieces of every buffer; as many of an empty one as none
	value []int32    // of every buffer
	last  int32      // the number of values so far
	tree  []int32    // a node's value: 0 for none, mixed where its halves differ
}

const mixed = -1

func newLive(img *billb.Image) *live {
	l := &live{img: img, place: make([][2]int32, len(img.Buffers)), value: make([]int32, len(img.Buffers))}
	for b := range img.Buffers {
		if lo, hi := l.extent(b); lo < hi {
			l.cuts = append(l.cuts, lo, hi)
		}
	}
	slices.Sort(l.cuts)
	l.cuts = slices.Compact(l.cuts)
	for b := range img.Buffers {
		if lo, hi := l.extent(b); lo < hi {
			from, _ := slices.BinarySearch(l.cuts, lo)
			to, _ := slices.BinarySearch(l.cuts, hi)
			l.place[b] = [2]int32{int32(from), int32(to)}
		}
	}
	leaves := 1
	for leaves < len(l.cuts) {
		leaves *= 2
	}
	l.tree = make([]int32, 2*leaves)
	return l
}

func (l *live) extent(b int) (lo, hi int) {
	size, _ := l.img.Buffers[b].Size()
	lo = l.img.Buffers[b].Offset
	return lo, lo + size
}

// held is the value that all pieces from lo to hi hold, or mixed. The node has
// those from first on, as many as size.
func (l *live) held(node, first, size, lo, hi int32) int32 {
	if l.tree[node] != mixed || lo <= first && first+size <= hi {
		return l.tree[node]
	}
	half := size / 2
	switch middle := first + half; {
	case hi <= middle:
		return l.held(2*node, first, half, lo, hi)
	case lo >= middle:
		return l.held(2*node+1, middle, half, lo, hi)
	default:
		v := l.held(2*node, first, half, lo, hi)
		if l.held(2*node+1, middle, half, lo, hi) != v {
			return mixed
		}
		return v
	}
}

// put makes the pieces from lo to hi hold a value.
func (l *live) put(node, first, size, lo, hi, value int32) {
	if hi <= first || first+size <= lo {
		return
	}
	if lo <= first && first+size <= hi {
		l.tree[node] = value
		return
	}
	if v := l.tree[node]; v != mixed {
		l.tree[2*node], l.tree[2*node+1] = v, v
	}
	half := size / 2
	l.put(2*node, first, half, lo, hi, value)
	l.put(2*node+1, first+half, half, lo, hi, value)
	if l.tree[node] = l.tree[2*node]; l.tree[2*node+1] != l.tree[node] {
		l.tree[node] = mixed
	}
}

// at is the value in a buffer's memory, or mixed.
func (l *live) at(b int) int32 {
	return l.held(1, 0, int32(len(l.tree)/2), l.place[b][0], l.place[b][1])
}

// holds reports whether buffer b may be read. An empty one always may.
func (l *live) holds(b int) bool {
	return l.place[b][0] == l.place[b][1] || l.value[b] != 0 && l.at(b) == l.value[b]
}

// define marks buffer b as written, and everything that overlaps it as lost.
func (l *live) define(b int) {
	l.last++
	l.value[b] = l.last
	l.put(1, 0, int32(len(l.tree)/2), l.place[b][0], l.place[b][1], l.last)
}

// alias marks buffer b as another view of buffer x, which holds a value.
func (l *live) alias(b, x int) { l.value[b] = l.value[x] }

// begin defines the states, and the inputs but for one whose frames arrive one by one.
func (l *live) begin() error {
	for i, s := range l.img.States {
		if b := s.From; l.place[b][0] < l.place[b][1] && l.at(b) != 0 {
			return errorf("state %d: buffer %d overlaps another state's", i, b)
		}
		l.define(s.From)
	}
	fed, _ := l.img.Fed()
	for i, p := range l.img.Inputs {
		if i == fed {
			continue
		}
		if b := p.Buffer; l.place[b][0] < l.place[b][1] && l.at(b) != 0 {
			return errorf("input %q: buffer %d overlaps another input's, or a state's", p.Name, b)
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
func (l *live) step(in *billb.Instr, alias bool) error {
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
		case alias:
			l.alias(b, in.In[0])
		default:
			l.define(b)
		}
	}
	return nil
}

// program follows all instructions.
func (l *live) program(aliases []bool) error {
	next := 0
	for i := range l.img.Regions {
		r := &l.img.Regions[i]
		if err := l.run(aliases, next, r.First); err != nil {
			return err
		}
		if err := l.region(r, aliases); err != nil {
			return errorf("region %d: %w", i, err)
		}
		next = r.End()
	}
	return l.run(aliases, next, len(aliases))
}

// run follows instructions from one to before another, which are in no region.
func (l *live) run(aliases []bool, from, to int) error {
	for i := from; i < to; i++ {
		in := &l.img.Code[i]
		if isBand(in.Op) {
			return errorf("%s: it is in no region", in.Where(i))
		}
		if err := l.step(in, aliases[i]); err != nil {
			return errorf("%s: %w", in.Where(i), err)
		}
	}
	return nil
}

// end checks that the outputs hold values, once the states are carried.
func (l *live) end() error {
	if err := l.carry(); err != nil {
		return err
	}
	for _, p := range l.img.Outputs {
		if !l.holds(p.Buffer) {
			return errorf("output %q: buffer %d was never written, or memory that overlaps it was written after it", p.Name, p.Buffer)
		}
	}
	return nil
}

// carry follows what becomes of the states at the end of a run.
func (l *live) carry() error {
	held := make([]int, len(l.img.States))
	for i, s := range l.img.States {
		if !l.holds(s.To) {
			return errorf("state %d: buffer %d was never written, or memory that overlaps it was written after it", i, s.To)
		}
		held[i] = s.To
		if l.img.Buffers[s.From].Offset != l.img.Buffers[s.To].Offset {
			l.define(s.From)
			held[i] = s.From
		}
	}
	for i, b := range held {
		if !l.holds(b) {
			return errorf("state %d: buffer %d is lost when another state is carried", i, b)
		}
	}
	return nil
}
