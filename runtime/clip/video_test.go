package clip

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"hash/crc32"
	"image"
	"image/color"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
)

func TestGIF(t *testing.T) {
	p := write(t, t.TempDir(), "a.gif", testGIF())
	c := readAll(t, p, Options{})
	if c.T != 4 || c.W != 4 || c.H != 3 || c.FPS != 10 {
		t.Fatalf("%d frames %dx%d at %v", c.T, c.W, c.H, c.FPS)
	}
	for f, want := range []string{
		"RRRR RRRR RRRR",
		"RRRR RBBR RRRR", // the blue bar is taken back
		"RRGG RRRR RRRR", // the green corner becomes background
		"RGG. GGGG GGGG", // the holes show red and background
	} {
		var got strings.Builder
		for i, px := 0, c.Frame(f); i < len(px); i += 3 {
			if i > 0 && i%(3*c.W) == 0 {
				got.WriteByte(' ')
			}
			switch [3]uint8(px[i : i+3]) {
			case [3]uint8{255, 0, 0}:
				got.WriteByte('R')
			case [3]uint8{0, 255, 0}:
				got.WriteByte('G')
			case [3]uint8{0, 0, 255}:
				got.WriteByte('B')
			case [3]uint8{}:
				got.WriteByte('.')
			}
		}
		if got.String() != want {
			t.Errorf("frame %d:\n%s, want\n%s", f, got.String(), want)
		}
	}
}

func TestFolder(t *testing.T) {
	dir := t.TempDir()
	c := noise(4, 6, 8, 3, 2)
	for i, name := range []string{"f1.png", "f2.PNG", "f10.png", "f100.png"} {
		write(t, dir, name, pngBytes(rgbImage(c, i)))
	}
	write(t, dir, "notes.txt", []byte("x"))
	write(t, dir, ".hidden.png", []byte("x"))
	equalPix(t, readAll(t, dir, Options{}).Pix, c.Pix)

	items, err := openAll(dir, Spec{C: 3, T: 2, H: 3, W: 4, DType: "u8"}, Options{})
	if err != nil || len(items) != 1 {
		t.Fatal(err)
	}
	if want := "4 frames 8x6 -> 2 frames 4x3: frames 1,3; stretch, area"; items[0].Note != want {
		t.Errorf("note %q, want %q", items[0].Note, want)
	}
	// Fitting while reading and fitting the whole clip are the same thing.
	whole, _, _ := Fit(c, Spec{C: 3, T: 2, H: 3, W: 4}, "")
	equalPix(t, items[0].Clip.Pix, whole.Pix)

	write(t, dir, "f3.jpg", jpegBytes(image.NewGray(image.Rect(0, 0, 9, 6))))
	_, err = openAll(dir, Spec{C: 3}, Options{})
	wantError(t, err, dir, "f3.jpg is 9x6, but f1.png is 8x6")
	write(t, dir, "f3.jpg", []byte("no"))
	_, err = openAll(dir, Spec{C: 3}, Options{})
	wantError(t, err, "frame f3.jpg", `begins with "no"`)
	write(t, dir, "f3.jpg", testGIF())
	_, err = openAll(dir, Spec{C: 3}, Options{})
	wantError(t, err, "frame f3.jpg", "gif")
	_, err = openAll(t.TempDir(), Spec{C: 3}, Options{})
	wantError(t, err, "no .png")
}

func TestImages(t *testing.T) {
	dir := t.TempDir()
	c := noise(1, 5, 7, 3, 9)
	equalPix(t, readAll(t, write(t, dir, "a.png", pngBytes(rgbImage(c, 0))), Options{}).Pix, c.Pix)

	// Half-transparent white is half grey over black.
	m := image.NewNRGBA(image.Rect(0, 0, 1, 1))
	m.SetNRGBA(0, 0, color.NRGBA{255, 255, 255, 128})
	equalPix(t, readAll(t, write(t, dir, "alpha.png", pngBytes(m)), Options{}).Pix, []uint8{128, 128, 128})

	grey := image.NewGray(image.Rect(0, 0, 16, 16))
	for i := range grey.Pix {
		grey.Pix[i] = 200
	}
	for _, v := range readAll(t, write(t, dir, "a.jpeg", jpegBytes(grey)), Options{}).Pix {
		if v < 199 || v > 201 {
			t.Fatalf("grey 200 decoded as %d", v)
		}
	}
	// The contents count, not the name.
	equalPix(t, readAll(t, write(t, dir, "really-png.gif", pngBytes(rgbImage(c, 0))), Options{}).Pix, c.Pix)
	// A header that claims 16000x16000 is refused before decoding.
	huge := pngBytes(rgbImage(c, 0))
	copy(huge[16:], []byte{0, 0, 0x3e, 0x80, 0, 0, 0x3e, 0x80})
	binary.BigEndian.PutUint32(huge[29:], crc32.ChecksumIEEE(huge[12:29]))
	_, err := openAll(write(t, dir, "huge.png", huge), Spec{C: 3}, Options{})
	wantError(t, err, "huge.png", "PNG", "16000x16000", "limit")
}

func TestNaturalOrder(t *testing.T) {
	want := []string{"a", "a01", "a1", "a2", "a2b", "a10", "a99999999999999999999998", "a99999999999999999999999", "b0"}
	got := slices.Clone(want)
	slices.Reverse(got)
	slices.SortFunc(got, naturalCompare)
	if !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

func TestY4M(t *testing.T) {
	dir := t.TempDir()
	// 3x3, odd on purpose: chroma planes are 2x2 for 420, 2x3 for 422.
	luma := []byte{16, 235, 81, 145, 41, 126, 16, 235, 100}
	flat := func(n int) []byte { return bytes.Repeat([]byte{128}, n) }
	greyFrame := make([]uint8, 0, 27)
	for _, y := range luma {
		v := uint8((int(y-16)*255*2 + 219) / (2 * 219))
		greyFrame = append(greyFrame, v, v, v)
	}
	for chroma, n := range map[string]int{"": 8, " C420jpeg": 8, " C420mpeg2": 8, " C420": 8, " C422": 12, " C444": 18, " Cmono": 0} {
		f := slices.Concat(luma, flat(n))
		p := write(t, dir, "a.y4m", y4mBytes("W3 H3 F30000:1001 Ip A1:1"+chroma, f, f))
		c := readAll(t, p, Options{})
		if c.T != 2 || c.FPS < 29.96 || c.FPS > 29.98 {
			t.Errorf("%q: %d frames at %v", chroma, c.T, c.FPS)
		}
		equalPix(t, c.Frame(1), greyFrame)
	}
	// Colour: the BT.601 codes of pure red, green, blue, one a pixel; and chroma blocks of 2x2.
	c := readAll(t, write(t, dir, "c.y4m", y4mBytes("W3 H1 C444", []byte{81, 145, 41, 90, 54, 240, 240, 34, 110})), Options{})
	for i, want := range []uint8{255, 0, 0, 0, 255, 0, 0, 0, 255} {
		if d := int(c.Pix[i]) - int(want); d < -2 || d > 2 {
			t.Errorf("value %d is %d, want about %d", i, c.Pix[i], want)
		}
	}
	c = readAll(t, write(t, dir, "d.y4m", y4mBytes("W3 H2 C420jpeg", []byte{81, 81, 41, 81, 81, 41, 90, 240, 240, 110})), Options{})
	equalPix(t, c.Pix[:6], c.Pix[9:15])
	if c.Pix[0] < 250 || c.Pix[8] < 250 {
		t.Errorf("chroma blocks misplaced: %v", c.Pix)
	}
	// Full range: black is 0, white is 255.
	c = readAll(t, write(t, dir, "e.y4m", y4mBytes("W2 H1 Cmono XCOLORRANGE=FULL", []byte{0, 255})), Options{})
	equalPix(t, c.Pix, []uint8{0, 0, 0, 255, 255, 255})
}

func TestY4MErrors(t *testing.T) {
	dir := t.TempDir()
	for _, c := range []struct {
		data []byte
		want string
	}{
		{y4mBytes("W4 H4 It", make([]byte, 24)), "interlaced"},
		{y4mBytes("W4 H4 C420p10", make([]byte, 48)), `"C420p10"`},
		{y4mBytes("W4 H4", make([]byte, 23)), "24 bytes is cut off"},
		{y4mBytes("W4 H4", make([]byte, 24), make([]byte, 23)), "24 bytes is cut off"},
		{y4mBytes("W4 H4"), "no frames"},
		{y4mBytes("W4"), "4x0"},
		{y4mBytes("Wx H4"), `"Wx"`},
		{y4mBytes("W60000 H60000"), "limit"},
		{append(y4mBytes("W4 H4", make([]byte, 24)), "JUNK\n"...), "JUNK"},
		{[]byte("YUV4MPEG2 W4"), "ends in a line"},
		{[]byte("YUV4MPEG2 " + strings.Repeat("x", 5000)), "longer than 4096"},
		{[]byte("YUV4MPEG3 W4 H4\n"), "named .y4m"},
	} {
		_, err := openAll(write(t, dir, "bad.y4m", c.data), Spec{C: 3}, Options{})
		wantError(t, err, "bad.y4m", c.want)
	}
}

func TestRawAndLimits(t *testing.T) {
	c := noise(3, 4, 6, 3, 4)
	opt := Options{RawW: 6, RawH: 4, Stdin: bytes.NewReader(c.Pix)}
	items, err := openAll("-", Spec{C: 3, T: 3, H: 4, W: 6, Layout: "THWC", DType: "u8"}, opt)
	if err != nil {
		t.Fatal(err)
	}
	equalPix(t, items[0].Tensor.U8, c.Pix)
	if items[0].Note != "3 frames 6x4, unchanged" {
		t.Error(items[0].Note)
	}
	opt.Stdin = bytes.NewReader(c.Pix[:len(c.Pix)-1])
	_, err = openAll("-", Spec{C: 3}, opt)
	wantError(t, err, "standard input", "not whole", "72 bytes")
	opt.Stdin = bytes.NewReader(nil)
	_, err = openAll("-", Spec{C: 3}, opt)
	wantError(t, err, "no frames")

	// An endless stream ends when too much of it waits for its end, counted at the model's size.
	opt = Options{RawW: 6, RawH: 4, Stdin: endless{}, Spool: 10000}
	_, err = openAll("-", Spec{C: 3, T: 2, H: 2, W: 2}, opt)
	wantError(t, err, "833 frames of 12 bytes", "10000 bytes")
	opt = Options{RawW: 6, RawH: 4, Stdin: endless{}, Limit: 10000}
	_, err = openAll("-", Spec{C: 3, T: 2, H: 2000, W: 2000}, opt)
	wantError(t, err, "2000x2000", "limit of 10000")
	opt.Stdin = bytes.NewReader(make([]uint8, 140*72))
	_, err = openAll("-", Spec{C: 3}, opt)
	wantError(t, err, "140 frames", "limit of 10000")
}

type endless struct{}

func (endless) Read(p []byte) (int, error) { return len(p), nil }

// A frame must come out before the next one goes in, or a live picture would lag behind.
func TestFramesDoNotWait(t *testing.T) {
	r, w := io.Pipe()
	got := make(chan int, 1)
	go func() {
		for i := range 3 {
			w.Write(bytes.Repeat([]byte{uint8(i)}, 4*4*3))
			if f := <-got; f != i {
				w.CloseWithError(fmt.Errorf("frame %d, want %d", f, i))
			}
		}
		w.Close()
	}()
	v, err := OpenVideo("-", Options{RawW: 4, RawH: 4, Stdin: r})
	if err != nil {
		t.Fatal(err)
	}
	for {
		f, err := v.Next()
		if err == io.EOF {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		got <- int(f[0])
	}
}

func TestUnknownFormat(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("PATH", dir)
	_, err := openAll(write(t, dir, "a.mp4", []byte("\x00\x00\x00\x18ftypmp42")), Spec{C: 3}, Options{})
	wantError(t, err, "a.mp4", `"\x00\x00\x00\x18ftyp"`, "ffmpeg", ".y4m", "GIF")
	_, err = openAll(write(t, dir, "a.gif", []byte("hello")), Spec{C: 3}, Options{})
	wantError(t, err, "a.gif", "named .gif", `"hello"`)
	_, err = openAll(write(t, dir, "empty", nil), Spec{C: 3}, Options{})
	wantError(t, err, "empty")
	_, err = openAll(filepath.Join(dir, "missing.gif"), Spec{C: 3}, Options{})
	wantError(t, err, "missing.gif")
}

// A stand-in for ffmpeg checks its arguments and answers with PPM, or fails.
func TestFFmpegPipe(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("the stand-in for ffmpeg is a shell script")
	}
	dir := t.TempDir()
	c := noise(3, 2, 4, 3, 8)
	var ppm bytes.Buffer
	for i := range c.T {
		fmt.Fprintf(&ppm, "P6\n4 2\n255\n%s", c.Frame(i))
	}
	write(t, dir, "frames.ppm", ppm.Bytes())
	script := func(body string) string {
		p := write(t, dir, "fake-ffmpeg", []byte("#!/bin/sh\n"+body+"\n"))
		if err := os.Chmod(p, 0o755); err != nil {
			t.Fatal(err)
		}
		return p
	}
	movie := write(t, dir, "-odd name.mp4", []byte("movie"))
	opt := Options{FFmpeg: script(`echo "$@" >` + dir + `/args; cat ` + dir + `/frames.ppm`)}
	equalPix(t, readAll(t, movie, opt).Pix, c.Pix)
	args, err := os.ReadFile(filepath.Join(dir, "args"))
	if err != nil || !strings.Contains(string(args), "-i file:"+movie+" ") || !strings.Contains(string(args), "-protocol_whitelist file,pipe") {
		t.Errorf("arguments %s %v", args, err)
	}
	opt = Options{FFmpeg: script(`read x; [ "$x" = movie ] && cat ` + dir + `/frames.ppm`), Stdin: strings.NewReader("movie")}
	equalPix(t, readAll(t, "-", opt).Pix, c.Pix)

	for body, want := range map[string]string{
		`echo "Invalid data" >&2; exit 1`: "Invalid data",
		`exit 0`:                          "no frames",
		`echo hello; echo; echo`:          "not an 8-bit P6 header",
		`cat ` + dir + `/frames.ppm; echo broken >&2; exit 3`:                "broken",
		`head -c 40 ` + dir + `/frames.ppm; echo gone >&2`:                   "gone",
		`cat ` + dir + `/frames.ppm; printf 'P6\n2 4\n255\n'; exec sleep 30`: "2x4, the first was 4x2",
		`printf 'P6\n60000 60000\n255\n'; exec sleep 30`:                     "limit",
	} {
		_, err := openAll(movie, Spec{C: 3}, Options{FFmpeg: script(body)})
		wantError(t, err, movie, want)
	}

	// Closing early ends the program.
	v, err := OpenVideo(movie, Options{FFmpeg: script(`cat ` + dir + `/frames.ppm; sleep 1; touch ` + dir + `/finished`)})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := v.Next(); err != nil {
		t.Fatal(err)
	}
	if err := v.Close(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "finished")); err == nil {
		t.Error("the program ran to its end")
	}
	v.Close()
}

func TestRender(t *testing.T) {
	c := &Clip{T: 2, H: 4, W: 4, C: 3, Pix: make([]uint8, 2*4*4*3)}
	for i := range c.Frame(1) {
		c.Frame(1)[i] = uint8(i / 24 * 255) // upper half black, lower half white
	}
	var b strings.Builder
	if err := Render(&b, c, 1, 2); err != nil {
		t.Fatal(err)
	}
	if want := "\x1b[38;2;0;0;0m\x1b[48;2;255;255;255m▀▀\x1b[0m\n"; b.String() != want {
		t.Errorf("%q, want %q", b.String(), want)
	}
	wantError(t, Render(io.Discard, c, 2, 2), "frame 2")
	wantError(t, Render(io.Discard, c, 0, 0), "0 columns")
	if err := Render(io.Discard, noise(1, 3, 5, 1, 1), 0, 7); err != nil {
		t.Error(err)
	}
}

// The sources are copied into generated programs.
func TestSourcesCanBeCopied(t *testing.T) {
	files, _ := filepath.Glob("*.go")
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, i := range f.Imports {
			if strings.Contains(i.Path.Value, ".") {
				t.Errorf("%s imports %s, which is not in the standard library", name, i.Path.Value)
			}
		}
		for _, d := range f.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv == nil && fn.Name.Name == "init" {
				t.Errorf("%s has an init function", name)
			}
		}
	}
}
