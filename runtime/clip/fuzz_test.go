package clip

import (
	"bytes"
	"io"
	"os"
	"reflect"
	"strings"
	"testing"
)

const fuzzLimit = 1 << 20

func FuzzNPY(f *testing.F) {
	for _, dt := range npyTypes {
		f.Add(npyBytes(&NPY{dt.name, []int{1, 2}, make([]byte, 2*dt.size)}))
	}
	f.Add(npyFile(2, "{'descr': '>f4', 'fortran_order': True, 'shape': (2L, 1,), }", make([]byte, 8)))
	f.Add(npyFile(1, "{'descr': '|u1', 'fortran_order': False, 'shape': (99999999, 99999999, 0)}", nil))
	f.Add(npyBytes(&NPY{"u8", []int{2, 3, 1, 2, 2}, make([]byte, 24)}))
	f.Fuzz(func(t *testing.T, data []byte) {
		// As a tensor of pixels, on a pipe.
		openAll("-", Spec{C: 3, DType: "u8"}, Options{Stdin: bytes.NewReader(data), FFmpeg: "no-such-program", Limit: fuzzLimit})
		a, err := ReadNPY(bytes.NewReader(data), fuzzLimit)
		if err != nil {
			return
		}
		a.Float32s()
		a.Int64s()
		var b bytes.Buffer
		if err := WriteNPY(&b, a); err != nil {
			t.Fatalf("what was read cannot be written: %v", err)
		}
		again, err := ReadNPY(&b, fuzzLimit)
		if err != nil || again.DType != a.DType || !reflect.DeepEqual(again.Shape, a.Shape) || !bytes.Equal(again.Data, a.Data) {
			t.Fatalf("%v %v became %v: %v", a.DType, a.Shape, again, err)
		}
	})
}

// drain reads a video to its end; the frames must have the size that was announced.
func drain(t *testing.T, v *Video, err error) {
	if err != nil {
		return
	}
	v.opt.Limit = fuzzLimit
	for n := 0; ; n++ {
		p, err := v.Next()
		if err != nil {
			if err != io.EOF && len(err.Error()) == 0 {
				t.Fatal("an error without words")
			}
			return
		}
		if len(p) != 3*v.W*v.H || len(p) == 0 {
			t.Fatalf("frame of %d bytes for %dx%d", len(p), v.W, v.H)
		}
	}
}

func FuzzGIF(f *testing.F) {
	data := testGIF()
	f.Add(data)
	f.Add(data[:len(data)/2])
	f.Add(gifOf(3, 2, rgbw, control(10, 3, 1), pictureOf(0, 0, 3, 2, true, rgbw, 2, []byte{0, 1, 2, 3, 0, 1}), flat(1, 1, 9, 9, 2)))
	f.Fuzz(func(t *testing.T, data []byte) {
		v, err := openGIF(pipe(data), fuzzLimit)
		drain(t, v, err)
	})
}

func FuzzY4M(f *testing.F) {
	f.Add(y4mBytes("W3 H3 F30:1 Ip C420jpeg", make([]byte, 17), make([]byte, 17)))
	f.Add(y4mBytes("W2 H1 C444 XCOLORRANGE=FULL", make([]byte, 6)))
	f.Add(y4mBytes("W3 H2 C422", make([]byte, 14)))
	f.Add(y4mBytes("W1 H1 Cmono F0:0 It", []byte{1}))
	f.Fuzz(func(t *testing.T, data []byte) {
		v, err := openY4M(pipe(data), fuzzLimit)
		drain(t, v, err)
	})
}

func FuzzPPM(f *testing.F) {
	f.Add([]byte("P6\n1 2\n255\n123456P6\n1 2\n255\n123456"))
	f.Add([]byte("P6\n1 2\n65535\n123456"))
	f.Fuzz(func(t *testing.T, data []byte) {
		v, err := openPPM(pipe(data).r, fuzzLimit)
		drain(t, v, err)
	})
}

func FuzzImage(f *testing.F) {
	m := rgbImage(noise(1, 3, 4, 3, 1), 0)
	f.Add(pngBytes(m), false)
	f.Add(jpegBytes(m), true)
	for _, name := range []string{"apng_blend.png", "apng_default_image.png", "exif_6.jpg", "jpeg_440_tiny.jpg"} {
		data, err := os.ReadFile("testdata/" + name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data, strings.HasSuffix(name, "jpg"))
	}
	f.Fuzz(func(t *testing.T, data []byte, isJPEG bool) {
		v, err := openImage(pipe(data), map[bool]string{true: "jpeg", false: "png"}[isJPEG], fuzzLimit)
		drain(t, v, err)
	})
}
