package data

import (
	"fmt"
	"image"
	"image/color"
	"image/color/palette"
	"image/draw"
	"image/gif"
	"image/png"
	"io"
	"math"

	"gonum.org/v1/plot/vg"
	vgdraw "gonum.org/v1/plot/vg/draw"

	"github.com/billnet/billnet/runtime/clip"
	"github.com/billnet/billnet/train/picture"
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

// sheet is how WriteSheet lays out its cells, in pixels.
type sheet struct {
	size             Size
	zoom             int // of a frame
	left, top        int // for the names and the numbers of the frames
	frames, perClass int
}

const sheetGap = 4

// textSize of a sheet, in pixels.
const textSize = 15

func newSheet(size Size, classes []string, perClass, frames int) sheet {
	s := sheet{size: size, zoom: max(1, (119+size.W)/size.W), top: 2 * textSize, frames: min(max(frames, 1), size.T), perClass: perClass}
	for _, name := range classes {
		s.left = max(s.left, int(picture.Text(textSize).Width(name))+3*textSize)
	}
	return s
}

// cell is the upper left corner of frame f of a clip.
func (s sheet) cell(class, clip, f int) image.Point {
	return image.Pt(s.left+f*(s.zoom*s.size.W+sheetGap), s.top+(class*s.perClass+clip)*(s.zoom*s.size.H+sheetGap)+class*2*sheetGap)
}

// frame is the number of the frame in column f: from the first to the last.
func (s sheet) frame(f int) int { return f * (s.size.T - 1) / max(s.frames-1, 1) }

// clip draws a clip, [3][T][H][W].
func (s sheet) clip(img draw.Image, class, clip int, pix []uint8) {
	plane := len(pix) / 3
	for f := range s.frames {
		from := s.cell(class, clip, f)
		for y := range s.zoom * s.size.H {
			for x := range s.zoom * s.size.W {
				at := (s.frame(f)*s.size.H+y/s.zoom)*s.size.W + x/s.zoom
				img.Set(from.X+x, from.Y+y, color.RGBA{R: pix[at], G: pix[plane+at], B: pix[2*plane+at], A: 255})
			}
		}
	}
}

// labels is the sheet with the names of the classes beside their rows and the
// numbers of the frames above.
func (s sheet) labels(classes []string) draw.Image {
	end := s.cell(len(classes), 0, s.frames)
	return picture.Pixels(end.X, end.Y, func(c vgdraw.Canvas) {
		at := func(p image.Point) vg.Point { return vg.Point{X: vg.Length(p.X), Y: vg.Length(end.Y - p.Y)} }
		number, name := picture.Text(textSize), picture.Text(textSize)
		number.XAlign, number.YAlign = vgdraw.XCenter, vgdraw.YCenter
		name.XAlign, name.YAlign = vgdraw.XRight, vgdraw.YCenter
		for f := range s.frames {
			p := s.cell(0, 0, f)
			c.FillText(number, at(image.Pt(p.X+s.zoom*s.size.W/2, s.top/2)), fmt.Sprint(s.frame(f)))
		}
		for i, class := range classes {
			p := s.cell(i, 0, 0)
			c.FillText(name, at(image.Pt(s.left-textSize, p.Y+s.zoom*s.size.H/2)), class)
		}
	})
}

// WriteSheet writes a PNG for people to look at: for each class in order, with its name, rows of its first clips in a
// split, each row some frames of a clip from first to last, small ones enlarged; above are their numbers.
func WriteSheet(w io.Writer, src Source, split Split, perClass, frames int) error {
	size, classes := src.Size(), src.Classes()
	if perClass < 1 {
		return fmt.Errorf("a sheet of %d clips a class", perClass)
	}
	s := newSheet(size, classes, perClass, frames)
	img := s.labels(classes)
	found := make([]int, len(classes))
	dst := make([]uint8, size.Bytes())
	n := src.Len(split)
	for i, missing := 0, len(classes)*perClass; missing > 0 && i != n && i < 1000*len(classes)*perClass; i++ {
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
		s.clip(img, label, found[label], dst)
		found[label]++
		missing--
	}
	return png.Encode(w, img)
}
