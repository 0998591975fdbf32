package data

import (
	"fmt"
	"image"
	"image/color/palette"
	"image/draw"
	"image/gif"
	"image/png"
	"io"
	"math"

	"github.com/billnet/billnet/runtime/clip"
)

// Interleave turns the planes of a clip, [3][T][H][W], into pictures.
func Interleave(size Size, pix []uint8) (*clip.Clip, error) {
	if err := size.check(); err != nil {
		return nil, err
	}
	if len(pix) != size.Bytes() {
		return nil, fmt.Errorf("a clip of %s takes %d bytes, not %d", size, size.Bytes(), len(pix))
	}
	n := len(pix) / 3
	c := &clip.Clip{T: size.T, H: size.H, W: size.W, C: 3, Pix: make([]uint8, len(pix)), FPS: 12}
	for k, v := range pix {
		c.Pix[k%n*3+k/n] = v
	}
	return c, nil
}

// WriteGIF writes a clip, [3][T][H][W], as an endless animation in the fixed Plan 9 palette, dithered (Floyd-Steinberg).
// fps 0 = 12; readers show no more than 50.
func WriteGIF(w io.Writer, size Size, pix []uint8, fps float64) error {
	c, err := Interleave(size, pix)
	if err != nil {
		return err
	}
	if fps == 0 {
		fps = c.FPS
	}
	if !(fps > 0) || c.W > math.MaxUint16 || c.H > math.MaxUint16 {
		return fmt.Errorf("GIF: %v frames a second of %dx%d: the rate is positive, sides go up to 65535", fps, c.W, c.H)
	}
	delay := int(min(65535, max(2, math.Round(100/fps))))
	rect := image.Rect(0, 0, c.W, c.H)
	rgba := image.NewRGBA(rect)
	g := &gif.GIF{}
	for t := range c.T {
		f := c.Frame(t)
		for i := range c.W * c.H {
			p := f[i*c.C:]
			rgba.Pix[4*i], rgba.Pix[4*i+1], rgba.Pix[4*i+2], rgba.Pix[4*i+3] = p[0], p[1], p[2], 255
		}
		m := image.NewPaletted(rect, palette.Plan9)
		draw.FloydSteinberg.Draw(m, rect, rgba, image.Point{})
		g.Image = append(g.Image, m)
		g.Delay = append(g.Delay, delay)
	}
	return gif.EncodeAll(w, g)
}

// WriteSheet writes a PNG for people to look at: for each class in order, rows of its first clips in a split, each row
// some frames of a clip from first to last.
func WriteSheet(w io.Writer, src Source, split Split, perClass, frames int) error {
	size, classes := src.Size(), len(src.Classes())
	frames = min(max(frames, 1), size.T)
	if perClass < 1 {
		return fmt.Errorf("a sheet of %d clips a class", perClass)
	}
	const gap = 2
	sheet := image.NewRGBA(image.Rect(0, 0, frames*(size.W+gap), classes*perClass*(size.H+gap)+classes*2*gap))
	for i := range sheet.Pix {
		sheet.Pix[i] = 255
	}
	found := make([]int, classes)
	dst := make([]uint8, size.Bytes())
	plane := len(dst) / 3
	n := src.Len(split)
	for i, missing := 0, classes*perClass; missing > 0 && i != n && i < 1000*classes*perClass; i++ {
		label, err := src.Clip(split, i, 0, dst)
		if _, bad := err.(*BadClip); bad {
			continue
		}
		if err != nil {
			return err
		}
		if found[label] == perClass {
			continue
		}
		top := (label*perClass+found[label])*(size.H+gap) + label*2*gap
		found[label]++
		missing--
		for f := range frames {
			t := f * (size.T - 1) / max(frames-1, 1)
			for y := range size.H {
				for x := range size.W {
					p := sheet.Pix[sheet.PixOffset(f*(size.W+gap)+x, top+y):]
					at := (t*size.H+y)*size.W + x
					p[0], p[1], p[2] = dst[at], dst[plane+at], dst[2*plane+at]
				}
			}
		}
	}
	return png.Encode(w, sheet)
}
