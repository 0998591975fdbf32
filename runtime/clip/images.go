package clip

import (
	"cmp"
	"image"
	"image/color"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
)

// still is a video of one frame.
func still(rgb []uint8, w, h int) *Video {
	done := false
	return &Video{W: w, H: h, line: Even(1), next: func() ([]uint8, error) {
		if done {
			return nil, io.EOF
		}
		done = true
		return rgb, nil
	}}
}

// picture is a PNG or JPEG of which only the size is known yet.
type picture struct {
	w, h   int   // as shown
	need   int64 // bytes that decoding takes
	decode func() ([]uint8, error)
	frames func() (*Video, error) // of an animated PNG, else nil
}

// readPicture reads as much as tells the size and checks it. The picture is decoded from in later.
func readPicture(in *input, format string, limit int64) (p picture, err error) {
	if err = in.keep(limit / 4); err != nil {
		return p, err
	}
	if format == "png" {
		return pngPicture(in, limit)
	}
	return jpegPicture(in, limit)
}

// openImage reads a PNG or JPEG as a clip of one frame, an animated PNG as all of its frames.
func openImage(in *input, format string, limit int64) (*Video, error) {
	name := strings.ToUpper(format)
	p, err := readPicture(in, format, limit)
	if err != nil {
		return nil, errorf("%s: %w", name, err)
	}
	if p.frames != nil {
		v, err := p.frames()
		if err != nil {
			return nil, errorf("animated PNG: %w", err)
		}
		return v, nil
	}
	rgb, err := p.decode()
	if err != nil {
		return nil, errorf("%s of %dx%d: %w", name, p.w, p.h, noEOF(err))
	}
	v := still(rgb, p.w, p.h)
	v.need = p.need
	return v, nil
}

// pixels reads the pixels of a picture in premultiplied colours, without an allocation for each.
func pixels(m image.Image) func(x, y int) color.RGBA64 {
	if m, ok := m.(image.RGBA64Image); ok {
		return m.RGBA64At
	}
	return func(x, y int) color.RGBA64 {
		r, g, b, a := m.At(x, y).RGBA()
		return color.RGBA64{R: uint16(r), G: uint16(g), B: uint16(b), A: uint16(a)}
	}
}

// openFolder reads the PNG and JPEG files of a folder as frames, in natural order of their names (2 before 10). Other
// files, hidden files and folders inside are passed over. All frames must have one size. An animated PNG stands for its
// first frame.
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
		return nil, errorf("no .png, .jpg or .jpeg frames among the %d entries of the folder", len(entries))
	}
	slices.SortFunc(names, naturalCompare)
	f := &frameFolder{dir: dir, names: names, limit: limit}
	first, err := f.frame(0, true)
	if err != nil {
		return nil, err
	}
	v := &Video{W: f.w, H: f.h, line: Even(len(names)), need: f.need}
	at := 0
	v.next = func() ([]uint8, error) {
		if at == len(names) {
			return nil, io.EOF
		}
		at++
		if at == 1 {
			rgb := first
			first = nil
			return rgb, nil
		}
		return f.frame(at-1, true)
	}
	v.skip = func() error {
		if at == len(names) {
			return io.EOF
		}
		at++
		if at == 1 {
			first = nil
			return nil
		}
		_, err := f.frame(at-1, false)
		return err
	}
	return v, nil
}

// frameFolder reads pictures of one size.
type frameFolder struct {
	dir   string
	names []string
	limit int64
	w, h  int // 0 before the first
	need  int64
}

// frame decodes picture i, or, if not wanted, reads no more of it than its size.
func (f *frameFolder) frame(i int, wanted bool) ([]uint8, error) {
	in, err := openInput(filepath.Join(f.dir, f.names[i]), Options{})
	if err != nil {
		return nil, err
	}
	defer in.close()
	rgb, err := f.read(in, wanted)
	if err != nil {
		return nil, errorf("frame %s %w", f.names[i], err)
	}
	return rgb, nil
}

func (f *frameFolder) read(in *input, wanted bool) ([]uint8, error) {
	format, err := sniff(in)
	if err == nil && format != "png" && format != "jpeg" {
		err = errorf("it holds %s, not PNG or JPEG", cmp.Or(format, "another format"))
	}
	if err != nil {
		return nil, errorf("cannot be read: %w", err)
	}
	p, err := readPicture(in, format, f.limit)
	if err != nil {
		return nil, errorf("(%s) cannot be read: %w", strings.ToUpper(format), err)
	}
	if f.w == 0 {
		f.w, f.h = p.w, p.h
	}
	if p.w != f.w || p.h != f.h {
		return nil, errorf("is %dx%d, but %s is %dx%d: all frames of a folder must have one size", p.w, p.h, f.names[0], f.w, f.h)
	}
	if !wanted {
		return nil, nil
	}
	if f.need > 1<<24 { // what decoding the last one left
		runtime.GC()
	}
	f.need = max(f.need, p.need)
	rgb, err := p.decode()
	if err != nil {
		return nil, errorf("(%s of %dx%d) cannot be read: %w", strings.ToUpper(format), p.w, p.h, noEOF(err))
	}
	return rgb, nil
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
