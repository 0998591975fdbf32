package kernels

import "fmt"

// Elem is the element type of an activation map.
type Elem uint8

// The element types. A Bit map packs 8 channels into one byte plane; the others hold one channel a plane.
const (
	Bit Elem = iota
	U8
	I8
	I16
	I32
)

// Size is the number of bytes an element takes in a plane (a Bit plane holds one byte for 8 channels).
//
//go:noinline
func (e Elem) Size() int {
	switch e {
	case I16:
		return 2
	case I32:
		return 4
	}
	return 1
}

func (e Elem) String() string {
	if e > I32 {
		return fmt.Sprintf("Elem(%d)", uint8(e))
	}
	return [...]string{"bit", "u8", "i8", "i16", "i32"}[e]
}

// minOf and maxOf are the range of an integer element.
func minOf(e Elem) int { return [...]int{0, 0, -1 << 7, -1 << 15, -1 << 31}[e] }
func maxOf(e Elem) int { return [...]int{1, 1<<8 - 1, 1<<7 - 1, 1<<15 - 1, 1<<31 - 1}[e] }

// block is the number of positions a kernel handles at a time.
const block = 64

// Limits of a geometry. They keep every offset inside an int32.
const (
	maxDim   = 1 << 20
	maxPhase = 64
	maxBytes = 1<<31 - 1
)

// Geom says where the elements of an activation map [C][T][H][W] lie in a byte slice.
//
// The map is stored as planes of one channel (integers) or eight channels (bits: bit j of a byte is channel 8b+j).
// A plane is split into PT*PH*PW phase planes: logical position (t,h,w) is element (t/PT, h/PH, w/PW) of the phase
// (t%PT, h%PH, w%PW). HT frames, HH rows and HW columns of zeros follow every plane, frame and row; they also serve
// as the leading halo of the next one. Everything that is not a logical element is zero: padding channels, halo,
// lead, tail, and the slack that rounds a plane up. Elements wider than a byte are in the machine's byte order.
type Geom struct {
	C, T, H, W int // channels and positions
	HT, HH, HW int // halo frames, rows, columns
	PT, PH, PW int // phases along t, h, w; 1 = not split
}

// Planning calls them in hundreds of places, which would all hold a copy.
//
//go:noinline
func ceilDiv(a, b int) int { return (a + b - 1) / b }

//go:noinline
func roundUp(a, b int) int { return (a + b - 1) / b * b }

func floorDiv(a, b int) int {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

// Stored returns the dimensions of one phase plane without its halo.
func (g Geom) Stored() (t, h, w int) {
	return ceilDiv(g.T, g.PT), ceilDiv(g.H, g.PH), ceilDiv(g.W, g.PW)
}

// Pitch is the distance between rows, in elements.
//
//go:noinline
func (g Geom) Pitch() int { return ceilDiv(g.W, g.PW) + g.HW }

// Frame is the distance between frames, in elements.
//
//go:noinline
func (g Geom) Frame() int { return (ceilDiv(g.H, g.PH) + g.HH) * g.Pitch() }

// PlaneStride is the distance between planes, in elements; a multiple of 64.
//
//go:noinline
func (g Geom) PlaneStride() int { return roundUp((ceilDiv(g.T, g.PT)+g.HT)*g.Frame(), block) }

func (g Geom) reach() int { return g.HT*g.Frame() + g.HH*g.Pitch() + g.HW }

// Lead is the number of zero elements before the first plane; a multiple of 64.
func (g Geom) Lead() int { return roundUp(g.reach(), block) }

// Tail is the number of zero elements after the last plane; a multiple of 64.
func (g Geom) Tail() int { return roundUp(g.reach(), block) + block }

// Phases is the number of phase planes of a channel, or of eight channels of bits.
//
//go:noinline
func (g Geom) Phases() int { return g.PT * g.PH * g.PW }

// Planes is the number of planes of a map of elements e.
func (g Geom) Planes(e Elem) int {
	if e == Bit {
		return ceilDiv(g.C, 8) * g.Phases()
	}
	return g.C * g.Phases()
}

// Bytes is the size of the whole buffer.
func (g Geom) Bytes(e Elem) int {
	return (g.Lead() + g.Planes(e)*g.PlaneStride() + g.Tail()) * e.Size()
}

// Plane is the element offset of plane i in the buffer.
func (g Geom) Plane(i int) int { return g.Lead() + i*g.PlaneStride() }

// Index returns the byte offset of a logical element, and for Bit maps the bit within that byte.
func (g Geom) Index(e Elem, c, t, h, w int) (off int, bit uint) {
	ch := c
	if e == Bit {
		ch, bit = c/8, uint(c%8)
	}
	plane := ((ch*g.PT+t%g.PT)*g.PH+h%g.PH)*g.PW + w%g.PW
	pos := t/g.PT*g.Frame() + h/g.PH*g.Pitch() + w/g.PW
	return (g.Plane(plane) + pos) * e.Size(), bit
}

// Check reports why g can not describe a map of elements e, or nil. It is safe for any values.
func (g Geom) Check(e Elem) error {
	if e > I32 {
		return errorf("kernels: unknown element type %d", uint8(e))
	}
	for _, d := range [...]struct {
		name        string
		v, min, max int
	}{
		{"C", g.C, 1, maxDim}, {"T", g.T, 1, maxDim}, {"H", g.H, 1, maxDim}, {"W", g.W, 1, maxDim},
		{"HT", g.HT, 0, maxDim}, {"HH", g.HH, 0, maxDim}, {"HW", g.HW, 0, maxDim},
		{"PT", g.PT, 1, maxPhase}, {"PH", g.PH, 1, maxPhase}, {"PW", g.PW, 1, maxPhase},
	} {
		if d.v < d.min || d.v > d.max {
			return errorf("kernels: geometry %+v: %s is %d, expected %d to %d", g, d.name, d.v, d.min, d.max)
		}
	}
	// Each factor is below 2^22 and each product is cut at 2^31 before the next, so int64 can not overflow.
	up := func(a, b int64) int64 { return (a + b - 1) / b }
	size := int64(1)
	over := false
	mul := func(v int64) {
		if size *= v; size > maxBytes {
			size, over = maxBytes, true
		}
	}
	mul(up(int64(g.W), int64(g.PW)) + int64(g.HW))
	pitch := size
	mul(up(int64(g.H), int64(g.PH)) + int64(g.HH))
	frame := size
	mul(up(int64(g.T), int64(g.PT)) + int64(g.HT))
	size = up(size, block) * block
	c := int64(g.C)
	if e == Bit {
		c = up(c, 8)
	}
	mul(c)
	mul(int64(g.PT * g.PH * g.PW))
	reach := int64(g.HT)*frame + int64(g.HH)*pitch + int64(g.HW)
	total := (size + 2*(reach+block) + block) * int64(e.Size())
	if over || total > maxBytes {
		return errorf("kernels: geometry %+v of %v needs more than 2^31-1 bytes", g, e)
	}
	return nil
}
