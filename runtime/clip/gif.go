package clip

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/color/palette"
	"image/draw"
	"image/gif"
	"io"
	"math"
)

// openGIF decodes an animation: each frame is the whole canvas, after drawing the partial picture over what the
// disposal method of the one before left. What stays transparent is black.
func openGIF(r io.Reader, limit int64) (*Video, error) {
	data, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err != nil {
		return nil, err
	}
	if int64(len(data)) > limit {
		return nil, fmt.Errorf("GIF: the file is larger than the limit of %d bytes", limit)
	}
	w, h, n, err := scanGIF(data)
	if err != nil {
		return nil, fmt.Errorf("GIF: %w", err)
	}
	if err := checkFrame(w, h, limit); err != nil {
		return nil, fmt.Errorf("GIF: %w", err)
	}
	if need := 3 * int64(w) * int64(h) * int64(n); need > limit {
		return nil, fmt.Errorf("GIF: %d frames %dx%d take %d bytes, more than the limit of %d", n, w, h, need, limit)
	}
	g, err := gif.DecodeAll(bytes.NewReader(data))
	if err != nil {
		return nil, fmt.Errorf("GIF of %d frames %dx%d: %w", n, w, h, noEOF(err))
	}
	v := &Video{W: w, H: h}
	delay := 0
	for _, d := range g.Delay {
		delay += d // hundredths of a second
	}
	if delay > 0 {
		v.FPS = 100 * float64(len(g.Image)) / float64(delay)
	}
	canvas := make([]uint8, 3*w*h)
	out := make([]uint8, len(canvas))
	at := 0
	v.next = func() ([]uint8, error) {
		if at == len(g.Image) {
			return nil, io.EOF
		}
		m, disposal := g.Image[at], g.Disposal[at]
		copy(out, canvas)
		drawGIF(out, w, m)
		switch disposal {
		case gif.DisposalBackground:
			copy(canvas, out)
			b := m.Rect
			for y := b.Min.Y; y < b.Max.Y; y++ {
				clear(canvas[3*(y*w+b.Min.X) : 3*(y*w+b.Max.X)])
			}
		case gif.DisposalPrevious:
		default:
			copy(canvas, out)
		}
		g.Image[at] = nil
		at++
		return out, nil
	}
	return v, nil
}

// drawGIF paints the opaque pixels of m, which lies inside the canvas of width w.
func drawGIF(canvas []uint8, w int, m *image.Paletted) {
	type entry struct {
		r, g, b uint8
		opaque  bool
	}
	pal := make([]entry, len(m.Palette))
	for i, c := range m.Palette {
		r, g, b, a := c.RGBA()
		pal[i] = entry{uint8(r >> 8), uint8(g >> 8), uint8(b >> 8), a != 0}
	}
	for y := m.Rect.Min.Y; y < m.Rect.Max.Y; y++ {
		for x := m.Rect.Min.X; x < m.Rect.Max.X; x++ {
			if e := pal[m.ColorIndexAt(x, y)]; e.opaque {
				p := canvas[3*(y*w+x):]
				p[0], p[1], p[2] = e.r, e.g, e.b
			}
		}
	}
}

// scanGIF walks the blocks of a GIF without decoding, to know its size and number of frames before memory is spent.
func scanGIF(b []byte) (w, h, frames int, err error) {
	cut := errors.New("the file is cut off")
	at := 13
	if len(b) < at {
		return 0, 0, 0, cut
	}
	w, h = int(b[6])|int(b[7])<<8, int(b[8])|int(b[9])<<8
	table := func(flags byte) int { // bytes of a colour table
		if flags&0x80 == 0 {
			return 0
		}
		return 3 << (flags&7 + 1)
	}
	at += table(b[10])
	for {
		if at >= len(b) {
			return 0, 0, 0, cut
		}
		switch b[at] {
		case 0x3b: // trailer
			if frames == 0 {
				return 0, 0, 0, errors.New("no frames in it")
			}
			return w, h, frames, nil
		case 0x21: // extension: label, then sub-blocks
			at += 2
		case 0x2c: // picture: place, size, flags, colour table, code size, then sub-blocks
			if at+10 > len(b) {
				return 0, 0, 0, cut
			}
			frames++
			at += 10 + table(b[at+9]) + 1
		default:
			return 0, 0, 0, fmt.Errorf("unknown block 0x%02x at byte %d", b[at], at)
		}
		for { // sub-blocks: a length and that many bytes, up to a length of 0
			if at >= len(b) {
				return 0, 0, 0, cut
			}
			n := int(b[at])
			at += 1 + n
			if n == 0 {
				break
			}
		}
	}
}

// WriteGIF writes a clip (C = 1 or 3) as an endless animation in the fixed Plan 9 palette, dithered (Floyd-Steinberg). fps 0 = the clip's own, or 12.
func WriteGIF(w io.Writer, c *Clip, fps float64) error {
	if err := c.check(); err != nil {
		return err
	}
	if c.W >= maxSide || c.H >= maxSide || c.C != 1 && c.C != 3 {
		return fmt.Errorf("GIF: a clip %dx%d with %d channels cannot be written: sides go up to 65535, channels are 1 or 3", c.W, c.H, c.C)
	}
	if fps == 0 {
		fps = c.FPS
	}
	if fps == 0 {
		fps = 12
	}
	if !(fps > 0) {
		return fmt.Errorf("GIF: %v frames a second", fps)
	}
	delay := int(min(65535, max(1, math.Round(100/fps))))
	rect := image.Rect(0, 0, c.W, c.H)
	rgba := image.NewRGBA(rect)
	g := &gif.GIF{}
	for t := range c.T {
		f := c.Frame(t)
		for i := range c.W * c.H {
			p := f[i*c.C:]
			rgba.Pix[4*i], rgba.Pix[4*i+1], rgba.Pix[4*i+2], rgba.Pix[4*i+3] = p[0], p[c.C/2], p[c.C-1], 255
		}
		m := image.NewPaletted(rect, palette.Plan9)
		draw.FloydSteinberg.Draw(m, rect, rgba, image.Point{})
		g.Image = append(g.Image, m)
		g.Delay = append(g.Delay, delay)
	}
	return gif.EncodeAll(w, g)
}
