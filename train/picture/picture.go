// Package picture draws what training shows to people: curves, matrices, sheets
// of frames. Text is in Liberation Sans, which PNGs contain as pixels; SVGs name
// fonts of the same widths for systems that lack it.
package picture

import (
	"bytes"
	"fmt"
	"image/color"
	"image/draw"
	"io"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/vg"
	vgdraw "gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"
	"gonum.org/v1/plot/vg/vgsvg"
)

// dpi of PNGs: a 20 cm picture has 1181 pixels.
const dpi = 150

// Font is the font of all text.
func Font(size vg.Length) font.Font {
	return font.Font{Typeface: "Liberation", Variant: "Sans", Size: size}
}

// Text is black text of a size.
func Text(size vg.Length) vgdraw.TextStyle {
	return vgdraw.TextStyle{Color: color.Black, Font: Font(size), Handler: plot.DefaultTextHandler}
}

// NewPlot is an empty plot with the font.
func NewPlot() *plot.Plot {
	p := plot.New()
	for _, f := range []*font.Font{&p.Title.TextStyle.Font, &p.X.Label.TextStyle.Font, &p.Y.Label.TextStyle.Font, &p.X.Tick.Label.Font, &p.Y.Tick.Label.Font, &p.Legend.TextStyle.Font} {
		*f = Font(f.Size)
	}
	return p
}

// Write draws a picture of a size in the format "png" or "svg".
func Write(w io.Writer, format string, width, height vg.Length, paint func(vgdraw.Canvas)) error {
	var b bytes.Buffer
	switch format {
	case "png":
		c := vgimg.PngCanvas{Canvas: vgimg.NewWith(vgimg.UseWH(width, height), vgimg.UseDPI(dpi))}
		paint(vgdraw.New(c))
		_, err := c.WriteTo(w)
		return err
	case "svg":
		c := vgsvg.New(width, height)
		paint(vgdraw.New(c))
		if _, err := c.WriteTo(&b); err != nil {
			return err
		}
		_, err := w.Write(bytes.ReplaceAll(b.Bytes(), []byte("font-family:Liberation Sans"), []byte("font-family:'Liberation Sans',Arial,Helvetica,sans-serif")))
		return err
	}
	return fmt.Errorf("a picture as %q, expected png or svg", format)
}

// Pixels is a white image on which paint drew, a point of its canvas a pixel.
func Pixels(width, height int, paint func(vgdraw.Canvas)) draw.Image {
	c := vgimg.NewWith(vgimg.UseWH(vg.Length(width), vg.Length(height)), vgimg.UseDPI(72))
	paint(vgdraw.New(c))
	return c.Image()
}
