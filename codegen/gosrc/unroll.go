package gosrc

import (
	"encoding/binary"
	"slices"

	"github.com/billnet/billnet/runtime"
	"github.com/billnet/billnet/runtime/billb"
	"github.com/billnet/billnet/runtime/kernels"
)

// Integer convolutions with binary weights, unrolled into AVX-512 code that
// holds the weights.
//
// As in the runtime's kernels, the signed sums of every four input channels are
// made once, and a term of an output adds or subtracts one of them. What a
// package made for one model adds to this:
//
//   - A term is one instruction with its address as a constant, to add or to
//     subtract, without a list of terms to read and a sign to apply.
//   - All loads are aligned. Rows of sums begin at multiples of 64 bytes, with
//     nothing between them, so a tap that reads another row or frame is aligned
//     too. Taps that read the column before or behind are added up in
//     accumulators of their own, which are shifted by one column once at the end.
//     That counts, because a load that crosses two cache lines costs two.
//   - Rows narrower than a vector share it: lanes of the second half of the frames
//     stand beside those of the first, and so on.
//   - Terms of channels that are constant, whatever the input, are left out.
//
// Work goes down the frames of a few rows: the sums of three frames stay in the
// first-level cache while they are used.
type unrolled struct {
	Index int // of the instruction
	Name  string

	In, Out billb.Buffer // planes
	weights []byte       // signs of [O][I][taps]
	Groups  int
	outC    int // of a group
	inC     int
	acc     int     // bytes of a lane
	t       []int32 // thresholds; nil: integers
	flip    []bool
	fixed   []bool // channels whose bit is flip, whatever the input

	kernel    [3]int
	reads     []read // of every tap
	low, high [3]int // the least and the largest offset
	phases    []int  // that are read
	bundle    int    // channels of a bundle

	Blocks     int       // frames that share a row of vectors
	vectors    int       // of a term
	Rows       int       // of a tile
	FrameBytes int       // of sums
	Then       *unrolled // what alone reads the output, a tile at a time; or nil
	Parts      int       // into which the frames are cut for it
	Via        int       // where in the arena Then's result is made
	joined     bool      // is another's Then
}

// read is what a tap reads: a phase of the input, at an offset in stored frames,
// rows and columns.
type read struct {
	phase int
	off   [3]int
}

// positive reports whether the weight of output o, input channel i of its group
// and tap k is +1.
func (u *unrolled) positive(o, i, k int) bool {
	n := (o*u.inC+i)*len(u.reads) + k
	return u.weights[n/8]>>(n%8)&1 == 1
}

const (
	laneBytes = 64       // of a vector
	nearBytes = 40 << 10 // what should stay in the first-level cache
)

// newUnrolled returns the unrolled form of instruction i, nil where it has none.
func newUnrolled(img *billb.Image, i int) *unrolled {
	in := &img.Code[i]
	if in.Op != billb.OpIConv || in.In[0] < 0 {
		return nil
	}
	v := in.Params.(*billb.IntConv)
	u := &unrolled{Index: i, Name: in.Name, In: img.Buffers[in.In[0]], Out: img.Buffers[in.Out[0]], Groups: v.Conv.Groups, acc: v.Acc / 8}
	if !u.readOperands(img, in) || !u.readTaps(&v.Conv) || !u.tile() {
		return nil
	}
	return u
}

// readOperands reads weights and thresholds. It refuses ternary weights, groups
// of other than multiples of 8 outputs, and ranges that do not fit the
// accumulator as they are.
func (u *unrolled) readOperands(img *billb.Image, in *billb.Instr) bool {
	konst := func(name string) *billb.Const {
		if id := in.Constant(name); id >= 0 {
			return &img.Consts[id]
		}
		return nil
	}
	w := konst("w")
	u.weights = w.Data
	u.outC, u.inC, u.kernel = w.Shape[0]/u.Groups, w.Shape[1], [3]int(w.Shape[2:])
	u.bundle = min(4, u.inC)
	if w.Elem != runtime.SBit || u.outC%8 != 0 || u.inC%u.bundle != 0 || loads[[2]string{u.In.Elem.String(), lane(u.acc)}] == "" {
		return false
	}
	lo, hi := int32s(konst("lo")), int32s(konst("hi"))
	for o := range lo {
		if u.acc == 2 && (lo[o] < -1<<15 || hi[o] > 1<<15-1) {
			return false
		}
	}
	u.t = int32s(konst("t"))
	if u.t == nil && u.Out.Elem.Width() != u.acc {
		return false
	}
	u.flip, u.fixed = make([]bool, len(lo)), make([]bool, len(lo))
	if flip := konst("flip"); flip != nil {
		for o := range u.flip {
			u.flip[o] = flip.Data[o/8]>>(o%8)&1 == 1
		}
	}
	for o, t := range u.t {
		switch {
		case t > hi[o]:
			u.fixed[o] = true
		case t <= lo[o]:
			u.fixed[o], u.flip[o] = true, !u.flip[o]
		}
	}
	return true
}

func int32s(c *billb.Const) []int32 {
	if c == nil {
		return nil
	}
	v := make([]int32, len(c.Data)/4)
	for i := range v {
		v[i] = int32(binary.LittleEndian.Uint32(c.Data[4*i:]))
	}
	return v
}

// readTaps resolves the taps. It refuses an input that would have to be copied
// first, an output in phases, columns further away than one, and wide gaps
// between rows.
func (u *unrolled) readTaps(v *billb.Conv) bool {
	in, out := u.In.Geom, u.Out.Geom
	var axis [3][]read // the phase and the offset along one axis
	for a, phases := range [3]int{in.PT, in.PH, in.PW} {
		if phases != v.Stride[a] {
			return false
		}
		for k := range u.kernel[a] {
			c := k*v.Dilation[a] - v.Pad[a]
			phase := (c%phases + phases) % phases
			r := read{phase: phase}
			r.off[a] = (c - phase) / phases
			axis[a] = append(axis[a], r)
		}
	}
	for _, t := range axis[0] {
		for _, h := range axis[1] {
			for _, w := range axis[2] {
				r := read{(t.phase*in.PH+h.phase)*in.PW + w.phase, [3]int{t.off[0], h.off[1], w.off[2]}}
				u.reads = append(u.reads, r)
				u.phases = append(u.phases, r.phase)
			}
		}
	}
	slices.Sort(u.phases)
	u.phases = slices.Compact(u.phases)
	u.low, u.high = u.reads[0].off, u.reads[0].off
	for _, r := range u.reads {
		for a, off := range r.off {
			u.low[a], u.high[a] = min(u.low[a], off), max(u.high[a], off)
		}
	}
	_, _, width := in.Stored()
	return out.Phases() == 1 && u.low[2] >= -1 && u.high[2] <= 1 && width == out.W && out.HW <= 4
}

func (u *unrolled) bits() bool { return u.t != nil }

// shifts reports whether some tap reads another column.
func (u *unrolled) shifts() bool { return u.low[2] != 0 || u.high[2] != 0 }

// lanes is the number of positions of a vector.
func (u *unrolled) lanes() int { return laneBytes / u.acc }

// sums is the number of signed sums of a bundle.
func (u *unrolled) sums() int { return 1 << (u.bundle - 1) }

// planes is the number of planes of sums.
func (u *unrolled) planes() int { return len(u.phases) * u.inC / u.bundle * u.sums() }

// sumRows is the number of rows of a plane of sums.
func (u *unrolled) sumRows() int { return u.Rows + u.high[1] - u.low[1] }

// width is the number of lanes of a row.
func (u *unrolled) width() int { return u.Out.Geom.W * u.Blocks }

func (u *unrolled) rowBytes() int { return u.width() * u.acc }

// Frames is the number of frames that the work goes down.
func (u *unrolled) Frames() int {
	if u.joined {
		return u.In.Geom.T
	}
	return u.Out.Geom.T / u.Blocks
}

// Span is the number of frames that are read besides one.
func (u *unrolled) Span() int { return u.high[0] - u.low[0] }

// LowT and LowH are the offsets of the first frame and row that are read.
func (u *unrolled) LowT() int { return u.low[0] }
func (u *unrolled) LowH() int { return u.low[1] }

// Joined reports whether it is executed with the convolution before it.
func (u *unrolled) Joined() bool { return u.joined }

// Bytes is the number of bytes of eight outputs.
func (u *unrolled) Bytes() int { return u.Groups * u.outC / 8 }

// Each has an element for every eight outputs.
func (u *unrolled) Each() []struct{} { return make([]struct{}, u.Bytes()) }

// GroupPlanes is the distance of groups in planes of the input.
func (u *unrolled) GroupPlanes() int { return u.inC * u.In.Geom.Phases() }

// BytePlanes is the distance of eight outputs in planes of the output.
func (u *unrolled) BytePlanes() int {
	if u.bits() {
		return 1
	}
	return 8
}

// InBytes and OutBytes are the sizes of elements.
func (u *unrolled) InBytes() int  { return u.In.Elem.Width() }
func (u *unrolled) OutBytes() int { return u.Out.Elem.Width() }

// Scratch is the bytes of sums of a part: all frames, so that a term has the
// same address in each, or one where taps read no other.
func (u *unrolled) Scratch() int {
	if u.Span() == 0 {
		return u.FrameBytes
	}
	return (u.Frames() + u.Span()) * u.FrameBytes
}

// tile chooses rows and vectors so that the sums of a tile fit the cache, with as
// many rows as can be. It refuses rows that are not whole vectors, or longer
// than what is shifted at a time.
func (u *unrolled) tile() bool {
	g := u.Out.Geom
	for u.Blocks = 1; g.W*u.Blocks < u.lanes(); u.Blocks *= 2 {
	}
	w, h := u.width(), g.H
	if g.W < 8 || w%u.lanes() != 0 || g.T%u.Blocks != 0 || u.shifts() && u.acc != 2 {
		return false
	}
	for vectors := 4; vectors >= 1; vectors /= 2 {
		chunk := vectors * u.lanes()
		for rows := h; rows >= 1; rows-- {
			switch {
			case h%rows != 0 || rows*w%chunk != 0: // not whole tiles
			case chunk%w != 0 && (rows != 1 || u.low != u.high): // a chunk ends inside a row
			case u.low == u.high && rows > max(1, chunk/w): // nothing that rows would share
			default:
				u.vectors, u.Rows = vectors, rows
				if u.FrameBytes = u.planes() * u.sumRows() * u.rowBytes(); u.FrameBytes*(1+u.Span()) <= nearBytes {
					return true
				}
			}
		}
	}
	return false
}

// pays reports whether the code is executed often enough: code that runs a few
// times takes longer to come from memory than a list of terms.
func (u *unrolled) pays() bool {
	g := u.Out.Geom
	return g.T*g.H*g.W/u.chunk() >= 16 || u.terms() <= 2048
}

// terms is the number of additions of a position.
func (u *unrolled) terms() int { return u.Groups * u.outC * u.inC / u.bundle * len(u.reads) }

// maxTerms limits the terms of a package: each makes its text longer by about
// seven bytes and its code by up to 40.
const maxTerms = 75000

// unroll returns the convolutions of an image to unroll, those with most
// positions first where there are too many.
func unroll(img *billb.Image) []*unrolled {
	var all []*unrolled
	for i := range img.Code {
		if u := newUnrolled(img, i); u != nil && u.pays() {
			all = append(all, u)
		}
	}
	positions := func(u *unrolled) int { g := u.Out.Geom; return g.T * g.H * g.W }
	slices.SortStableFunc(all, func(x, y *unrolled) int { return positions(y) - positions(x) })
	left := maxTerms
	var list []*unrolled
	for _, u := range all {
		if left -= u.terms(); left < 0 {
			continue
		}
		list = append(list, u)
		for _, before := range list {
			if before.Index == u.Index-1 && readOnce(img, img.Code[u.Index].In[0]) {
				before.join(u)
			}
		}
	}
	return list
}

// readOnce reports whether one instruction reads a buffer, and nothing else, the next run included.
func readOnce(img *billb.Image, buffer int) bool {
	if slices.ContainsFunc(img.States, func(s billb.State) bool { return s.From == buffer || s.To == buffer }) {
		return false
	}
	n := 0
	for _, in := range img.Code {
		for _, b := range in.In {
			if b == buffer {
				n++
			}
		}
	}
	return n == 1 && !slices.ContainsFunc(img.Outputs, func(p runtime.Port) bool { return p.Buffer == buffer })
}

// join has a pointwise convolution read each tile as soon as it is made, from
// memory that all tiles use and that stays in the second-level cache, where it
// can.
func (u *unrolled) join(next *unrolled) {
	if next.kernel != [3]int{1, 1, 1} || next.low != [3]int{} || u.Blocks*next.Blocks != 1 || u.Rows%next.Rows != 0 || u.bits() || next.In.Geom.Phases() != 1 {
		return
	}
	// The result may lie where further tiles are read. Then it is made where the
	// first convolution would have written, and copied.
	u.Via = next.Out.Offset
	if overlap(u.In, next.Out) {
		u.Via = u.Out.Offset
		if sizeOf(u.Out) < sizeOf(next.Out) {
			return
		}
	}
	g := u.Out.Geom
	u.Then, u.Parts = next, 1
	if g.T%2 == 0 && g.T >= 4*(1+u.Span()) { // the frames of a part cost those around it
		u.Parts = 2
	}
	tile := kernels.Geom{C: g.C, T: g.T / u.Parts, H: u.Rows, W: g.W, PT: 1, PH: 1, PW: 1}
	u.Out.Geom, next.In.Geom = tile, tile
	next.joined = true
}

// overlap reports whether two buffers share memory.
func overlap(a, b billb.Buffer) bool {
	return a.Offset < b.Offset+sizeOf(b) && b.Offset < a.Offset+sizeOf(a)
}

// sizeOf is the size of a buffer of a program that has been loaded.
func sizeOf(b billb.Buffer) int {
	n, _ := b.Size()
	return n
}
