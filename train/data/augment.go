package data

import (
	"slices"

	"github.com/billnet/billnet/runtime/clip"
)

// view is one version of a clip made of files. The zero value is the clip as it is.
type view struct {
	on             bool
	mirror         bool
	start, length  int64    // of the part of the clip shown, in 1/4096 of it
	phase          int64    // where in its equal segment each frame is taken, 1/4096
	x, y, w, h     int64    // of the part of the picture shown, in 1/4096
	gain           [3]int64 // of red, green, blue, 1/4096
	contrast, tint int64    // 1/4096: distance from middle grey; from the pixel's own grey
}

// newView draws the view of a variant of clip i.
func newView(s Split, i int, variant uint64) view {
	r := newRNG(variant, uint64(s), uint64(i), 'v')
	v := view{on: true, mirror: r.percent(50)}
	v.length = r.in(one*80/100, one)
	v.start = r.in(0, one-v.length)
	v.phase = r.n(one)
	v.w = r.in(one*80/100, one)
	v.h = min(max(v.w+r.in(-one*6/100, one*6/100), one*75/100), one)
	v.x, v.y = r.in(0, one-v.w), r.in(0, one-v.h)
	light := r.in(one*75/100, one*130/100)
	for k := range v.gain {
		v.gain[k] = light * r.in(one*92/100, one*108/100) >> 12
	}
	v.contrast = r.in(one*75/100, one*125/100)
	v.tint = r.in(one*50/100, one*150/100)
	return v
}

// frames returns which frames of a timeline become t: as Timeline.Sample does, or of a part of the clip and off the centre
// of its equal parts.
func (v *view) frames(line clip.Timeline, t int) []int {
	if !v.on {
		return line.Sample(t)
	}
	index := make([]int, t)
	whole := int64(t) * one
	for i := range index {
		// (start + length (i + phase)/t) of the duration
		at := v.start*int64(t) + (v.length*(int64(i)*one+v.phase))>>12
		index[i] = line.At(min(max(at, 0), whole-1), whole)
	}
	return index
}

// picture crops a clip of one frame and resizes it to [H][W][3].
func (v *view) picture(c *clip.Clip, opt Options) ([]uint8, error) {
	if v.on {
		c = v.crop(c)
	}
	small, _, err := clip.Fit(c, clip.Spec{C: 3, T: 1, H: opt.Size.H, W: opt.Size.W}, opt.Mode)
	if err != nil {
		return nil, err
	}
	if small == c { // nothing to do: the frame is the reader's memory
		return slices.Clone(c.Pix), nil
	}
	return small.Pix, nil
}

// crop cuts the window out of a clip of one frame.
func (v *view) crop(c *clip.Clip) *clip.Clip {
	w, h := int(max(int64(c.W)*v.w>>12, 1)), int(max(int64(c.H)*v.h>>12, 1))
	x, y := min(int(int64(c.W)*v.x>>12), c.W-w), min(int(int64(c.H)*v.y>>12), c.H-h)
	out := &clip.Clip{T: 1, H: h, W: w, C: 3, Pix: make([]uint8, 0, h*w*3)}
	for row := y; row < y+h; row++ {
		out.Pix = append(out.Pix, c.Pix[(row*c.W+x)*3:][:w*3]...)
	}
	return out
}

// fill lays T pictures out in dst, [3][T][H][W], and recolours and mirrors them.
func (v *view) fill(dst []uint8, pictures [][]uint8, size Size) {
	n := len(dst) / 3
	for t, p := range pictures {
		at := t * size.H * size.W
		for i := range len(p) / 3 {
			dst[at+i], dst[n+at+i], dst[2*n+at+i] = p[3*i], p[3*i+1], p[3*i+2]
		}
	}
	if v.on {
		v.recolour(dst)
	}
	if v.mirror {
		for row := range slices.Chunk(dst, size.W) {
			slices.Reverse(row)
		}
	}
}

// recolour computes, for each colour k of a pixel of brightness l,
//
//	gain[k] (128 + contrast ((l-128) + tint (v[k]-l)))
func (v *view) recolour(dst []uint8) {
	n := len(dst) / 3
	for i := range n {
		c := colour{int64(dst[i]), int64(dst[n+i]), int64(dst[2*n+i])}
		l := c.luma()
		for k := range c {
			x := 128 + v.contrast*((l-128)+v.tint*(c[k]-l)>>12)>>12
			dst[k*n+i] = uint8(min(max(v.gain[k]*x>>12, 0), 255))
		}
	}
}
