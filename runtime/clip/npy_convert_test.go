package clip

import (
	"bytes"
	"encoding/binary"
	"math"
	"testing"
)

// Every float of 16 bits becomes the f32 of its value, and comes back; an f32
// between two becomes the nearer, or the even one.
func TestConvertFloats(t *testing.T) {
	for _, kind := range []string{"f16", "bf16"} {
		half := &NPY{DType: kind, Shape: []int{1 << 16}, Data: make([]byte, 2<<16)}
		for i := range 1 << 16 {
			binary.LittleEndian.PutUint16(half.Data[2*i:], uint16(i))
		}
		wide, ok := half.Convert("f32", "")
		if !ok {
			t.Fatalf("%s to f32: not converted", kind)
		}
		back, ok := wide.Convert(kind, "")
		if !ok {
			t.Fatalf("f32 to %s: not converted", kind)
		}
		value := func(i int) float64 {
			return float64(math.Float32frombits(binary.LittleEndian.Uint32(wide.Data[4*i:])))
		}
		for i := range 1 << 16 {
			got := binary.LittleEndian.Uint16(back.Data[2*i:])
			if v := value(i); got != uint16(i) && !math.IsNaN(v) {
				t.Fatalf("%s %#04x is %v and comes back as %#04x", kind, i, v, got)
			}
		}
		for i := range 1<<15 - 1 { // positive ones, in ascending order
			lo, hi := value(i), value(i+1)
			if math.IsInf(hi, 0) || math.IsNaN(hi) || math.IsNaN(lo) || math.IsInf(lo, 0) {
				continue
			}
			mid := float32(lo + (hi-lo)/2)
			for _, c := range []struct {
				v    float32
				want int
			}{{mid, i + i&1}, {math.Nextafter32(mid, 0), i}, {math.Nextafter32(mid, math.MaxFloat32), i + 1}} {
				one := &NPY{DType: "f32", Shape: []int{1}, Data: binary.LittleEndian.AppendUint32(nil, math.Float32bits(c.v))}
				got, _ := one.Convert(kind, "")
				if g := int(binary.LittleEndian.Uint16(got.Data)); g != c.want {
					t.Fatalf("%v as %s is %#04x, want %#04x", c.v, kind, g, c.want)
				}
			}
		}
	}
	if v := fromHalf(0x3c01); v != 1+1.0/1024 {
		t.Errorf("0x3c01 is %v", v)
	}
	if h := toHalf(65520); h != 0x7c00 {
		t.Errorf("65520 is %#x, want infinity", h)
	}
}

// Integers of less than a byte stand in the low bits of one.
func TestConvertNarrow(t *testing.T) {
	for _, c := range []struct {
		kind, elem string
		file, data []byte
	}{
		{"i4", "i8", []byte{8, 15, 7, 0}, []byte{0xf8, 0xff, 7, 0}},
		{"u4", "u8", []byte{8, 15, 7, 0}, []byte{8, 15, 7, 0}},
		{"i2", "i8", []byte{2, 3, 1, 0}, []byte{0xfe, 0xff, 1, 0}},
		{"u2", "u8", []byte{2, 3, 1, 0}, []byte{2, 3, 1, 0}},
	} {
		in, ok := (&NPY{DType: "v8", Shape: []int{4}, Data: c.file}).Convert(c.elem, c.kind)
		if !ok || !bytes.Equal(in.Data, c.data) {
			t.Errorf("%s: %v is read as %v", c.kind, c.file, in)
			continue
		}
		if out, ok := in.Convert("v8", c.kind); !ok || !bytes.Equal(out.Data, c.file) {
			t.Errorf("%s: %v is written as %v", c.kind, c.data, out)
		}
	}
	for _, c := range [][3]string{{"v8", "i8", ""}, {"v8", "u8", "i4"}, {"i32", "f32", ""}, {"u8", "f32", ""}, {"v8", "f32", "i4"}} {
		if _, ok := (&NPY{DType: c[0], Shape: []int{0}}).Convert(c[1], c[2]); ok {
			t.Errorf("%v is converted", c)
		}
	}
}
