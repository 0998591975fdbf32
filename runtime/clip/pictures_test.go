package clip

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"image"
	"image/jpeg"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// difference is the mean and the largest distance of two clips of one size.
func difference(t *testing.T, a, b *Clip) (mean float64, most int) {
	t.Helper()
	if a.T != b.T || a.W != b.W || a.H != b.H {
		t.Fatalf("%d frames %dx%d, want %d frames %dx%d", a.T, a.W, a.H, b.T, b.W, b.H)
	}
	for i, v := range a.Pix {
		d := int(v) - int(b.Pix[i])
		d = max(d, -d)
		mean += float64(d)
		most = max(most, d)
	}
	return mean / float64(len(a.Pix)), most
}

// Chroma comes out as in libjpeg, up to the rounding of the cosine transforms and colours.
func TestJPEGLikeLibjpeg(t *testing.T) {
	files, _ := filepath.Glob("testdata/jpeg_*.png")
	if len(files) < 15 {
		t.Fatalf("%d pictures in testdata", len(files))
	}
	for _, name := range files {
		got := readAll(t, strings.TrimSuffix(name, ".png")+".jpg", Options{})
		mean, most := difference(t, got, readAll(t, name, Options{}))
		t.Logf("%s: mean %.2f, largest %d", name, mean, most)
		if mean > 0.8 || most > 6 {
			t.Errorf("%s: mean difference %.2f, largest %d", name, mean, most)
		}
	}
	if c := readAll(t, "testdata/jpeg_cmyk.jpg", Options{}); c.W != 20 || c.H != 15 {
		t.Errorf("CMYK: %dx%d", c.W, c.H)
	}
}

func TestEXIF(t *testing.T) {
	dir := t.TempDir()
	for o := 1; o <= 8; o++ {
		data, err := os.ReadFile(fmt.Sprintf("testdata/exif_%d.jpg", o))
		if err != nil {
			t.Fatal(err)
		}
		want := readAll(t, fmt.Sprintf("testdata/exif_%d.png", o), Options{})
		if mean, most := difference(t, readAll(t, write(t, dir, "a.jpg", data), Options{}), want); mean > 0.8 || most > 6 {
			t.Errorf("orientation %d: mean difference %.2f, largest %d", o, mean, most)
		}
	}
	plain := readAll(t, "testdata/exif_1.jpg", Options{})
	base, _ := os.ReadFile("testdata/exif_1.jpg")
	turned, _ := os.ReadFile("testdata/exif_6.jpg")
	sideways := readAll(t, "testdata/exif_6.jpg", Options{})
	i := bytes.Index(base, []byte("Exif\x00\x00")) // after FF E1 and a length
	n := int(binary.BigEndian.Uint16(base[i-2:]))
	with := func(exif []byte) *Clip { // in place of the segment that is there
		seg := binary.BigEndian.AppendUint16([]byte{0xff, 0xe1}, uint16(len(exif)+2))
		return readAll(t, write(t, dir, "a.jpg", slices.Concat(base[:i-4], seg, exif, base[i-2+n:])), Options{})
	}
	tiff := func(o binary.ByteOrder, kind uint16, value uint32, entries int) []byte {
		b := []byte("Exif\x00\x00II")
		if o == binary.BigEndian {
			b = []byte("Exif\x00\x00MM")
		}
		put16 := func(v uint16) { b = append(b, 0, 0); o.PutUint16(b[len(b)-2:], v) }
		put32 := func(v uint32) { b = append(b, 0, 0, 0, 0); o.PutUint32(b[len(b)-4:], v) }
		put16(42)
		put32(8)
		put16(uint16(entries))
		for range entries - 1 { // others come first
			put16(0x010f)
			put16(2)
			put32(3)
			put32(0x41414100)
		}
		put16(0x0112)
		put16(kind)
		put32(1)
		if kind == 3 {
			put16(uint16(value))
			put16(0)
		} else {
			put32(value)
		}
		put32(0)
		return b
	}
	for _, o := range []binary.ByteOrder{binary.LittleEndian, binary.BigEndian} {
		for v := range uint32(9) {
			got := with(tiff(o, 3, v, 1+int(v)))
			want := plain
			if v > 0 {
				want = readAll(t, fmt.Sprintf("testdata/exif_%d.jpg", v), Options{})
			}
			equalPix(t, got.Pix, want.Pix)
			if got.W != want.W {
				t.Errorf("orientation %d: %d wide, want %d", v, got.W, want.W)
			}
		}
		equalPix(t, with(tiff(o, 4, 6, 2)).Pix, sideways.Pix) // 32 bits
		whole := tiff(o, 3, 6, 3)
		for cut := range len(whole) - 6 { // broken EXIF says nothing
			equalPix(t, with(whole[:cut]).Pix, plain.Pix)
		}
		for _, v := range []uint32{9, 0xffff} {
			equalPix(t, with(tiff(o, 3, v, 1)).Pix, plain.Pix)
		}
		equalPix(t, with(tiff(o, 2, 6, 1)).Pix, plain.Pix) // text
		far := tiff(o, 3, 6, 1)
		o.PutUint32(far[10:], 0xfffffff0)
		equalPix(t, with(far).Pix, plain.Pix)
	}
	equalPix(t, with([]byte("http://ns.adobe.com/xap/1.0/\x00<x:xmpmeta/>")).Pix, plain.Pix)

	// Frames of a folder are compared as they are shown.
	frames := filepath.Join(dir, "frames")
	os.Mkdir(frames, 0o777)
	write(t, frames, "1.jpg", base)
	write(t, frames, "2.jpg", turned)
	_, err := openAll(frames, Spec{C: 3}, Options{})
	wantError(t, err, "2.jpg is 6x13, but 1.jpg is 13x6")
}

func TestAnimatedPNG(t *testing.T) {
	files, _ := filepath.Glob("testdata/apng_*.png")
	if len(files) < 4 {
		t.Fatalf("%d files in testdata", len(files))
	}
	for _, name := range files {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		f, err := os.Open(strings.TrimSuffix(name, ".png") + ".npy")
		if err != nil {
			t.Fatal(err)
		}
		want, err := ReadNPY(f, 1<<20)
		f.Close()
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range []*Clip{readAll(t, name, Options{}), readAll(t, "-", Options{Stdin: bytes.NewReader(data)})} {
			if !slices.Equal([]int{c.T, c.H, c.W, 3}, want.Shape) {
				t.Fatalf("%s: %d frames %dx%d, want %v", name, c.T, c.W, c.H, want.Shape)
			}
			equalPix(t, c.Pix, want.Data)
		}
		for n := 0; n < len(data); n += 7 { // cut off anywhere: an error, or whole frames
			openAll("-", Spec{C: 3}, Options{Stdin: bytes.NewReader(data[:n])})
		}
		_, err = openAll("-", Spec{C: 3}, Options{Stdin: bytes.NewReader(data[:len(data)-60])})
		wantError(t, err, "PNG", "cut off")
	}
	items, err := openAll("testdata/apng_opaque.png", Spec{C: 3, T: 5, H: 12, W: 20}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if want := "5 frames 20x12 -> 5 frames 20x12: frames 1,3,3,3,4 by their delays"; items[0].Note != want {
		t.Errorf("note %q, want %q", items[0].Note, want)
	}
}

func TestAnimatedPNGErrors(t *testing.T) {
	head := pngHead{w: 4, h: 3}
	control := func(w, h, x, y uint32) []byte {
		b := make([]byte, 26)
		for i, v := range []uint32{w, h, x, y} {
			binary.BigEndian.PutUint32(b[4+4*i:], v)
		}
		return b
	}
	for _, c := range [][4]uint32{{5, 3, 0, 0}, {4, 3, 1, 0}, {4, 3, 0, 1}, {0, 3, 0, 0}, {1, 1, 0xffffffff, 0}} {
		_, err := parseFCTL(control(c[0], c[1], c[2], c[3]), head)
		wantError(t, err, "does not lie in the picture of 4x3")
	}
	_, err := parseFCTL(make([]byte, 25), head)
	wantError(t, err, "25 bytes")
	b := control(4, 3, 0, 0)
	for _, c := range []struct {
		num, den uint16
		want     int64
	}{{0, 0, 1e5}, {1, 100, 1e5}, {2, 0, 2e4}, {1, 60, 16666}, {1, 1000, 1e5}, {3, 2, 15e5}} {
		binary.BigEndian.PutUint16(b[20:], c.num)
		binary.BigEndian.PutUint16(b[22:], c.den)
		if f, err := parseFCTL(b, head); err != nil || f.delay != c.want {
			t.Errorf("%d/%d s: %d, want %d; %v", c.num, c.den, f.delay, c.want, err)
		}
	}
}

// withSize returns a PNG or JPEG with another size in its head.
func withSize(data []byte, w, h int) []byte {
	data = slices.Clone(data)
	if bytes.HasPrefix(data, []byte(pngMagic)) {
		binary.BigEndian.PutUint32(data[16:], uint32(w))
		binary.BigEndian.PutUint32(data[20:], uint32(h))
		binary.BigEndian.PutUint32(data[29:], crc32.ChecksumIEEE(data[12:29]))
		return data
	}
	for _, m := range []byte{0xc0, 0xc2} {
		if i := bytes.Index(data, []byte{0xff, m, 0}); i >= 0 {
			binary.BigEndian.PutUint16(data[i+5:], uint16(h))
			binary.BigEndian.PutUint16(data[i+7:], uint16(w))
		}
	}
	return data
}

// A file that declares more than the limit allows is refused before memory is spent, and one that declares less than
// that allocates no more than the limit, whatever it is.
func TestPicturesKeepTheLimit(t *testing.T) {
	dir := t.TempDir()
	progressive, _ := os.ReadFile("testdata/jpeg_420_progressive.jpg")
	apng, _ := os.ReadFile("testdata/apng_blend.png")
	grey := jpegBytes(image.NewGray(image.Rect(0, 0, 8, 8)))
	var sub bytes.Buffer
	jpeg.Encode(&sub, image.NewYCbCr(image.Rect(0, 0, 8, 8), image.YCbCrSubsampleRatio420), nil)
	deep := pngBytes(image.NewNRGBA64(image.Rect(0, 0, 8, 8)))
	const limit = 64 << 20
	for name, data := range map[string][]byte{
		"a.jpg": grey, "b.jpg": sub.Bytes(), "c.jpg": progressive, "d.png": deep, "e.png": apng, "f.png": pngBytes(image.NewGray(image.Rect(0, 0, 8, 8))),
		"g.gif": gifOf(8, 8, rgbw, flat(0, 0, 8, 8, 1)), "h.y4m": y4mBytes("W8 H8 C444", make([]byte, 192)),
	} {
		for _, side := range []int{60000, 6000, 4000, 3000, 2500, 2000} {
			big := withSize(data, side, side)
			switch filepath.Ext(name) {
			case ".gif":
				big = gifOf(side, side, rgbw, pictureOf(0, 0, side, side, false, nil, 2, []byte{1}))
			case ".y4m":
				big = y4mBytes(fmt.Sprintf("W%d H%d C444", side, side), make([]byte, 192))
			}
			path := write(t, dir, name, big)
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_, err := openAll(path, Spec{C: 3, T: 1, H: 8, W: 8, DType: "u8"}, Options{Limit: limit})
			runtime.ReadMemStats(&after)
			if got := after.TotalAlloc - before.TotalAlloc; got > limit+limit/8 {
				t.Errorf("%s of %dx%d: %d bytes, the limit is %d (%v)", name, side, side, got, limit, err)
			}
			if side == 60000 {
				wantError(t, err, name, "60000x60000", "limit of 67108864")
			}
		}
	}
}
