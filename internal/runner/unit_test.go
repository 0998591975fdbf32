package runner

import (
	"math"
	"path/filepath"
	"slices"
	"testing"

	"github.com/billnet/billnet/runtime"
)

// Names that become equal, by case or by what is replaced, get files of their own.
func TestWriteTensorsNames(t *testing.T) {
	dir := t.TempDir()
	var list []values
	for _, name := range []string{"a/b", "a:b", "A_B", "a_b_2"} {
		list = append(list, values{name, runtime.SBit, []int{1}, []byte{0xff}})
	}
	paths, err := writeTensors(dir, list, make([]string, len(list)))
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"a_b.npy", "a_b_2.npy", "A_B_3.npy", "a_b_2_2.npy"}
	for i := range want {
		if filepath.Base(paths[i]) != want[i] {
			t.Errorf("%q is written as %s, want %s", list[i].name, filepath.Base(paths[i]), want[i])
		}
	}
}

func elements(v values) string {
	w := &jsonWriter{}
	v.writeElements(w)
	return string(w.b)
}

func f32s(v ...float32) values {
	return values{"y", runtime.F32, []int{1, len(v)}, runtime.Bytes(v)}
}

func TestRanked(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	for _, c := range []struct {
		v    values
		want []int
	}{
		{f32s(1, 3, 2), []int{1, 2, 0}},
		{f32s(2, 2, 3, 2), []int{2, 0, 1, 3}},
		{f32s(nan, -inf, nan, inf), []int{3, 1, 0, 2}},
		{values{"y", runtime.I32, []int{3}, runtime.Bytes([]int32{-5, 7, -9})}, []int{1, 0, 2}},
	} {
		if got := ranked(c.v); !slices.Equal(got, c.want) {
			t.Errorf("ranked(%s) = %v, want %v", elements(c.v), got, c.want)
		}
	}
}

func TestSoftmax(t *testing.T) {
	p := softmax(f32s(1000, 1000, float32(math.Inf(-1))))
	if p[0] != 0.5 || p[1] != 0.5 || p[2] != 0 {
		t.Errorf("softmax %v", p)
	}
}

func TestNear(t *testing.T) {
	inf, nan := math.Inf(1), math.NaN()
	for _, c := range []struct {
		want, got float64
		near      bool
	}{
		{0, 1e-5, true}, {0, 1.1e-5, false}, {1000, 1000.009, true}, {1000, 1000.011, false}, {nan, nan, true}, {nan, 0, false}, {0, nan, false},
		{inf, inf, true}, {inf, -inf, false}, {inf, 1e300, false}, {1e300, inf, false},
	} {
		if got := near(c.want, c.got, 1e-5); got != c.near {
			t.Errorf("near(%v, %v) = %v", c.want, c.got, got)
		}
	}
}

// Every element is read with its own type, and its text reads back.
func TestValues(t *testing.T) {
	for _, c := range []struct {
		v    values
		json string
	}{
		{values{"", runtime.F32, []int{3}, runtime.Bytes([]float32{0.1, float32(math.NaN()), float32(math.Inf(-1))})}, `[0.1,"NaN","-Inf"]`},
		{values{"", runtime.F64, []int{2}, runtime.Bytes([]float64{0.1, 1e300})}, `[0.1,1e+300]`},
		{values{"", runtime.U8, []int{2}, []byte{0, 255}}, `[0,255]`},
		{values{"", runtime.I8, []int{2}, []byte{1, 255}}, `[1,-1]`},
		{values{"", runtime.U16, []int{1}, runtime.Bytes([]uint16{65535})}, `[65535]`},
		{values{"", runtime.I16, []int{1}, runtime.Bytes([]int16{-32768})}, `[-32768]`},
		{values{"", runtime.U32, []int{1}, runtime.Bytes([]uint32{1<<32 - 1})}, `[4294967295]`},
		{values{"", runtime.I32, []int{1}, runtime.Bytes([]int32{-1 << 31})}, `[-2147483648]`},
		{values{"", runtime.U64, []int{1}, runtime.Bytes([]uint64{1<<64 - 1})}, `[18446744073709551615]`},
		{values{"", runtime.I64, []int{1}, runtime.Bytes([]int64{-1<<63 + 1})}, `[-9223372036854775807]`},
		{values{"", runtime.Bool, []int{2}, []byte{0, 1}}, `[0,1]`},
		{values{"", runtime.Bit, []int{2}, []byte{0, 1}}, `[0,1]`},
		{values{"", runtime.SBit, []int{2}, []byte{255, 1}}, `[-1,1]`},
		{values{"", runtime.Tern, []int{3}, []byte{255, 0, 1}}, `[-1,0,1]`},
	} {
		if got := elements(c.v); got != c.json {
			t.Errorf("%s: %s, want %s", c.v.elem, got, c.json)
		}
	}
}

func TestClipSpec(t *testing.T) {
	for _, c := range []struct {
		shape  []int
		layout string
		want   string // "" = no clip
	}{
		{[]int{1, 3, 8, 32, 40}, "", "CTHW"},
		{[]int{1, 8, 3, 32, 40}, "", "TCHW"},
		{[]int{1, 8, 32, 40, 3}, "", "THWC"},
		{[]int{1, 1, 8, 32, 40}, "", "CTHW"},
		{[]int{1, 1, 3, 32, 40}, "", "TCHW"},
		{[]int{1, 8, 32, 40, 1}, "", "THWC"},
		{[]int{1, 3, 3, 3, 3}, "THWC", "THWC"},
		{[]int{1, 16, 8, 32, 40}, "", ""},
		{[]int{2, 3, 8, 32, 40}, "", ""},
		{[]int{3, 8, 32, 40}, "", ""},
	} {
		p := runtime.Port{Name: "x", Elem: runtime.U8, Shape: c.shape}
		s, ok, err := clipSpec(p, c.layout)
		if err != nil || ok != (c.want != "") || s.Layout != c.want {
			t.Errorf("%v %q: %q %v %v, want %q", c.shape, c.layout, s.Layout, ok, err, c.want)
		}
		if ok && !slices.Equal(s.Shape(), c.shape[1:]) {
			t.Errorf("%v: sizes %v", c.shape, s.Shape())
		}
	}
	for _, layout := range []string{"CTH", "CTHWX", "CTHH", "ABCD"} {
		if _, _, err := clipSpec(runtime.Port{Name: "x", Elem: runtime.F32, Shape: []int{1, 3, 8, 32, 40}}, layout); err == nil {
			t.Errorf("layout %q: no error", layout)
		}
	}
}
