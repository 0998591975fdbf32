// Package clip turns video files into the input tensors of a model.
//
// There are three steps, and each can be used alone:
//
//	decode   OpenVideo     file -> RGB frames, one by one, at the file's own size
//	fit      Fit           choose T frames, resize them to HxW
//	convert  Spec.Tensor   lay the bytes out as the model wants, normalise if asked
//
// Open does all three and returns tensors. A NumPy file (.npy) already holds tensors: it is never resampled, its shape
// has to match.
//
// Built in are .npy, animated GIF and PNG, a folder of PNG or JPEG frames, a single PNG or JPEG, YUV4MPEG2 (.y4m) and
// raw rgb24. Everything else goes through the ffmpeg program when there is one.
//
// All arithmetic on pixels is in integers with one rounding, so a file gives the same bytes on every machine. Sizes
// found in files are checked against Options.Limit and grow with the bytes really there, so a hostile file costs no
// more memory than the limit allows, and ends in an error. A video may be of any length: it is sampled while it is read.
//
// The package imports the standard library only and has no initialisation, so its sources can be copied as they are
// into a generated program.
package clip

import (
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
)

// Clip is decoded video: T frames of H rows of W pixels of C interleaved channels (3: R, G, B; 1: grey).
type Clip struct {
	T, H, W, C int
	Pix        []uint8 // [T][H][W][C]
	FPS        float64 // frames a second; 0 = unknown
}

// Frame returns frame t, [H][W][C], sharing memory with the clip.
func (c *Clip) Frame(t int) []uint8 {
	n := c.H * c.W * c.C
	return c.Pix[t*n : (t+1)*n : (t+1)*n]
}

func (c *Clip) check() error {
	if c.T < 1 || c.C < 1 {
		return errorf("a clip of %d frames and %d channels is empty", c.T, c.C)
	}
	if err := checkSides(c.W, c.H); err != nil {
		return err
	}
	if n := product([]int{c.T, c.H, c.W, c.C}); len(c.Pix) != n {
		return errorf("a clip of %d frames %dx%d with %d channels takes %d bytes, but has %d", c.T, c.W, c.H, c.C, n, len(c.Pix))
	}
	return nil
}

// Spec says what the model's input is.
type Spec struct {
	// Channels (3 = RGB, 1 = grey), frames, height, width. T, H or W = 0: whatever the file has.
	C, T, H, W int
	// Order of the axes, outermost first: a permutation of the letters CTHW. "" = "CTHW".
	Layout string
	// Element type: "u8" or "f32". "" = "f32".
	DType string
	// What an f32 input gets instead of x in 0..255.
	Norm
}

// Check reports the first thing wrong with s.
func (s Spec) Check() error {
	if s.C < 1 || s.T < 0 || s.H < 0 || s.W < 0 || s.C > maxSide || s.T > 1<<24 {
		return errorf("clip spec: sizes C=%d T=%d H=%d W=%d: C must be positive, the others not negative", s.C, s.T, s.H, s.W)
	}
	if s.H > maxSide || s.W > maxSide {
		return errorf("clip spec: %dx%d: sides go up to %d", s.W, s.H, maxSide)
	}
	if l := s.layout(); len(l) != 4 || !strings.Contains(l, "C") || !strings.Contains(l, "T") || !strings.Contains(l, "H") || !strings.Contains(l, "W") {
		return errorf("clip spec: layout %q is not a permutation of CTHW", s.Layout)
	}
	switch s.dtype() {
	case "f32":
	case "u8":
		if s.Set() {
			return errorf("clip spec: a u8 input takes no mean, std or scale: the bytes are what the network reads")
		}
	default:
		return errorf("clip spec: element type %q is neither u8 nor f32", s.DType)
	}
	if err := s.Norm.Check(s.C); err != nil {
		return errorf("clip spec: %w", err)
	}
	return nil
}

//go:noinline
func (s Spec) layout() string {
	if s.Layout == "" {
		return "CTHW"
	}
	return s.Layout
}

func (s Spec) dtype() string {
	if s.DType == "" {
		return "f32"
	}
	return s.DType
}

// Shape returns the four sizes in the order of the layout.
func (s Spec) Shape() []int {
	shape := make([]int, 0, 4)
	for _, axis := range []byte(s.layout()) {
		shape = append(shape, *s.axis(axis))
	}
	return shape
}

// axis points to the size along the axis of that letter.
//
//go:noinline
func (s *Spec) axis(letter byte) *int {
	switch letter {
	case 'C':
		return &s.C
	case 'T':
		return &s.T
	case 'H':
		return &s.H
	default:
		return &s.W
	}
}

// sized returns s with the sizes of a shape in its layout.
func (s Spec) sized(shape []int) Spec {
	l := s.layout()
	for i, d := range shape {
		*s.axis(l[i]) = d
	}
	return s
}

// Options say how to read and fit a file. The zero value is right for most files.
type Options struct {
	// How a frame of another size becomes the model's. "" = Stretch.
	Mode Mode
	// When positive, the file is raw rgb24 frames of this size, until its end.
	RawW, RawH int
	// Most memory in bytes that decoding a frame and the frames kept may take, 0 = DefaultLimit. A GIF, PNG or JPEG that
	// comes through a pipe is kept in memory too, up to a quarter of it.
	Limit int64
	// Largest temporary file in bytes, for videos whose length only reading them tells. 0 = DefaultSpool.
	Spool int64
	// What the path "-" reads. nil = os.Stdin.
	Stdin io.Reader
	// Reading ends with ErrStopped when it is closed, also inside ffmpeg. nil = never.
	Done <-chan struct{}
	// Program for formats that are not built in. "" = "ffmpeg", looked up on the PATH.
	FFmpeg string
}

// ErrStopped is why reading ended when Options.Done was closed.
var ErrStopped = errors.New("reading was stopped")

// stopped reports whether Done was closed.
func (o Options) stopped() bool {
	select {
	case <-o.Done:
		return true
	default:
		return false
	}
}

// DefaultLimit is the most memory, in bytes, that reading a file takes unless Options.Limit says otherwise.
const DefaultLimit = 256 << 20

// DefaultSpool is the largest temporary file, in bytes, unless Options.Spool says otherwise: an hour of 30 frames a second
// at 112x112.
const DefaultSpool = 4 << 30

// maxSide bounds width and height, so that the sums of the resizer fit their integers.
const maxSide = 1 << 16

//go:noinline
func (o Options) limit() int64 {
	if o.Limit <= 0 {
		return DefaultLimit
	}
	return min(o.Limit, math.MaxInt/4) // sizes stay within an int
}

func (o Options) spool() int64 {
	if o.Spool <= 0 {
		return DefaultSpool
	}
	return o.Spool
}

// ParseSize reads "176x144" as width and height.
func ParseSize(s string) (w, h int, err error) {
	a, b, ok := strings.Cut(s, "x")
	w, errW := strconv.Atoi(a)
	h, errH := strconv.Atoi(b)
	if !ok || errW != nil || errH != nil {
		return 0, 0, errorf("size %q is not of the form WIDTHxHEIGHT, as in 176x144", s)
	}
	return w, h, checkSides(w, h)
}

// errorf is fmt.Errorf, which compilers copy into every place that calls it: a quarter of this package's code.
//
//go:noinline
func errorf(format string, args ...any) error { return fmt.Errorf(format, args...) }

func checkSides(w, h int) error {
	if w < 1 || h < 1 || w > maxSide || h > maxSide {
		return errorf("frame size %dx%d: sides must be 1 to %d", w, h, maxSide)
	}
	return nil
}

// checkFrame returns the bytes that decoding a frame takes, and refuses one that passes the limit. perPixel covers what the
// decoder keeps and the RGB frame.
func checkFrame(w, h int, perPixel float64, limit int64) (need int64, err error) {
	if err := checkSides(w, h); err != nil {
		return 0, err
	}
	need = int64(perPixel * float64(w) * float64(h))
	if need > limit {
		return 0, errorf("a frame of %dx%d takes %d bytes to decode, more than the limit of %d", w, h, need, limit)
	}
	return need, nil
}

// maxPixels bounds the pixels of all pictures of an animation: a file of any size can ask for any number of them.
const maxPixels = 1 << 32

func tooManyPixels(frames int) error {
	return errorf("%d frames have more than the limit of %d pixels in all", frames, int64(maxPixels))
}

// readN reads exactly n bytes. The buffer grows with what arrives, so a false n costs no memory.
func readN(r io.Reader, n int64) ([]byte, error) {
	const chunk = 1 << 20
	var b []byte
	for int64(len(b)) < n {
		k := int(min(n-int64(len(b)), max(chunk, int64(len(b)))))
		b = slices.Grow(b, k)
		m, err := io.ReadFull(r, b[len(b):len(b)+k])
		b = b[:len(b)+m]
		if err != nil {
			return nil, errorf("%d bytes expected, the file ends after %d: %w", n, len(b), noEOF(err))
		}
	}
	return b, nil
}

// noEOF turns a clean end of file into an unexpected one, so that io.EOF keeps its one meaning: no more clips or frames.
//
//go:noinline
func noEOF(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}
