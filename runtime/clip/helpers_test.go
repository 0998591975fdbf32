package clip

import (
	"bufio"
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"image/png"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// noise is a clip of reproducible random pixels.
func noise(t, h, w, c int, seed uint64) *Clip {
	r := rand.New(rand.NewPCG(seed, 1))
	k := &Clip{T: t, H: h, W: w, C: c, Pix: make([]uint8, t*h*w*c)}
	for i := range k.Pix {
		k.Pix[i] = uint8(r.Uint32())
	}
	return k
}

func rgbImage(c *Clip, t int) *image.NRGBA {
	m := image.NewNRGBA(image.Rect(0, 0, c.W, c.H))
	for i, f := 0, c.Frame(t); i < c.W*c.H; i++ {
		copy(m.Pix[4*i:], f[3*i:3*i+3])
		m.Pix[4*i+3] = 255
	}
	return m
}

func pngBytes(m image.Image) []byte {
	var b bytes.Buffer
	if err := png.Encode(&b, m); err != nil {
		panic(err)
	}
	return b.Bytes()
}

func jpegBytes(m image.Image) []byte {
	var b bytes.Buffer
	if err := jpeg.Encode(&b, m, nil); err != nil {
		panic(err)
	}
	return b.Bytes()
}

func npyBytes(a *NPY) []byte {
	var b bytes.Buffer
	if err := WriteNPY(&b, a); err != nil {
		panic(err)
	}
	return b.Bytes()
}

// testGIF has a 4x3 canvas, a global palette, partial frames and all disposal methods.
func testGIF() []byte {
	pal := color.Palette{color.RGBA{}, color.RGBA{255, 0, 0, 255}, color.RGBA{0, 255, 0, 255}, color.RGBA{0, 0, 255, 255}}
	block := func(x0, y0, x1, y1 int, index uint8) *image.Paletted {
		m := image.NewPaletted(image.Rect(x0, y0, x1, y1), pal)
		for i := range m.Pix {
			m.Pix[i] = index
		}
		return m
	}
	hole := block(0, 0, 4, 3, 2)
	hole.SetColorIndex(0, 0, 0)
	hole.SetColorIndex(3, 0, 0)
	g := &gif.GIF{
		Image: []*image.Paletted{
			block(0, 0, 4, 3, 1), // red everywhere
			block(1, 1, 3, 2, 3), // blue bar, then put back what was there
			block(2, 0, 4, 1, 2), // green corner, then background
			hole,                 // green everywhere but at 0,0 and 3,0
		},
		Delay:    []int{10, 10, 10, 10},
		Disposal: []byte{gif.DisposalNone, gif.DisposalPrevious, gif.DisposalBackground, gif.DisposalNone},
		Config:   image.Config{ColorModel: pal, Width: 4, Height: 3},
	}
	var b bytes.Buffer
	if err := gif.EncodeAll(&b, g); err != nil {
		panic(err)
	}
	return b.Bytes()
}

func y4mBytes(header string, frames ...[]byte) []byte {
	b := []byte("YUV4MPEG2 " + header + "\n")
	for _, f := range frames {
		b = append(append(b, "FRAME\n"...), f...)
	}
	return b
}

func write(t testing.TB, dir, name string, data []byte) string {
	t.Helper()
	p := filepath.Join(dir, name)
	if err := os.WriteFile(p, data, 0o666); err != nil {
		t.Fatal(err)
	}
	return p
}

// readAll opens a file at its own size.
func readAll(t testing.TB, path string, opt Options) *Clip {
	t.Helper()
	v, err := OpenVideo(path, opt)
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	c, err := v.ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// openAll returns every item of a file.
func openAll(path string, s Spec, opt Options) (items []*Item, err error) {
	src, err := Open(path, s, opt)
	if err != nil {
		return nil, err
	}
	defer src.Close()
	for {
		it, err := src.Next()
		if err == io.EOF {
			if len(items) != src.Len() {
				return nil, fmt.Errorf("%d items, Len is %d", len(items), src.Len())
			}
			return items, nil
		}
		if err != nil {
			return nil, err
		}
		items = append(items, it)
	}
}

// wantError checks that err has all the parts.
func wantError(t testing.TB, err error, parts ...string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error, want one with %q", parts)
	}
	for _, p := range parts {
		if !strings.Contains(err.Error(), p) {
			t.Errorf("error %q lacks %q", err, p)
		}
	}
}

func equalPix(t testing.TB, got, want []uint8) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%d bytes, want %d", len(got), len(want))
	}
	for i := range got {
		if got[i] != want[i] {
			t.Fatalf("byte %d is %d, want %d", i, got[i], want[i])
		}
	}
}

// pipe is an input that cannot go back.
func pipe(b []byte) *input {
	return &input{name: "pipe", r: bufio.NewReader(bytes.NewReader(b)), size: -1}
}
