package clip

import (
	"bytes"
	"cmp"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// openImage reads a single PNG or JPEG as a clip of one frame.
func openImage(r io.Reader, format string, limit int64) (*Video, error) {
	rgb, w, h, err := decodeImage(r, format, limit)
	if err != nil {
		return nil, err
	}
	v := &Video{W: w, H: h}
	v.next = func() ([]uint8, error) {
		f := rgb
		rgb = nil
		if f == nil {
			return nil, io.EOF
		}
		return f, nil
	}
	return v, nil
}

// openFolder reads the PNG and JPEG files of a folder as frames, in natural order of their names (2 before 10). Other
// files, hidden files and folders inside are passed over. All frames must have one size.
func openFolder(dir string, limit int64) (*Video, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, e := range entries {
		switch strings.ToLower(filepath.Ext(e.Name())) {
		case ".png", ".jpg", ".jpeg":
			if !e.IsDir() && !strings.HasPrefix(e.Name(), ".") {
				names = append(names, e.Name())
			}
		}
	}
	if len(names) == 0 {
		return nil, fmt.Errorf("no .png, .jpg or .jpeg frames among the %d entries of the folder", len(entries))
	}
	slices.SortFunc(names, naturalCompare)
	read := func(name string) ([]uint8, int, int, error) {
		in, err := openInput(filepath.Join(dir, name), Options{})
		if err != nil {
			return nil, 0, 0, err
		}
		defer in.close()
		format, err := sniff(in)
		if err == nil && format != "png" && format != "jpeg" {
			err = fmt.Errorf("the contents are %s, not PNG or JPEG", format)
		}
		if err != nil {
			return nil, 0, 0, fmt.Errorf("frame %s: %w", name, err)
		}
		rgb, w, h, err := decodeImage(in.r, format, limit)
		if err != nil {
			return nil, 0, 0, fmt.Errorf("frame %s: %w", name, err)
		}
		return rgb, w, h, nil
	}
	first, w, h, err := read(names[0])
	if err != nil {
		return nil, err
	}
	v := &Video{W: w, H: h}
	at := 0
	v.next = func() ([]uint8, error) {
		if at == len(names) {
			return nil, io.EOF
		}
		name := names[at]
		at++
		if at == 1 {
			f := first
			first = nil
			return f, nil
		}
		rgb, fw, fh, err := read(name)
		if err != nil {
			return nil, err
		}
		if fw != w || fh != h {
			return nil, fmt.Errorf("frame %s is %dx%d, but %s is %dx%d: all frames of a folder must have one size", name, fw, fh, names[0], w, h)
		}
		return rgb, nil
	}
	return v, nil
}

// decodeImage decodes to RGB, over black where it is transparent. The size is checked before anything is allocated.
func decodeImage(r io.Reader, format string, limit int64) ([]uint8, int, int, error) {
	config, decode, name := png.DecodeConfig, png.Decode, "PNG"
	if format == "jpeg" {
		config, decode, name = jpeg.DecodeConfig, jpeg.Decode, "JPEG"
	}
	var seen bytes.Buffer // what the header took, to be read again
	cfg, err := config(io.TeeReader(io.LimitReader(r, limit), &seen))
	if err != nil {
		return nil, 0, 0, fmt.Errorf("%s: %w", name, noEOF(err))
	}
	if err := checkFrame(cfg.Width, cfg.Height, limit); err != nil {
		return nil, 0, 0, fmt.Errorf("%s: %w", name, err)
	}
	m, err := decode(io.MultiReader(&seen, r))
	if err != nil {
		return nil, 0, 0, fmt.Errorf("%s of %dx%d: %w", name, cfg.Width, cfg.Height, noEOF(err))
	}
	w, h := m.Bounds().Dx(), m.Bounds().Dy()
	if w != cfg.Width || h != cfg.Height {
		return nil, 0, 0, fmt.Errorf("%s: the header says %dx%d, the picture is %dx%d", name, cfg.Width, cfg.Height, w, h)
	}
	return overBlack(m), w, h, nil
}

// overBlack returns the picture's pixels as RGB: premultiplied colours are the
// colours over black. JPEG's own model has a loop of its own, for speed; package
// image/draw would do this too, at 50 KB of program.
func overBlack(m image.Image) []uint8 {
	b := m.Bounds()
	rgb := make([]uint8, 0, 3*b.Dx()*b.Dy())
	ycc, _ := m.(*image.YCbCr)
	for y := b.Min.Y; y < b.Max.Y; y++ {
		for x := b.Min.X; x < b.Max.X; x++ {
			if ycc != nil {
				c := ycc.YCbCrAt(x, y)
				r, g, bl := color.YCbCrToRGB(c.Y, c.Cb, c.Cr)
				rgb = append(rgb, r, g, bl)
				continue
			}
			r, g, bl, _ := m.At(x, y).RGBA()
			rgb = append(rgb, uint8(r>>8), uint8(g>>8), uint8(bl>>8))
		}
	}
	return rgb
}

// naturalCompare orders names with runs of digits compared as numbers; names equal in that sense, as text.
func naturalCompare(a, b string) int {
	x, y := a, b
	for x != "" && y != "" {
		dx, dy := digits(x), digits(y)
		if dx > 0 && dy > 0 {
			nx, ny := strings.TrimLeft(x[:dx], "0"), strings.TrimLeft(y[:dy], "0")
			if c := cmp.Or(cmp.Compare(len(nx), len(ny)), cmp.Compare(nx, ny)); c != 0 {
				return c
			}
			x, y = x[dx:], y[dy:]
			continue
		}
		if x[0] != y[0] {
			return cmp.Compare(x[0], y[0])
		}
		x, y = x[1:], y[1:]
	}
	return cmp.Or(cmp.Compare(len(x), len(y)), cmp.Compare(a, b))
}

// digits is the length of the run of digits s begins with.
func digits(s string) int { return len(s) - len(strings.TrimLeft(s, "0123456789")) }
