package clip

import (
	"fmt"
	"slices"
	"strings"
)

// Mode says how a frame of another shape becomes the model's.
type Mode string

const (
	Stretch   Mode = "stretch"   // both axes independently, the whole picture
	Crop      Mode = "crop"      // the largest centred part of the model's aspect ratio
	Letterbox Mode = "letterbox" // the whole picture, centred, black around it
)

func (m Mode) check() error {
	switch m {
	case "", Stretch, Crop, Letterbox:
		return nil
	}
	return errorf("fit %q is none of stretch, crop, letterbox", string(m))
}

// Fit samples and resizes c to the sizes and channels of s, and says in words what it did. A clip that already has
// them is returned unchanged (the same pointer). Grey from RGB is BT.601 luma; RGB from grey repeats the value.
func Fit(c *Clip, s Spec, mode Mode) (*Clip, string, error) {
	if err := c.check(); err != nil {
		return nil, "", err
	}
	f, err := newFitter(c.W, c.H, c.C, s, mode)
	if err != nil {
		return nil, "", err
	}
	t := s.T
	if t == 0 {
		t = c.T
	}
	line := Even(c.T)
	index := line.Sample(t)
	note := f.note(line, index)
	if f.same() && t == c.T {
		return c, note, nil
	}
	out := &Clip{T: t, H: f.r.dstH, W: f.r.dstW, C: s.C, FPS: c.FPS * float64(t) / float64(c.T)}
	out.Pix = make([]uint8, out.T*out.H*out.W*out.C)
	for i, k := range index {
		if i > 0 && k == index[i-1] {
			copy(out.Frame(i), out.Frame(i-1))
			continue
		}
		f.frame(out.Frame(i), c.Frame(k))
	}
	return out, note, nil
}

// fitter brings frames of one size to the model's size and channels, one at a time.
type fitter struct {
	r        *resizer
	mode     Mode
	from, to int // channels
	tmp      []uint8
}

func newFitter(w, h, channels int, s Spec, mode Mode) (*fitter, error) {
	if err := s.Check(); err != nil {
		return nil, err
	}
	if err := mode.check(); err != nil {
		return nil, err
	}
	if channels != s.C && !(channels == 3 && s.C == 1) && !(channels == 1 && s.C == 3) {
		return nil, errorf("the video has %d channels, the model takes %d: only RGB (3) and grey (1) can be converted", channels, s.C)
	}
	if mode == "" {
		mode = Stretch
	}
	dw, dh := s.W, s.H
	if dw == 0 {
		dw = w
	}
	if dh == 0 {
		dh = h
	}
	return &fitter{r: newResizer(w, h, dw, dh, mode), mode: mode, from: channels, to: s.C}, nil
}

func (f *fitter) same() bool { return f.r.identity() && f.from == f.to }

// bytes is the size of a fitted frame.
func (f *fitter) bytes() int { return f.r.dstW * f.r.dstH * f.to }

func (f *fitter) frame(dst, src []uint8) {
	if f.from == f.to {
		f.r.frame(dst, src, f.from)
		return
	}
	if f.tmp == nil {
		f.tmp = make([]uint8, f.r.dstW*f.r.dstH*f.from)
	}
	f.r.frame(f.tmp, src, f.from)
	if f.to == 1 {
		for i := range dst {
			dst[i] = luma(f.tmp[3*i], f.tmp[3*i+1], f.tmp[3*i+2])
		}
		return
	}
	for i, v := range f.tmp {
		dst[3*i], dst[3*i+1], dst[3*i+2] = v, v, v
	}
}

// luma is Y = 0.299 R + 0.587 G + 0.114 B in 16-bit fixed point; the weights sum to 2^16, so grey stays as it is.
func luma(r, g, b uint8) uint8 {
	return uint8((19595*uint32(r) + 38470*uint32(g) + 7471*uint32(b) + 1<<15) >> 16)
}

// note tells what happens to the frames of a timeline, of which those at index are taken.
func (f *fitter) note(line Timeline, index []int) string {
	r, n, t := f.r, line.n, len(index)
	all := n == t && slices.Equal(index, Even(n).Sample(n))
	from := fmt.Sprintf("%s %dx%d", frames(n), r.srcW, r.srcH)
	if f.same() && all {
		return from + ", unchanged"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s -> %s %dx%d: ", from, frames(t), r.dstW, r.dstH)
	switch {
	case all:
		b.WriteString("all frames")
	case line.ends != nil:
		b.WriteString("frames " + indexList(index) + " by their delays")
	default:
		b.WriteString("frames " + indexList(index))
	}
	if !r.identity() {
		fmt.Fprintf(&b, "; %s", f.mode)
		if f.mode == Crop && (r.sw != r.srcW || r.sh != r.srcH) {
			fmt.Fprintf(&b, " to %dx%d", r.sw, r.sh)
		}
		if f.mode == Letterbox && (r.dw != r.dstW || r.dh != r.dstH) {
			fmt.Fprintf(&b, " in %dx%d", r.dw, r.dh)
		}
		b.WriteString(r.filter())
	}
	if f.from == 3 && f.to == 1 {
		b.WriteString("; grey")
	}
	if f.from == 1 && f.to == 3 {
		b.WriteString("; grey as RGB")
	}
	return b.String()
}

func frames(n int) string {
	if n == 1 {
		return "1 frame"
	}
	return fmt.Sprintf("%d frames", n)
}

// indexList prints up to 16 indices in full, longer lists shortened.
func indexList(index []int) string {
	var b strings.Builder
	for i, k := range index {
		if len(index) > 16 && i == 8 {
			fmt.Fprintf(&b, ",..,%d", index[len(index)-1])
			break
		}
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprint(&b, k)
	}
	return b.String()
}
