package clip

import (
	"fmt"
	"image"
	"image/color/palette"
	"image/draw"
	"image/gif"
	"io"
	"math"
)

// WriteGIF writes a clip (C = 1 or 3) as an endless animation in the fixed Plan 9 palette, dithered (Floyd-Steinberg). fps 0 = the clip's own, or 12; readers
// show no more than 50.
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
	delay := int(min(65535, max(2, math.Round(100/fps))))
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
