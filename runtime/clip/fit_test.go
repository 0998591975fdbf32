package clip

import (
	"bytes"
	"hash/fnv"
	"math/big"
	"math/rand/v2"
	"slices"
	"testing"
)

func TestSample(t *testing.T) {
	for _, c := range []struct {
		n, t int
		want []int
	}{
		{37, 16, []int{1, 3, 5, 8, 10, 12, 15, 17, 19, 21, 24, 26, 28, 31, 33, 35}},
		{4, 2, []int{1, 3}}, {1, 3, []int{0, 0, 0}}, {2, 4, []int{0, 0, 1, 1}}, {3, 1, []int{1}},
	} {
		if got := Sample(c.n, c.t); !slices.Equal(got, c.want) {
			t.Errorf("Sample(%d, %d) = %v, want %v", c.n, c.t, got, c.want)
		}
	}
	for n := 1; n < 60; n++ {
		for m := 1; m < 60; m++ {
			s := Sample(n, m)
			for i, k := range s {
				// The frame [k, k+1) holds the centre of segment i.
				if 2*m*k > (2*i+1)*n || (2*i+1)*n >= 2*m*(k+1) || n == m && k != i {
					t.Fatalf("Sample(%d, %d)[%d] = %d", n, m, i, k)
				}
			}
		}
	}
}

// resizeReference evaluates the definition of the filter in rational numbers, one output pixel at a time.
func resizeReference(src []uint8, sw, sh, dw, dh, c int) []uint8 {
	weights := func(n, m, i int) []*big.Rat { // weight of each of n source pixels in output i of m
		w := make([]*big.Rat, n)
		for j := range w {
			w[j] = new(big.Rat)
		}
		if m <= n {
			lo, hi := big.NewRat(int64(i*n), int64(m)), big.NewRat(int64((i+1)*n), int64(m))
			for j := range w {
				a, b := big.NewRat(int64(j), 1), big.NewRat(int64(j+1), 1)
				if a.Cmp(lo) < 0 {
					a = lo
				}
				if b.Cmp(hi) > 0 {
					b = hi
				}
				if b.Cmp(a) > 0 {
					w[j].Sub(b, a)
					w[j].Mul(w[j], big.NewRat(int64(m), int64(n)))
				}
			}
			return w
		}
		// Position of the centre among the source centres, and linear weights 1 - |distance|, edges repeated.
		at := big.NewRat(int64((2*i+1)*n-m), int64(2*m))
		for j := -1; j <= n; j++ {
			d := new(big.Rat).Sub(at, big.NewRat(int64(j), 1))
			d.Abs(d).Sub(big.NewRat(1, 1), d)
			if d.Sign() > 0 {
				k := min(n-1, max(0, j))
				w[k].Add(w[k], d)
			}
		}
		return w
	}
	out := make([]uint8, dw*dh*c)
	for y := range dh {
		wy := weights(sh, dh, y)
		for x := range dw {
			wx := weights(sw, dw, x)
			for ch := range c {
				sum := big.NewRat(1, 2) // halves upwards
				for j := range sh {
					for i := range sw {
						if wy[j].Sign() == 0 || wx[i].Sign() == 0 {
							continue
						}
						v := big.NewRat(int64(src[(j*sw+i)*c+ch]), 1)
						sum.Add(sum, v.Mul(v, wy[j]).Mul(v, wx[i]))
					}
				}
				out[(y*dw+x)*c+ch] = uint8(new(big.Int).Quo(sum.Num(), sum.Denom()).Int64())
			}
		}
	}
	return out
}

func TestResizeIsExact(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 7))
	for i := range 60 {
		sw, sh, dw, dh := 1+r.IntN(12), 1+r.IntN(12), 1+r.IntN(12), 1+r.IntN(12)
		c := 1 + 2*(i%2)
		src := noise(1, sh, sw, c, uint64(i))
		got := make([]uint8, dw*dh*c)
		z := newResizer(sw, sh, dw, dh, Stretch)
		for range 2 { // a second frame must not see rows of the first
			z.frame(got, noise(1, sh, sw, c, 99).Pix, c)
			z.frame(got, src.Pix, c)
		}
		if want := resizeReference(src.Pix, sw, sh, dw, dh, c); !slices.Equal(got, want) {
			t.Fatalf("%dx%d -> %dx%d, %d channels:\n got %v\nwant %v", sw, sh, dw, dh, c, got, want)
		}
	}
}

func TestResizeExtremes(t *testing.T) {
	// The largest sides and values: sums must not overflow.
	for _, s := range [][4]int{{maxSide, 1, 1, 7}, {1, 1, maxSide, 2}, {maxSide, 2, 3, 1}, {3, 1, maxSide, 3}} {
		src := make([]uint8, s[0]*s[1])
		for i := range src {
			src[i] = 255
		}
		dst := make([]uint8, s[2]*s[3])
		newResizer(s[0], s[1], s[2], s[3], Stretch).frame(dst, src, 1)
		if i := slices.IndexFunc(dst, func(v uint8) bool { return v != 255 }); i >= 0 {
			t.Errorf("%v: white became %d at %d", s, dst[i], i)
		}
	}
}

// The bytes are part of the contract: they must be the same on every machine.
func TestResizeGolden(t *testing.T) {
	c, note, err := Fit(noise(5, 100, 176, 3, 3), Spec{C: 3, T: 4, H: 48, W: 64}, Letterbox)
	if err != nil {
		t.Fatal(err)
	}
	h := fnv.New64a()
	h.Write(c.Pix)
	if got, want := h.Sum64(), uint64(0x3a9af7c67b2e0b83); got != want {
		t.Errorf("hash %#x, want %#x (%s)", got, want, note)
	}
}

func TestFitModesAndNotes(t *testing.T) {
	src := noise(37, 100, 176, 3, 1)
	spec := Spec{C: 3, T: 16, H: 48, W: 64}
	for _, c := range []struct {
		src  *Clip
		spec Spec
		mode Mode
		note string
	}{
		{src, spec, "", "37 frames 176x100 -> 16 frames 64x48: frames 1,3,5,8,10,12,15,17,19,21,24,26,28,31,33,35; stretch, area"},
		{src, spec, Crop, "37 frames 176x100 -> 16 frames 64x48: frames 1,3,5,8,10,12,15,17,19,21,24,26,28,31,33,35; crop to 133x100, area"},
		{src, Spec{C: 1, T: 37, H: 48, W: 64}, Letterbox, "37 frames 176x100 -> 37 frames 64x48: all frames; letterbox in 64x36, area; grey"},
		{src, Spec{C: 3, T: 20}, "", "37 frames 176x100 -> 20 frames 176x100: frames 0,2,4,6,8,10,12,13,..,36"},
		{src, Spec{C: 3}, "", "37 frames 176x100, unchanged"},
		{noise(1, 10, 10, 1, 1), Spec{C: 3, T: 2, H: 12, W: 8}, "", "1 frame 10x10 -> 2 frames 8x12: frames 0,0; stretch, area and bilinear; grey as RGB"},
		{noise(1, 10, 10, 3, 1), Spec{C: 3, T: 1, H: 20, W: 30}, "", "1 frame 10x10 -> 1 frame 30x20: all frames; stretch, bilinear"},
	} {
		got, note, err := Fit(c.src, c.spec, c.mode)
		if err != nil {
			t.Fatal(err)
		}
		if note != c.note {
			t.Errorf("note\n%q, want\n%q", note, c.note)
		}
		if err := got.check(); err != nil {
			t.Error(err)
		}
		if c.spec.T == 0 && got != c.src {
			t.Error("a clip of the model's size was not passed through")
		}
	}

	// Crop is a stretch of the centred window; letterbox is a stretch inside black bars.
	crop, _, _ := Fit(src, spec, Crop)
	window := make([]uint8, 0, 133*100*3)
	for y := range 100 {
		at := (y*176 + 21) * 3
		window = append(window, src.Frame(1)[at:at+133*3]...)
	}
	want := make([]uint8, 64*48*3)
	newResizer(133, 100, 64, 48, Stretch).frame(want, window, 3)
	equalPix(t, crop.Frame(0), want)

	box, _, _ := Fit(src, spec, Letterbox)
	inner := make([]uint8, 64*36*3)
	newResizer(176, 100, 64, 36, Stretch).frame(inner, src.Frame(1), 3)
	bar := make([]uint8, 6*64*3)
	equalPix(t, box.Frame(0), slices.Concat(bar, inner, bar))

	f, err := newFitter(176, 100, 3, spec, Letterbox)
	if err != nil {
		t.Fatal(err)
	}
	dirty := bytes.Repeat([]byte{77}, f.bytes())
	f.frame(dirty, src.Frame(1))
	equalPix(t, dirty, box.Frame(0))

	_, _, err = Fit(src, spec, "zoom")
	wantError(t, err, `"zoom"`, "stretch, crop, letterbox")
	_, _, err = Fit(src, Spec{C: 2, T: 1, H: 1, W: 1}, "")
	wantError(t, err, "3 channels", "takes 2")
	_, _, err = Fit(&Clip{T: 1, H: 2, W: 2, C: 3, Pix: make([]uint8, 5)}, spec, "")
	wantError(t, err, "takes 12 bytes, but has 5")
}

func TestGreyOfGreyIsItself(t *testing.T) {
	for v := range 256 {
		if g := luma(uint8(v), uint8(v), uint8(v)); int(g) != v {
			t.Fatalf("luma of grey %d is %d", v, g)
		}
	}
}

func BenchmarkResize1080p(b *testing.B) {
	src := noise(1, 1080, 1920, 3, 1)
	z := newResizer(1920, 1080, 64, 48, Stretch)
	dst := make([]uint8, 64*48*3)
	b.SetBytes(int64(len(src.Pix)))
	for b.Loop() {
		z.frame(dst, src.Pix, 3)
	}
}
