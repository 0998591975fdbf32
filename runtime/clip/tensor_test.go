package clip

import (
	"math"
	"slices"
	"testing"
)

func TestTensorLayouts(t *testing.T) {
	c := noise(2, 3, 4, 3, 5)
	for _, layout := range []string{"", "CTHW", "TCHW", "THWC", "WHTC"} {
		s := Spec{C: 3, T: 2, H: 3, W: 4, Layout: layout, DType: "u8"}
		got, err := s.Tensor(c)
		if err != nil {
			t.Fatal(err)
		}
		l := s.layout()
		for i, v := range got.U8 {
			at := map[byte]int{}
			for k, x := range indexOf(i, got.Shape) {
				at[l[k]] = x
			}
			if want := c.Pix[((at['T']*3+at['H'])*4+at['W'])*3+at['C']]; v != want {
				t.Fatalf("%s at %v: %d, want %d", l, indexOf(i, got.Shape), v, want)
			}
		}
		back, err := s.Clip(got)
		if err != nil {
			t.Fatal(err)
		}
		equalPix(t, back.Pix, c.Pix)
	}
}

func TestTensorFloats(t *testing.T) {
	c := &Clip{T: 1, H: 1, W: 86, C: 3, Pix: make([]uint8, 258)}
	for i := range c.Pix {
		c.Pix[i] = uint8(i)
	}
	mean, std := []float32{0.485, 0.456, 0.406}, []float32{0.229, 0.224, 0.225}
	for _, s := range []Spec{
		{C: 3, T: 1, H: 1, W: 86, Layout: "THWC"},
		{C: 3, T: 1, H: 1, W: 86, Layout: "THWC", Norm: Norm{Mean: mean, Std: std}},
		{C: 3, T: 1, H: 1, W: 86, Layout: "THWC", Norm: Norm{Std: []float32{1}}},
	} {
		got, err := s.Tensor(c)
		if err != nil {
			t.Fatal(err)
		}
		for i, v := range got.F32 {
			want := float32(c.Pix[i])
			switch len(s.Std) {
			case 1:
				want /= 255
			case 3:
				want = (want/255 - mean[i%3]) / std[i%3]
			}
			if v != want {
				t.Fatalf("byte %d: %v, want %v", c.Pix[i], v, want)
			}
		}
		back, err := s.Clip(got)
		if err != nil {
			t.Fatal(err)
		}
		equalPix(t, back.Pix, c.Pix)
	}
}

func TestFillReusesMemory(t *testing.T) {
	s := Spec{C: 3, T: 2, H: 4, W: 4}
	var x Tensor
	if err := s.Fill(&x, noise(2, 4, 4, 3, 1)); err != nil {
		t.Fatal(err)
	}
	p := &x.F32[0]
	if err := s.Fill(&x, noise(2, 4, 4, 3, 2)); err != nil {
		t.Fatal(err)
	}
	if &x.F32[0] != p {
		t.Error("memory was not reused")
	}
	wantError(t, s.Fill(&x, noise(2, 4, 5, 3, 1)), "[3 2 4 5]", "[3 2 4 4]")
}

func TestSpecCheck(t *testing.T) {
	ok := Spec{C: 3, T: 1, H: 1, W: 1}
	for want, change := range map[string]func(*Spec){
		`layout "CTH"`:     func(s *Spec) { s.Layout = "CTH" },
		`layout "CTHH"`:    func(s *Spec) { s.Layout = "CTHH" },
		"C=0":              func(s *Spec) { s.C = 0 },
		"T=-1":             func(s *Spec) { s.T = -1 },
		`"i8" is neither`:  func(s *Spec) { s.DType = "i8" },
		"takes no mean":    func(s *Spec) { s.DType, s.Mean = "u8", []float32{1} },
		"2 values of mean": func(s *Spec) { s.Mean = []float32{1, 2} },
		"std 0":            func(s *Spec) { s.Std = []float32{0} },
		"sides go up":      func(s *Spec) { s.W = maxSide + 1 },
	} {
		s := ok
		change(&s)
		wantError(t, s.Check(), want)
	}
	if err := ok.Check(); err != nil {
		t.Error(err)
	}
}

func TestParseSize(t *testing.T) {
	if w, h, err := ParseSize("176x144"); err != nil || w != 176 || h != 144 {
		t.Error(w, h, err)
	}
	for _, s := range []string{"", "176", "x", "0x5", "-1x5", "5x70000", "5x5x5"} {
		if _, _, err := ParseSize(s); err == nil {
			t.Errorf("%q was accepted", s)
		}
	}
}

func TestProduct(t *testing.T) {
	for _, c := range []struct {
		shape []int
		want  int
	}{{nil, 1}, {[]int{2, 3}, 6}, {[]int{math.MaxInt, 0, math.MaxInt}, 0}, {[]int{math.MaxInt / 20, 2}, -1}, {[]int{-1, 0}, -1}} {
		if got := product(c.shape); got != c.want {
			t.Errorf("product(%v) = %d, want %d", c.shape, got, c.want)
		}
	}
	if !slices.Equal(indexOf(23, []int{2, 3, 4}), []int{1, 2, 3}) {
		t.Error(indexOf(23, []int{2, 3, 4}))
	}
}
