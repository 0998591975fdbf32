package kernels

import (
	"math"
)

// BitDot is a plan of a convolution of a map of bits by weights of -1 and +1, whose sums it leaves as rows of 32 bits, as Dot
// does of bytes. Output channels lie along the register, so that maps of any size, one position too, fill it; padding costs
// nothing.
//
// The bytes of a position, eight channels each, are brought side by side, each as a cell: what the kernel wants to know of it.
// With d = popcount(x xor w) over the taps, where x is 0 outside the map,
//
//	z = popcount(w) - d                           for activations in {0,1}
//	z = (weights inside) - 2(d - popcount(w outside))   for activations in {-1,+1}
//
// Sums of 16 bits begin at what is subtracted from d.
type BitDot struct {
	set       *Set
	in        Geom
	s         DotShape
	nb        int // bytes of the channels of a group, rounded up to what the kernel takes
	groupByte int // bytes from a group's channels to the next one's
	outC      int // of a group
	blocks    int // of outputs of a group
	positions int
	tile      int // positions of a unit
	shift     uint

	at      []int32 // for every four positions and every tap: where the four cells begin
	base    []int32 // of every position
	class   []int32 // of every position, by the taps that lie outside
	classes int
	firsts  [][]int16 // of every block and class: where 64 sums begin
	w       [][]byte  // of every block
	blank   []byte    // the bytes of the position outside
}

const (
	bitLanes = 64  // outputs of a block
	bitTile  = 128 // positions of a unit, at most
	bitMost  = math.MaxInt16
)

// NewBitDot plans a convolution of a map in, of bits that mean -1 and +1 if signed and else 0 and 1. Where no kernel of this
// kind takes it, the error says why.
func NewBitDot(set *Set, in Geom, s DotShape, signed bool, w Weights) (*BitDot, error) {
	if set == nil {
		return nil, errNoSet
	}
	if err := in.Check(Bit); err != nil {
		return nil, err
	}
	taps := product3(s.Kernel)
	if s.Batch != 1 || s.In != in.C || s.Size != [3]int{in.T, in.H, in.W} {
		return nil, errorf("kernels: %+v of a map %+v", s, in)
	}
	icg := s.In / max(s.Groups, 1)
	if err := s.check(s.Out * icg * taps); err != nil {
		return nil, err
	}
	if len(w.Sign) < ceilDiv(s.Out*icg*taps, 8) {
		return nil, errorf("kernels: %d bytes of weights for %+v", len(w.Sign), s)
	}
	switch w = w.simplify(s.Out * icg * taps); {
	case w.Nonzero != nil:
		return nil, errorf("kernels: weights of 0 among bits")
	case s.Groups > 1 && icg%8 != 0:
		return nil, errorf("kernels: groups of %d channels, expected a multiple of 8", icg)
	case int64(icg)*int64(taps) > bitMost:
		return nil, errorf("kernels: sums of %d bits, expected at most %d", int64(icg)*int64(taps), bitMost)
	}
	d := &BitDot{set: set, in: in, s: s, groupByte: ceilDiv(icg, 8), outC: s.Out / s.Groups, positions: product3(s.Result)}
	d.nb = roundUp(d.groupByte, set.bitGrain)
	d.blocks, d.tile = ceilDiv(d.outC, bitLanes), min(d.positions, bitTile)
	if signed {
		d.shift = 1
	}
	if float64(product3(s.Size)+1)*float64(s.Groups*d.cells()) > math.MaxInt32 || float64(d.positions)*float64(taps) > maxTerms {
		return nil, errorf("kernels: maps of %v are too large", s.Size)
	}
	outside := d.places(taps)
	d.classes, d.blank = len(outside), make([]byte, d.nb*s.Groups)
	d.pack(w, icg, taps, outside)
	return d, nil
}

// cells is the bytes of a position's cells of a group, and zeroCell where those of the position outside begin, of all groups.
func (d *BitDot) cells() int { return d.nb * d.set.bitCell }

//go:noinline
func (d *BitDot) zeroCell() int { return product3(d.s.Size) * d.s.Groups * d.cells() }

// places finds where the taps of every position read, and what lies outside the map: for every class the taps.
func (d *BitDot) places(taps int) (outside [][]bool) {
	s, seen := &d.s, map[string]int32{}
	d.at = make([]int32, roundUp(d.positions, 4)*taps)
	d.base, d.class = make([]int32, roundUp(d.positions, 4)), make([]int32, d.positions)
	for i := range d.at {
		d.at[i] = int32(d.zeroCell())
	}
	out, key := make([]bool, taps), make([]byte, taps)
	for p := range d.positions {
		o := [3]int{p / (s.Result[1] * s.Result[2]), p / s.Result[2] % s.Result[1], p % s.Result[2]}
		inside := 0
		for k := range taps {
			tap := [3]int{k / (s.Kernel[1] * s.Kernel[2]), k / s.Kernel[2] % s.Kernel[1], k % s.Kernel[2]}
			at, in := 0, true
			for a := range 3 {
				q := o[a]*s.Stride[a] + tap[a]*s.Dil[a] - s.Pad[a]
				in = in && q >= 0 && q < s.Size[a]
				at = at*s.Size[a] + q
			}
			out[k], key[k] = !in, 1
			if in {
				inside, key[k] = inside+1, 0
				d.at[(p/4*taps+k)*4+p%4] = int32(at * s.Groups * d.cells())
			}
		}
		if d.shift == 1 {
			d.base[p] = int32(inside * (s.In / s.Groups))
		}
		c, ok := seen[string(key)]
		if !ok {
			c = int32(len(outside))
			seen[string(key)] = c
			outside = append(outside, append([]bool(nil), out...))
		}
		d.class[p] = c
	}
	return outside
}

// pack orders the weights of every block, and counts them.
func (d *BitDot) pack(w Weights, icg, taps int, outside [][]bool) {
	for g := range d.s.Groups {
		for b := range d.blocks {
			packed, ones := make([]byte, taps*d.nb*bitLanes), make([]int16, taps*bitLanes)
			for o := range min(bitLanes, d.outC-b*bitLanes) {
				row := (g*d.outC + b*bitLanes + o) * icg * taps
				for c := range icg {
					for k := range taps {
						if w.sign(row + c*taps + k) {
							packed[(k*d.nb+c/8)*bitLanes+o] |= 1 << (c % 8)
							ones[k*bitLanes+o]++
						}
					}
				}
			}
			d.w = append(d.w, d.set.packBitDot(packed))
			for _, out := range outside {
				first := make([]int16, bitLanes)
				for k := range taps {
					if d.shift == 0 || out[k] {
						for o := range first {
							first[o] -= ones[k*bitLanes+o]
						}
					}
				}
				d.firsts = append(d.firsts, first)
			}
		}
	}
}

// Cost is how many bits the kernels go over, with what they pad.
func (d *BitDot) Cost() float64 {
	return float64(roundUp(d.positions, 4)) * float64(d.s.Groups*d.blocks*bitLanes) * float64(8*d.nb*product3(d.s.Kernel))
}

// Stages is 2: cells, then sums.
func (d *BitDot) Stages() int { return 2 }

// memory is the bytes of scratch memory that all parts share, and what each needs.
func (d *BitDot) memory() (shared, own int) {
	return roundUp(d.zeroCell()+d.s.Groups*d.cells(), 64), 4*bitLanes*roundUp(d.tile, 4) + 2*4*bitLanes
}

// Scratch is the bytes of scratch memory of all parts together.
func (d *BitDot) Scratch(parts int) int {
	shared, own := d.memory()
	return shared + parts*own
}

// Contiguous reports that the rows of a block are one, of all positions of several channels.
func (d *BitDot) Contiguous() bool { return d.positions <= fewPlaces }

// Units is the number of independent pieces of the last stage.
func (d *BitDot) Units() int { return d.tiles() * d.s.Groups * d.blocks }

func (d *BitDot) tiles() int { return ceilDiv(d.positions, d.tile) }

// Blocks is the number of calls of Block that a unit takes.
func (d *BitDot) Blocks() int {
	if d.Contiguous() {
		return 1
	}
	return bitLanes / 4
}

// Load does a part of the first stage.
func (d *BitDot) Load(part, parts int, src, scratch []byte) {
	cell, pitch := d.set.bitCell, d.s.Groups*d.cells()
	if part == 0 {
		d.set.bitSpread(scratch[d.zeroCell():], cell, d.blank)
	}
	m := d.in.strided(Bit)
	lo, hi := share(d.in.T*d.in.H, part, parts)
	if d.nb > d.groupByte {
		clear(scratch[lo*d.in.W*pitch : hi*d.in.W*pitch])
	}
	for r := lo; r < hi; r++ {
		for b := range d.s.Groups * d.groupByte {
			for rw := range min(d.in.PW, d.in.W) {
				row := src[m.row(b, r/d.in.H, r%d.in.H, rw):][:ceilDiv(d.in.W-rw, d.in.PW)]
				at := (r*d.in.W+rw)*pitch + b/d.groupByte*d.cells() + b%d.groupByte*cell
				d.set.bitSpread(scratch[at:], d.in.PW*pitch, row)
			}
		}
	}
}

// Block computes block b of unit u. The rows are part's scratch memory until its next call.
func (d *BitDot) Block(r *DotBlock, u, b, part int, _, scratch []byte) {
	shared, own := d.memory()
	mine := scratch[shared+part*own:][:own]
	block, tile := u%len(d.w), u/len(d.w)
	first := tile * d.tile
	n, stride := min(d.tile, d.positions-first), roundUp(d.tile, 4)
	z := view32(mine[:4*bitLanes*stride])
	if b == 0 {
		d.sums(z, view16(mine[len(z)*4:]), stride, block, first, n, scratch)
	}
	channel := block/d.blocks*d.outC + block%d.blocks*bitLanes
	outs := min(bitLanes, d.outC-block%d.blocks*bitLanes)
	r.Along, r.Step = false, 1
	if d.Contiguous() {
		for o := 1; o < outs && n < stride; o++ {
			copy(z[o*n:(o+1)*n], z[o*stride:])
		}
		r.Rows, r.Along = 1, n == 1
		r.Z[0], r.Channel[0], r.At[0] = z[:outs*n], channel, channel*n
		return
	}
	r.Rows = max(0, min(4, outs-4*b))
	for i := range r.Rows {
		o := 4*b + i
		r.Z[i], r.Channel[i], r.At[i] = z[o*stride:][:n], channel+o, (channel+o)*d.positions+first
	}
}

// sums computes 64 outputs at n positions, rows of z that lie stride elements apart; acc is for the sums that grow.
func (d *BitDot) sums(z []int32, acc []int16, stride, block, first, n int, scratch []byte) {
	taps := product3(d.s.Kernel)
	src := scratch[block/d.blocks*d.cells():]
	for p := 0; p < n; p += 4 {
		for i := range 4 {
			class := d.class[min(first+p+i, d.positions-1)]
			copy(acc[i*bitLanes:(i+1)*bitLanes], d.firsts[block*d.classes+int(class)])
		}
		d.set.bitDot(acc, src, d.at[(first+p)*taps:][:4*taps], d.nb, d.w[block])
		d.set.bitTurn(z[p:], stride, acc, (*[4]int32)(d.base[first+p:]), d.shift)
	}
}
