package clip

import (
	"fmt"
	"math"
	"slices"
)

// Tensor is one dense model input in the layout of its Spec, without a batch axis. One of U8 and F32 is set.
type Tensor struct {
	Shape []int
	U8    []uint8
	F32   []float32
}

// Tensor converts a clip that already has the sizes of s (Fit makes it so).
func (s Spec) Tensor(c *Clip) (*Tensor, error) {
	t := &Tensor{}
	return t, s.Fill(t, c)
}

// Fill is Tensor into an existing t, whose memory is reused when it is large enough.
func (s Spec) Fill(t *Tensor, c *Clip) error {
	if err := c.check(); err != nil {
		return err
	}
	if err := s.Check(); err != nil {
		return err
	}
	got := s
	got.C, got.T, got.H, got.W = c.C, c.T, c.H, c.W
	if !matches(got.Shape(), s.Shape()) {
		return errorf("clip is %v in %s, the model takes %s", got.Shape(), s.layout(), shapeString(s.Shape()))
	}
	t.Shape = append(t.Shape[:0], got.Shape()...)
	n := len(c.Pix)
	if s.dtype() == "u8" {
		t.F32, t.U8 = nil, slices.Grow(t.U8[:0], n)[:n]
		identity := new([256]uint8)
		for v := range identity {
			identity[v] = uint8(v)
		}
		place(t.U8, c, got, slices.Repeat([]*[256]uint8{identity}, s.C))
		return nil
	}
	t.U8, t.F32 = nil, slices.Grow(t.F32[:0], n)[:n]
	place(t.F32, c, got, s.tables())
	return nil
}

// place writes table[channel][pixel] at the pixel's place in the layout of s.
func place[E uint8 | float32](dst []E, c *Clip, s Spec, table []*[256]E) {
	st, sh, sw, sc := s.strides()
	i := 0
	for t := range c.T {
		for y := range c.H {
			at := t*st + y*sh
			for range c.W {
				for ch, tab := range table {
					dst[at+ch*sc] = tab[c.Pix[i]]
					i++
				}
				at += sw
			}
		}
	}
}

// strides returns the distance between neighbours along T, H, W and C.
func (s Spec) strides() (t, h, w, c int) {
	var stride Spec
	l, n := s.layout(), 1
	for i := 3; i >= 0; i-- {
		*stride.axis(l[i]) = n
		n *= *s.axis(l[i])
	}
	return stride.T, stride.H, stride.W, stride.C
}

// tables returns the float of every byte value for each channel.
func (s Spec) tables() []*[256]float32 {
	tabs := make([]*[256]float32, s.C)
	for c := range tabs {
		tabs[c] = new([256]float32)
		for x := range 256 {
			tabs[c][x] = s.Byte(uint8(x), c)
		}
	}
	return tabs
}

// Clip is the inverse of Tensor, to look at a tensor as pictures. Floats are brought back to 0..255, rounded and
// clamped. t must have the shape of s.
func (s Spec) Clip(t *Tensor) (*Clip, error) {
	if err := s.Check(); err != nil {
		return nil, err
	}
	n := max(len(t.U8), len(t.F32))
	if !matches(t.Shape, s.Shape()) || product(t.Shape) != n {
		return nil, errorf("tensor %v with %d values is not %s", t.Shape, n, shapeString(s.Shape()))
	}
	s = s.sized(t.Shape)
	c := &Clip{T: s.T, H: s.H, W: s.W, C: s.C, Pix: make([]uint8, n)}
	tabs := s.tables()
	st, sh, sw, sc := s.strides()
	i := 0
	for f := range s.T {
		for y := range s.H {
			for x := range s.W {
				for ch := range s.C {
					at := f*st + y*sh + x*sw + ch*sc
					if t.U8 != nil {
						c.Pix[i] = t.U8[at]
					} else {
						// The table is affine in the byte value.
						lo, hi := float64(tabs[ch][0]), float64(tabs[ch][255])
						v := math.Round((float64(t.F32[at]) - lo) / (hi - lo) * 255)
						c.Pix[i] = uint8(min(255, max(0, v)))
						if v != v {
							c.Pix[i] = 0
						}
					}
					i++
				}
			}
		}
	}
	return c, nil
}

// matches compares a shape with a wanted one, in which 0 stands for any positive size.
func matches(got, want []int) bool {
	return slices.EqualFunc(got, want, func(g, w int) bool { return g == w || w == 0 && g > 0 })
}

// product is the number of elements of a shape, or -1 when a size is negative or the bytes of the elements would not fit an int.
func product(shape []int) int {
	if slices.ContainsFunc(shape, func(d int) bool { return d < 0 }) {
		return -1
	}
	if slices.Contains(shape, 0) {
		return 0
	}
	n := 1
	for _, d := range shape {
		if d > math.MaxInt/16/n {
			return -1
		}
		n *= d
	}
	return n
}

// shapeString prints a shape, with ? for a size that is open.
func shapeString(shape []int) string {
	b := []byte{'['}
	for i, d := range shape {
		if i > 0 {
			b = append(b, ' ')
		}
		if d == 0 {
			b = append(b, '?')
		} else {
			b = fmt.Append(b, d)
		}
	}
	return string(append(b, ']'))
}
