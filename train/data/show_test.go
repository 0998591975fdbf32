package data

import (
	"bytes"
	"image"
	"image/png"
	"math"
	"testing"

	"github.com/billnet/billnet/runtime/clip"
)

func TestWriteGIF(t *testing.T) {
	g := newGestures(t, DefaultSize(), GestureOptions{})
	pix, _ := clipOf(t, g, Test, 0, 0)
	path := t.TempDir() + "/clip.gif"
	var b bytes.Buffer
	if err := WriteGIF(&b, DefaultSize(), pix, 10); err != nil {
		t.Fatal(err)
	}
	write(t, path, b.Bytes())
	v, err := clip.OpenVideo(path, clip.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	c, err := v.ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	if c.T != 16 || c.H != 48 || c.W != 64 || c.FPS != 10 {
		t.Fatalf("the animation has %d frames %dx%d at %v a second", c.T, c.W, c.H, c.FPS)
	}
	// The palette is coarse and dithered: the means of a quarter of the picture are close, one frame apart they are not
	// those of another channel or place.
	quarter := func(at func(t, y, x, k int) uint8, t, qy, qx, k int) float64 {
		sum := 0.0
		for y := range 24 {
			for x := range 32 {
				sum += float64(at(t, qy*24+y, qx*32+x, k))
			}
		}
		return sum / (24 * 32)
	}
	for f := range 16 {
		for q := range 12 {
			want := quarter(func(t, y, x, k int) uint8 { return pix[((k*16+t)*48+y)*64+x] }, f, q&1, q>>1&1, q>>2)
			got := quarter(func(t, y, x, k int) uint8 { return c.Frame(t)[(y*64+x)*3+k] }, f, q&1, q>>1&1, q>>2)
			if math.Abs(want-got) > 12 {
				t.Errorf("frame %d, part %d: mean %.1f, want %.1f", f, q, got, want)
			}
		}
	}
	if err := WriteGIF(&b, DefaultSize(), pix[1:], 10); err == nil {
		t.Error("a clip one byte short: no error")
	}
	if err := WriteGIF(&b, DefaultSize(), pix, -1); err == nil {
		t.Error("-1 frames a second: no error")
	}
}

func TestWriteSheet(t *testing.T) {
	g := newGestures(t, DefaultSize(), GestureOptions{Classes: 3})
	var b bytes.Buffer
	if err := WriteSheet(&b, g, Val, 2, 4); err != nil {
		t.Fatal(err)
	}
	m, err := png.Decode(&b)
	if err != nil {
		t.Fatal(err)
	}
	sheet := newSheet(DefaultSize(), g.Classes(), 2, 4)
	if want := sheet.cell(3, 0, 4); m.Bounds().Max != want || sheet.zoom != 2 {
		t.Fatalf("the sheet is %v with frames %d times as large, want %v and 2", m.Bounds().Max, sheet.zoom, want)
	}
	dark := func(r image.Rectangle) (n int) { // pixels of text
		for y := r.Min.Y; y < r.Max.Y; y++ {
			for x := r.Min.X; x < r.Max.X; x++ {
				if v, _, _, _ := m.At(x, y).RGBA(); v < 0x8000 {
					n++
				}
			}
		}
		return n
	}
	for i, class := range g.Classes() { // names beside the first rows, whole: nothing at the edge
		row := image.Rectangle{sheet.cell(i, 0, 0).Sub(image.Pt(sheet.left, 0)), sheet.cell(i, 0, 0).Add(image.Pt(-1, 96))}
		edge := row
		edge.Max.X = 10
		if n := dark(row); n < 10*len(class) || dark(edge) > 0 {
			t.Errorf("the name of class %q has %d pixels, %d at the edge", class, n, dark(edge))
		}
	}
	if n := dark(image.Rect(sheet.left, 0, m.Bounds().Max.X, sheet.top)); n < 50 {
		t.Errorf("the numbers of the frames have %d pixels", n)
	}
	// The second clip of class 1: its last frame, a pixel.
	seen := 0
	for i := 0; ; i++ {
		pix, label := clipOf(t, g, Val, i, 0)
		if label != 1 {
			continue
		}
		if seen++; seen < 2 {
			continue
		}
		at := (15*48+7)*64 + 9
		r, gr, bl, _ := m.At(sheet.cell(1, 1, 3).X+2*9+1, sheet.cell(1, 1, 3).Y+2*7).RGBA()
		n := len(pix) / 3
		if uint8(r>>8) != pix[at] || uint8(gr>>8) != pix[n+at] || uint8(bl>>8) != pix[2*n+at] {
			t.Error("the sheet shows another pixel")
		}
		break
	}
	if err := WriteSheet(&b, g, Val, 0, 4); err == nil {
		t.Error("no clips a class: no error")
	}
}
