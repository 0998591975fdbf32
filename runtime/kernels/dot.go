package kernels

import (
	"bytes"
)

// DotShape is the geometry of a convolution over dense maps of bytes [Batch,In,t,h,w], to [Batch,Out,t,h,w]. A matrix product
// is one with a map of one position.
type DotShape struct {
	Batch, Groups, In, Out                 int // In and Out are channels in all
	Size, Result, Kernel, Stride, Pad, Dil [3]int
}

// Dot is a plan of a convolution of bytes by few-bit numbers with 32-bit sums:
//
//	z[n,o,p] = sum over i, k of w[o,i,k] * (x[n,i,p*stride+k*dil-pad] - zero)
//
// where a position outside the map adds nothing. Sums wrap.
//
// There are three ways. Wide maps are interleaved, four channels a double word, in planes with room for the padding, split
// by position modulo the stride, so that a tap is an offset and four channels of sixteen positions are one load. Maps of few
// positions have output channels along the register and the inputs of a position gathered. Where a group has one input
// channel, four taps of a row take the place of the four channels.
type Dot struct {
	grid // the shape, and how its maps lie in planes
	set  *Set
	way  dotWay

	flip  uint8  // makes the bytes of a signed map unsigned
	zero  uint8  // the byte of zero after it
	blank []byte // such bytes; nil for 0
	init  []int32
	w     [][]byte // packed: for every block of outputs of every group
	few   int      // terms that 16 bits hold, in the kernels for few bits; 0: those for any

	inC, outC     int // of a group
	blocks, chunk int // blocks of outputs of a group, and of a unit

	index          [64]byte
	k              int // bytes of a row, in the way of rows
	rowAt          []int32
	images, places int // rows: of how many images, and in each
}

type dotWay uint8

const (
	dotMaps dotWay = iota
	dotRows
	dotWindows
)

// dotAxis is an axis of an interleaved plane.
type dotAxis struct {
	size   int   // positions of a phase
	phases []int // those that a tap reads
}

const (
	dotTile   = 256 // positions of a tile
	dotOuts   = 4   // outputs of a block of maps
	dotLanes  = 64  // outputs of a block of rows
	fewPlaces = 16  // positions up to which output channels lie along the register
	dotSlack  = 320 // bytes that a kernel may read beyond a map
)

// NewDot plans a convolution with weights w [Out,In/Groups,kernel...]. x is signed or not; zero is what it means by 0.
func NewDot(set *Set, s DotShape, w []int16, signed bool, zero int32) (*Dot, error) {
	if err := s.check(len(w)); err != nil {
		return nil, err
	}
	d := &Dot{set: set, grid: grid{s: s.merge()}, inC: s.In / s.Groups, outC: s.Out / s.Groups}
	if signed {
		d.flip, zero = 0x80, zero+128
	}
	if zero < 0 || zero > 255 {
		return nil, errorf("kernels: zero point %d is no element of the map", zero)
	}
	d.zero = uint8(zero)
	terms, err := splitWeights(w)
	if err != nil {
		return nil, err
	}
	k := len(w) / s.Out
	d.init = make([]int32, roundUp(s.Out, dotLanes))
	if d.zero != 0 {
		d.blank = bytes.Repeat([]byte{d.zero}, 256)
	}
	for o := range s.Out {
		for _, v := range w[o*k : (o+1)*k] {
			d.init[o] -= int32(v) * zero
		}
	}
	positions := product3(d.s.Result)
	switch {
	case d.inC == 1 && d.s.Stride[2]+d.s.Dil[2] <= 5 && positions > 1:
		d.windows(terms)
	case positions <= fewPlaces:
		d.rows(terms)
	default:
		d.maps(terms)
	}
	if err := d.fits(); err != nil {
		return nil, err
	}
	return d, nil
}

func (s DotShape) check(weights int) error {
	if s.Batch < 1 || s.Groups < 1 || s.In < 1 || s.Out < 1 || s.In%s.Groups != 0 || s.Out%s.Groups != 0 {
		return errorf("kernels: %d groups of %d and %d channels in a batch of %d", s.Groups, s.In, s.Out, s.Batch)
	}
	for a := range 3 {
		if s.Size[a] < 1 || s.Result[a] < 1 || s.Kernel[a] < 1 || s.Stride[a] < 1 || s.Dil[a] < 1 || s.Pad[a] < 0 {
			return errorf("kernels: axis %d of %+v", a, s)
		}
	}
	if weights != s.Out*(s.In/s.Groups)*product3(s.Kernel) {
		return errorf("kernels: %d weights for %+v", weights, s)
	}
	return nil
}

// fits reports planes whose offsets need more than 31 bits.
func (d *Dot) fits() error {
	const most = 1<<31 - 1
	if float64(d.plane)*4*float64(ceilDiv(d.inC, 4)) > most || float64(d.Scratch(1)) > most {
		return errorf("kernels: maps of %v are too large", d.s.Size)
	}
	return nil
}

// merge joins axes on which nothing happens, so that rows are long.
func (s DotShape) merge() DotShape {
	plain := func(a int) bool {
		return s.Kernel[a] == 1 && s.Stride[a] == 1 && s.Pad[a] == 0 && s.Result[a] == s.Size[a]
	}
	for _, a := range []int{1, 0} {
		if !plain(2) || !plain(a) || a == 0 && s.Size[1] != 1 {
			break
		}
		s.Size[2] *= s.Size[a]
		s.Result[2] *= s.Result[a]
		s.Size[a], s.Result[a] = 1, 1
	}
	return s
}

// splitWeights writes weights as sums of signed bytes: one or two lists.
func splitWeights(w []int16) ([][]int8, error) {
	lists := [][]int8{make([]int8, len(w))}
	for i, v := range w {
		if v < -256 || v > 254 {
			return nil, errorf("kernels: weight %d, expected -256 to 254", v)
		}
		first := max(-128, min(127, v))
		lists[0][i] = int8(first)
		if first != v {
			if len(lists) == 1 {
				lists = append(lists, make([]int8, len(w)))
			}
			lists[1][i] = int8(v - first)
		}
	}
	return lists, nil
}

//go:noinline
func product3(v [3]int) int { return v[0] * v[1] * v[2] }

// Stages is the number of stages: inputs are brought into their order, then multiplied.
func (d *Dot) Stages() int {
	if d.way == dotWindows {
		return 1
	}
	return 2
}

// Shared is the bytes of scratch memory that all parts share, own what each needs.
func (d *Dot) memory() (shared, own int) {
	switch d.way {
	case dotWindows:
		return 0, roundUp(d.plane+dotSlack, 64) + 4*roundUp(d.chunk*product3(d.s.Result)+dotTile+64, 64)
	case dotRows:
		return roundUp(d.s.Batch*d.s.Groups*product3(d.s.Result)*d.k+64, 64), 4 * 4 * dotLanes
	}
	return roundUp(d.s.Batch*d.s.Groups*ceilDiv(d.inC, 4)*d.plane*4+4*dotSlack, 64), 4 * dotOuts * d.tile
}

// Scratch is the bytes of scratch memory of all parts together.
func (d *Dot) Scratch(parts int) int {
	shared, own := d.memory()
	return shared + parts*own
}

// Contiguous reports that the elements of every row lie side by side in the result, and a row may go over several channels.
func (d *Dot) Contiguous() bool { return d.way == dotWindows }

// Units is the number of independent pieces of the last stage.
func (d *Dot) Units() int {
	n := d.s.Batch * d.s.Groups
	switch d.way {
	case dotWindows:
		return d.s.Batch * ceilDiv(d.s.Out, d.chunk)
	case dotRows:
		return d.images * d.s.Groups * d.blocks
	}
	return n * d.s.Result[0] * d.tiles * ceilDiv(d.blocks, d.chunk)
}

// Blocks is the number of calls of Block that a unit takes.
func (d *Dot) Blocks() int {
	switch d.way {
	case dotWindows:
		return 1
	case dotRows:
		return ceilDiv(d.places, 4)
	}
	return d.chunk
}

// A DotBlock is what Block computes: rows of sums.
type DotBlock struct {
	Rows    int
	Z       [4][]int32
	Channel [4]int // of Z[i], or of Z[i][0]
	At      [4]int // where Z[i][0] belongs in the result
	Along   bool   // the elements of a row are channels, Step elements apart in the result; else positions, side by side, of this channel and perhaps of those after it
	Step    int
	init    [4]int32
}

// Load does a part of the first stage of two.
func (d *Dot) Load(part, parts int, src, scratch []byte) {
	switch d.way {
	case dotRows:
		d.gather(part, parts, src, scratch)
	case dotMaps:
		d.interleave(part, parts, src, scratch)
	}
}

// Block computes block b of unit u. The rows are part's scratch memory until its next call.
func (d *Dot) Block(r *DotBlock, u, b, part int, src, scratch []byte) {
	shared, own := d.memory()
	mine := scratch[shared+part*own:][:own]
	switch d.way {
	case dotWindows:
		d.window(r, u, src, mine)
	case dotRows:
		d.row(r, u, b, scratch, mine)
	default:
		d.mapped(r, u, b, scratch, mine)
	}
}
