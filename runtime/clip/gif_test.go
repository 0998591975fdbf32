package clip

import (
	"bytes"
	"compress/lzw"
	"image/gif"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// gifPart writes one part of a GIF.
type gifPart func(b *bytes.Buffer)

// gifOf writes the header, a global colour table of n colours (0 = none) and the parts. There is no trailer.
func gifOf(w, h int, table []byte, parts ...gifPart) []byte {
	b := bytes.NewBufferString("GIF89a")
	b.Write([]byte{byte(w), byte(w >> 8), byte(h), byte(h >> 8), tableFlags(table), 0, 0})
	b.Write(table)
	for _, p := range parts {
		p(b)
	}
	return b.Bytes()
}

func tableFlags(table []byte) byte {
	for k := range 8 {
		if len(table) == 3<<(k+1) {
			return 0x80 | byte(k)
		}
	}
	return 0
}

// rgbw is a table of black, red, green, blue.
var rgbw = []byte{0, 0, 0, 255, 0, 0, 0, 255, 0, 0, 0, 255}

func bytesPart(p ...byte) gifPart { return func(b *bytes.Buffer) { b.Write(p) } }

var trailer = bytesPart(0x3b)

// control is a graphic control extension; transparent -1 = none.
func control(delay, disposal, transparent int) gifPart {
	flags := byte(disposal << 2)
	if transparent >= 0 {
		flags |= 1
	}
	return bytesPart(0x21, 0xf9, 4, flags, byte(delay), byte(delay>>8), byte(transparent), 0, 0)
}

// pictureOf is a picture with its own table (nil = none) of indices in the order of the file.
func pictureOf(x, y, w, h int, interlaced bool, table []byte, codeSize int, pixels []byte) gifPart {
	return func(b *bytes.Buffer) {
		flags := tableFlags(table)
		if interlaced {
			flags |= 0x40
		}
		b.WriteByte(0x2c)
		for _, v := range []int{x, y, w, h} {
			b.Write([]byte{byte(v), byte(v >> 8)})
		}
		b.WriteByte(flags)
		b.Write(table)
		b.WriteByte(byte(codeSize))
		var codes bytes.Buffer
		z := lzw.NewWriter(&codes, lzw.LSB, max(2, codeSize))
		z.Write(pixels)
		z.Close()
		for part := range slices.Chunk(codes.Bytes(), 255) {
			b.WriteByte(byte(len(part)))
			b.Write(part)
		}
		b.WriteByte(0)
	}
}

// flat is a picture of one colour.
func flat(x, y, w, h int, index byte) gifPart {
	return pictureOf(x, y, w, h, false, nil, 2, bytes.Repeat([]byte{index}, w*h))
}

// letters shows frames of black, red, green, blue, white and others as . R G B W ?, rows apart.
func letters(c *Clip, f int) string {
	var b []byte
	for i, px := 0, c.Frame(f); i < len(px); i += 3 {
		if i > 0 && i%(3*c.W) == 0 {
			b = append(b, ' ')
		}
		l := byte('?')
		for k, v := range map[byte][3]uint8{'.': {}, 'R': {255, 0, 0}, 'G': {0, 255, 0}, 'B': {0, 0, 255}, 'W': {255, 255, 255}} {
			if v == [3]uint8(px[i:i+3]) {
				l = k
			}
		}
		b = append(b, l)
	}
	return string(b)
}

func TestGIFsThatBrowsersRead(t *testing.T) {
	dir := t.TempDir()
	red, green, blue := flat(0, 0, 3, 2, 1), flat(0, 0, 3, 2, 2), flat(0, 0, 3, 2, 3)
	white := []byte{255, 255, 255, 255, 255, 255}
	for _, c := range []struct {
		name string
		data []byte
		want []string
	}{
		{"one frame", gifOf(3, 2, rgbw, red, trailer), []string{"RRR RRR"}},
		{"no trailer", gifOf(3, 2, rgbw, red, green), []string{"RRR RRR", "GGG GGG"}},
		{"bytes after the trailer", gifOf(3, 2, rgbw, red, trailer, green), []string{"RRR RRR"}},
		{"zeros between blocks", gifOf(3, 2, rgbw, bytesPart(0), red, bytesPart(0, 0, 0), green, bytesPart(0), trailer), []string{"RRR RRR", "GGG GGG"}},
		{"other bytes between blocks", gifOf(3, 2, rgbw, red, bytesPart(7, 0xff), green, trailer), []string{"RRR RRR", "GGG GGG"}},
		{"unknown extensions", gifOf(3, 2, rgbw, bytesPart(0x21, 0x77, 2, 1, 2, 1, 3, 0), red, bytesPart(0x21, 0, 0), green, trailer), []string{"RRR RRR", "GGG GGG"}},
		{"comment and application", gifOf(3, 2, rgbw, bytesPart(0x21, 0xfe, 1, ';', 0), bytesPart(append(append([]byte{0x21, 0xff, 11}, "NETSCAPE2.0"...), 3, 1, 0, 0, 0)...), red, trailer), []string{"RRR RRR"}},
		{"short graphic control", gifOf(3, 2, rgbw, bytesPart(0x21, 0xf9, 1, 4, 0), red, trailer), []string{"RRR RRR"}},
		{"long graphic control", gifOf(3, 2, rgbw, bytesPart(0x21, 0xf9, 6, 1, 10, 0, 1, 9, 9, 0), red, trailer), []string{"... ..."}},
		{"all larger than the canvas", gifOf(2, 1, rgbw, red, green, trailer), []string{"RR", "GG"}},
		{"wider than the canvas, read with its width", gifOf(2, 2, rgbw, pictureOf(0, 0, 3, 2, false, nil, 2, []byte{1, 1, 2, 3, 3, 3})), []string{"RR GB"}},
		{"partly beyond the canvas", gifOf(3, 2, rgbw, red, flat(2, 1, 3, 2, 2), trailer), []string{"RRR RRR", "RRR RRG"}},
		{"wholly beyond the canvas", gifOf(3, 2, rgbw, red, flat(9, 9, 2, 2, 2), blue, trailer), []string{"RRR RRR", "RRR RRR", "BBB BBB"}},
		{"beyond the canvas, cleared and put back", gifOf(3, 2, rgbw, red, control(10, 2, -1), flat(2, 0, 3, 2, 2), control(10, 3, -1), flat(0, 1, 3, 2, 3), flat(0, 0, 1, 1, 2)),
			[]string{"RRR RRR", "RRG RRG", "RR. BBB", "GR. RR."}},
		{"canvas without a size", gifOf(0, 0, rgbw, flat(1, 0, 2, 2, 1), green, trailer), []string{".RR .RR", "GGG GGG"}},
		{"own tables", gifOf(3, 2, rgbw, pictureOf(0, 0, 3, 2, false, white, 2, make([]byte, 6)), red, trailer), []string{"WWW WWW", "RRR RRR"}},
		{"own tables only", gifOf(3, 2, nil, pictureOf(0, 0, 3, 2, false, rgbw, 2, []byte{1, 1, 1, 2, 2, 2})), []string{"RRR GGG"}},
		{"no table: greys", gifOf(3, 2, nil, pictureOf(0, 0, 3, 2, false, nil, 8, []byte{0, 255, 255, 255, 0, 0})), []string{".WW W.."}},
		{"indices without a colour", gifOf(3, 2, rgbw, red, pictureOf(0, 0, 3, 2, false, white, 2, []byte{0, 1, 2, 3, 0, 3}), trailer), []string{"RRR RRR", "WWR RWR"}},
		{"transparency", gifOf(3, 2, rgbw, red, control(10, 0, 2), pictureOf(0, 0, 3, 2, false, nil, 2, []byte{2, 2, 3, 3, 0, 2})), []string{"RRR RRR", "RRB B.R"}},
		{"transparent from the start", gifOf(3, 2, rgbw, control(10, 1, 1), red, trailer), []string{"... ..."}},
		{"disposal 0 and 1", gifOf(3, 2, rgbw, red, control(10, 0, -1), flat(0, 0, 1, 1, 2), control(10, 1, -1), flat(2, 1, 1, 1, 3), flat(1, 0, 1, 1, 0)), []string{"RRR RRR", "GRR RRR", "GRR RRB", "G.R RRB"}},
		{"disposal 2", gifOf(3, 2, rgbw, red, control(10, 2, -1), flat(0, 0, 2, 1, 2), flat(2, 1, 1, 1, 3)), []string{"RRR RRR", "GGR RRR", "..R RRB"}},
		{"disposal 3", gifOf(3, 2, rgbw, red, control(10, 3, -1), flat(0, 0, 2, 1, 2), control(10, 3, -1), flat(2, 1, 1, 1, 3), flat(1, 1, 1, 1, 0)), []string{"RRR RRR", "GGR RRR", "RRR RRB", "RRR R.R"}},
		{"disposal 4, as 3", gifOf(3, 2, rgbw, red, control(10, 4, -1), flat(0, 0, 2, 1, 2), flat(2, 1, 1, 1, 3)), []string{"RRR RRR", "GGR RRR", "RRR RRB"}},
		{"first frame to be put back", gifOf(3, 2, rgbw, control(10, 3, -1), red, flat(0, 0, 1, 1, 2)), []string{"RRR RRR", "G.. ..."}},
		{"more pixels than the picture has", gifOf(3, 2, rgbw, pictureOf(0, 0, 3, 1, false, nil, 2, bytes.Repeat([]byte{1}, 500)), green, trailer), []string{"RRR ...", "GGG GGG"}},
		{"fewer pixels than the picture has", gifOf(3, 2, rgbw, green, pictureOf(0, 0, 3, 2, false, nil, 2, []byte{1, 1, 1, 1}), blue, trailer), []string{"GGG GGG", "RRR RGG", "BBB BBB"}},
		{"without pixels", gifOf(3, 2, rgbw, red, flat(0, 0, 0, 0, 1), flat(1, 1, 0, 1, 1), green, trailer), []string{"RRR RRR", "RRR RRR", "RRR RRR", "GGG GGG"}},
		{"interlaced", gifOf(1, 11, rgbw, pictureOf(0, 0, 1, 11, true, nil, 2, []byte{1, 1, 2, 3, 3, 3, 0, 0, 0, 0, 0})), []string{"R . B . G . B . R . B"}},
		{"interlaced, small", gifOf(2, 3, rgbw, pictureOf(0, 0, 2, 1, true, nil, 2, []byte{1, 2}), pictureOf(0, 1, 1, 2, true, nil, 2, []byte{3, 1})), []string{"RG .. ..", "RG B. R."}},
	} {
		v := readAll(t, write(t, dir, "a.gif", c.data), Options{})
		piped := readAll(t, "-", Options{Stdin: bytes.NewReader(c.data)})
		var got []string
		for f := range v.T {
			got = append(got, letters(v, f))
		}
		if !slices.Equal(got, c.want) || !bytes.Equal(piped.Pix, v.Pix) {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

// Go's decoder is the reference for pictures of all code sizes, with tables that fill up.
func TestGIFPixels(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, bits := range []int{2, 3, 4, 5, 6, 7, 8} {
		for _, size := range [][2]int{{1, 1}, {7, 3}, {64, 48}, {200, 150}} {
			for _, noisy := range []bool{true, false} {
				w, h := size[0], size[1]
				table, pixels := make([]byte, 3<<bits), make([]byte, w*h)
				for i := range table {
					table[i] = byte(r.Uint32())
				}
				for i := range pixels {
					pixels[i] = byte(r.IntN(1 << bits))
					if !noisy {
						pixels[i] = byte(i / 37 % (1 << bits))
					}
				}
				data := gifOf(w, h, nil, pictureOf(0, 0, w, h, noisy && h > 9, table, bits, pixels), trailer)
				m, err := gif.Decode(bytes.NewReader(data))
				if err != nil {
					t.Fatal(err)
				}
				equalPix(t, readAll(t, "-", Options{Stdin: bytes.NewReader(data)}).Pix, newPlacement(w, h, 1).image(m))
			}
		}
	}
}

// Delays decide which frames stand for the whole; 10 ms and less are 100.
func TestGIFDelays(t *testing.T) {
	dir := t.TempDir()
	for _, c := range []struct {
		delays []int
		t      int
		want   []int
		fps    float64
	}{
		{[]int{10, 10, 10, 10}, 4, []int{0, 1, 2, 3}, 10},
		{[]int{10, 10, 10, 70}, 4, []int{1, 3, 3, 3}, 4},
		{[]int{70, 10, 10, 10}, 4, []int{0, 0, 0, 2}, 4},
		{[]int{0, 0, 0, 0}, 2, []int{1, 3}, 10},
		{[]int{0, 1, 10, 10}, 4, []int{0, 1, 2, 3}, 10},
		{[]int{2, 2, 2, 94}, 2, []int{3, 3}, 4},
		{[]int{30, 10}, 3, []int{0, 0, 1}, 5},
		{[]int{65535, 65535, 2}, 2, []int{0, 1}, 0.00228},
		{[]int{25, 25, 50}, 2, []int{1, 2}, 3},
		{[]int{5}, 3, []int{0, 0, 0}, 20},
	} {
		parts := []gifPart{}
		for i, d := range c.delays {
			parts = append(parts, control(d, 0, -1), flat(0, 0, 1, 1, byte(i)))
		}
		path := write(t, dir, "a.gif", gifOf(1, 1, rgbw, parts...))
		items, err := openAll(path, Spec{C: 3, T: c.t}, Options{})
		if err != nil {
			t.Fatal(err)
		}
		var want string
		for _, k := range c.want {
			want += string(".RGB"[k])
		}
		var got string
		for f := range items[0].Clip.T {
			got += letters(items[0].Clip, f)
		}
		if got != want {
			t.Errorf("delays %v: %s, want %s (%s)", c.delays, got, want, items[0].Note)
		}
		if fps := readAll(t, path, Options{}).FPS; fps < c.fps*0.99 && len(c.delays) > 1 || fps > c.fps*1.01 {
			t.Errorf("delays %v: %v frames a second, want %v", c.delays, fps, c.fps)
		}
	}
}

// A file that is cut off shows its whole frames and what there is of the next one.
func TestGIFCutOff(t *testing.T) {
	data := gifOf(3, 2, rgbw, control(10, 0, -1), flat(0, 0, 3, 2, 1), control(10, 0, -1),
		pictureOf(0, 0, 3, 2, false, rgbw, 2, []byte{2, 3, 2, 3, 0, 2}), flat(0, 0, 3, 2, 3), trailer)
	whole := readAll(t, "-", Options{Stdin: bytes.NewReader(data)})
	before := 0
	for n := range len(data) {
		items, err := openAll("-", Spec{C: 3}, Options{Stdin: bytes.NewReader(data[:n])})
		if err != nil && before > 0 {
			t.Fatalf("cut at %d: %v, but fewer bytes gave %d frames", n, err, before)
		}
		if err != nil {
			wantError(t, err, "standard input")
			continue
		}
		c := items[0].Clip
		if c.T < before || c.T > 3 {
			t.Fatalf("cut at %d: %d frames after %d", n, c.T, before)
		}
		before = c.T
		equalPix(t, c.Pix[:(c.T-1)*18], whole.Pix[:(c.T-1)*18])
		for i := 0; i < 18; i += 3 { // pixels of the last frame are drawn already or still those of the one before
			got, drawn := [3]uint8(c.Frame(c.T - 1)[i:]), [3]uint8(whole.Frame(c.T - 1)[i:])
			if got != drawn && (c.T == 1 && got != [3]uint8{} || c.T > 1 && got != [3]uint8(whole.Frame(c.T - 2)[i:])) {
				t.Fatalf("cut at %d: pixel %d of frame %d is %v", n, i/3, c.T-1, got)
			}
		}
	}
	if before != 3 {
		t.Errorf("%d frames in the end", before)
	}
	items, _ := openAll("-", Spec{C: 3}, Options{Stdin: bytes.NewReader(data[:len(data)-3])})
	if want := "3 frames 3x2, unchanged; the file is cut off in its last frame"; items[0].Note != want {
		t.Errorf("note %q, want %q", items[0].Note, want)
	}
}

func TestGIFErrors(t *testing.T) {
	dir := t.TempDir()
	for _, c := range []struct {
		data []byte
		opt  Options
		want []string
	}{
		{gifOf(65535, 65535, rgbw, flat(0, 0, 3, 2, 1)), Options{}, []string{"65535x65535", "limit"}},
		{gifOf(0, 0, rgbw, flat(60000, 60000, 3, 2, 1)), Options{}, []string{"60003x60002", "limit"}},
		{testGIF(), Options{Limit: 60}, []string{"limit of 60"}},
		{gifOf(6000, 6000, rgbw, slices.Repeat([]gifPart{control(1, 3, -1), pictureOf(0, 0, 6000, 6000, false, nil, 2, []byte{0})}, 120)...), Options{}, []string{"120 frames", "limit of 4294967296 pixels"}},
		{gifOf(3, 2, rgbw, trailer), Options{}, []string{"no frames"}},
		{gifOf(3, 2, rgbw), Options{}, []string{"no frames"}},
		{gifOf(3, 2, rgbw)[:12], Options{}, []string{"cut off"}},
		{gifOf(3, 2, rgbw, pictureOf(0, 0, 3, 2, false, nil, 9, nil)), Options{}, []string{"frame 0 of 1", "9 bits"}},
		{gifOf(3, 2, rgbw, flat(0, 0, 3, 2, 1), bytesPart(0x2c, 0, 0, 0, 0, 3, 0, 2, 0, 0, 2, 2, 0xff, 0xff, 0)), Options{}, []string{"frame 1 of 2", "LZW code 7"}},
	} {
		_, err := openAll(write(t, dir, "bad.gif", c.data), Spec{C: 3}, c.opt)
		wantError(t, err, append(c.want, "bad.gif")...)
	}
}

// Clips from the field, with the frames that other readers give.
func TestGIFCases(t *testing.T) {
	shared := os.Getenv("BILLNET_SHARED")
	if shared == "" {
		shared = filepath.Join("..", "..", "..", "shared")
	}
	files, _ := filepath.Glob(filepath.Join(shared, "cases", "gif_*", "*.gif"))
	if len(files) == 0 {
		t.Skip("no cases in BILLNET_SHARED")
	}
	for _, path := range files {
		f, err := os.Open(filepath.Join(filepath.Dir(path), "expected_frames_THWC.npy"))
		if err != nil {
			t.Fatal(err)
		}
		want, err := ReadNPY(f, 1<<20)
		f.Close()
		if err != nil {
			t.Fatal(err)
		}
		c := readAll(t, path, Options{})
		if got := []int{c.T, c.H, c.W, c.C}; !slices.Equal(got, want.Shape) {
			t.Errorf("%s: %v, want %v", path, got, want.Shape)
			continue
		}
		equalPix(t, c.Pix, want.Data)
	}
}
