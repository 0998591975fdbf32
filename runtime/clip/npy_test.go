package clip

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// npyFile writes a header by hand.
func npyFile(version byte, header string, data []byte) []byte {
	b := []byte(npyMagic + string([]byte{version, 0}))
	if version == 1 {
		b = binary.LittleEndian.AppendUint16(b, uint16(len(header)))
	} else {
		b = binary.LittleEndian.AppendUint32(b, uint32(len(header)))
	}
	return slices.Concat(b, []byte(header), data)
}

func TestNPYRoundTrip(t *testing.T) {
	for _, dt := range npyTypes {
		for _, shape := range [][]int{{}, {3}, {0, 4}, {2, 3, 1, 2}} {
			a := &NPY{DType: dt.name, Shape: shape, Data: make([]byte, product(shape)*dt.size)}
			for i := range a.Data {
				a.Data[i] = byte(i * 7)
			}
			b := npyBytes(a)
			if head := len(b) - len(a.Data); head%64 != 0 || b[head-1] != '\n' {
				t.Errorf("%s%v: header of %d bytes", dt.name, shape, head)
			}
			got, err := ReadNPY(bytes.NewReader(append(b, "more"...)), 0)
			if err != nil {
				t.Fatal(err)
			}
			if got.DType != a.DType || !slices.Equal(got.Shape, a.Shape) || !bytes.Equal(got.Data, a.Data) {
				t.Errorf("wrote %v, read %v", a, got)
			}
		}
	}
	// What NumPy 1.x and 2.x write for np.arange(6, dtype='<f4').reshape(2, 3), byte for byte.
	a, err := NewNPY([]int{2, 3}, []float32{0, 1, 2, 3, 4, 5})
	if err != nil {
		t.Fatal(err)
	}
	head := "\x93NUMPY\x01\x00\x76\x00{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }"
	want := head + strings.Repeat(" ", 127-len(head)) + "\n"
	if got := string(npyBytes(a)[:128]); got != want {
		t.Errorf("header\n%q, want\n%q", got, want)
	}
}

func TestNPYVariants(t *testing.T) {
	le := binary.LittleEndian
	f32 := func(order binary.AppendByteOrder, v ...float32) (b []byte) {
		for _, x := range v {
			b = order.AppendUint32(b, math.Float32bits(x))
		}
		return b
	}
	for _, c := range []struct {
		version byte
		header  string
		data    []byte
		want    []float32
	}{
		{1, "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }\n", f32(le, 0, 1, 2, 3, 4, 5), []float32{0, 1, 2, 3, 4, 5}},
		{2, `{"shape":(2,3),"fortran_order":True,"descr":"<f4"}`, f32(le, 0, 3, 1, 4, 2, 5), []float32{0, 1, 2, 3, 4, 5}},
		{3, "{'descr': '>f4', 'fortran_order': False, 'shape': (2L, 1L,)}", f32(binary.BigEndian, 1.5, -2), []float32{1.5, -2}},
		{1, "{'descr': '|u1', 'fortran_order': True, 'shape': (2, 2, 2)}", []byte{0, 4, 2, 6, 1, 5, 3, 7}, []float32{0, 1, 2, 3, 4, 5, 6, 7}},
		{1, "{'descr': '|b1', 'fortran_order': False, 'shape': ()}", []byte{1}, []float32{1}},
		{1, "{'descr': '<f2', 'fortran_order': False, 'shape': (5,)}", []byte{0, 0x3c, 1, 0, 0xff, 0x7b, 0, 0xfc, 0, 0xc0}, []float32{1, 0x1p-24, 65504, float32(math.Inf(-1)), -2}},
		{1, "{'descr': '<i8', 'fortran_order': False, 'shape': (1,)}", le.AppendUint64(nil, math.MaxUint64), []float32{-1}},
	} {
		a, err := ReadNPY(bytes.NewReader(npyFile(c.version, c.header, c.data)), 0)
		if err != nil {
			t.Errorf("%s: %v", c.header, err)
			continue
		}
		got, err := a.Float32s()
		if err != nil || !slices.Equal(got, c.want) {
			t.Errorf("%s: %v %v, want %v", c.header, got, err, c.want)
		}
	}
}

func TestNPYFortranAgainstIndexing(t *testing.T) {
	shape := []int{3, 1, 4, 2, 5}
	n := product(shape)
	data := make([]byte, 0, 2*n)
	// Fortran order: the first index is fastest. The value names its place in C order.
	for i := range n {
		at, c, stride := i, 0, n
		for _, d := range shape {
			stride /= d
			c += at % d * stride
			at /= d
		}
		data = binary.LittleEndian.AppendUint16(data, uint16(c))
	}
	a, err := ReadNPY(bytes.NewReader(npyFile(1, "{'descr': '<u2', 'fortran_order': True, 'shape': (3, 1, 4, 2, 5)}", data)), 0)
	if err != nil {
		t.Fatal(err)
	}
	v, _ := a.Int64s()
	for i, x := range v {
		if int(x) != i {
			t.Fatalf("place %d holds %d", i, x)
		}
	}
}

func TestNPYAccessors(t *testing.T) {
	for _, a := range []any{
		must(NewNPY([]int{2}, []bool{false, true})), must(NewNPY([]int{2}, []uint8{0, 1})), must(NewNPY([]int{2}, []int8{0, 1})),
		must(NewNPY([]int{2}, []uint16{0, 1})), must(NewNPY([]int{2}, []int16{0, 1})), must(NewNPY([]int{2}, []uint32{0, 1})),
		must(NewNPY([]int{2}, []int32{0, 1})), must(NewNPY([]int{2}, []uint64{0, 1})), must(NewNPY([]int{2}, []int64{0, 1})),
		must(NewNPY([]int{2}, []float32{0, 1})), must(NewNPY([]int{2}, []float64{0, 1})),
	} {
		a := a.(*NPY)
		f, err := a.Float64s()
		if err != nil || !reflect.DeepEqual(f, []float64{0, 1}) {
			t.Errorf("%s: %v %v", a.DType, f, err)
		}
		if a.DType[0] == 'f' {
			_, err := a.Int64s()
			wantError(t, err, "not integers")
			continue
		}
		i, err := a.Int64s()
		if err != nil || !reflect.DeepEqual(i, []int64{0, 1}) {
			t.Errorf("%s: %v %v", a.DType, i, err)
		}
	}
	i, err := must(NewNPY([]int{3}, []int16{-1, math.MinInt16, math.MaxInt16})).Int64s()
	if err != nil || !slices.Equal(i, []int64{-1, math.MinInt16, math.MaxInt16}) {
		t.Error(i, err)
	}
	_, err = must(NewNPY([]int{1, 2}, []uint64{1, 1 << 63})).Int64s()
	wantError(t, err, "9223372036854775808", "[0 1]")
	_, err = (&NPY{DType: "c64", Shape: []int{1}, Data: make([]byte, 8)}).Float32s()
	wantError(t, err, "c64")
	_, err = (&NPY{DType: "f32", Shape: []int{3}, Data: make([]byte, 8)}).Float32s()
	wantError(t, err, "f32[3]", "8 bytes")
	wantError(t, WriteNPY(nil, &NPY{DType: "f32", Shape: []int{-1}}), "f32[-1]")
	_, err = NewNPY([]int{3}, []uint8{1})
	wantError(t, err, "[3]", "1 values")
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func TestNPYErrors(t *testing.T) {
	head := func(descr, shape string) []byte {
		return npyFile(1, "{'descr': "+descr+", 'fortran_order': False, 'shape': "+shape+"}", nil)
	}
	for _, c := range []struct {
		data []byte
		want string
	}{
		{nil, "not an .npy file"},
		{[]byte("\x93NUMPX\x01\x00"), "not an .npy file"},
		{[]byte(npyMagic + "\x04\x00"), "version 4.0"},
		{[]byte(npyMagic + "\x02\x00\xff\xff\xff\xff"), "4294967295 bytes"},
		{[]byte(npyMagic + "\x01\x00\x40\x00{'descr"), "64 bytes expected, the file ends after 7"},
		{head("'|O'", "(1,)"), "pickled"},
		{head("[('a', '<f4')]", "(1,)"), "structured"},
		{head("'<U8'", "(1,)"), `"<U8" is not read`},
		{head("'<f3'", "(1,)"), `"<f3" is not read`},
		{head("'<f4'", "(-1,)"), "whole sizes"},
		{head("'<f4'", "(99999999999999999999,)"), "whole sizes"},
		{head("'<f4'", "(2147483647, 2147483647, 2147483647)"), "too many elements"},
		{head("'<f4'", "(1 2)"), "',' or ')'"},
		{head("'<f4'", "(100000000,)"), "400000000 bytes, more than the limit"},
		{head("'<f4'", "(3,)"), "12 bytes expected, the file ends after 0"},
		{npyFile(1, "{'descr': '<f4', 'shape': (1,)}", nil), `"fortran_order" is missing`},
		{npyFile(1, "{'descr': '<f4', 'descr': '<f4'}", nil), "a new key"},
		{npyFile(1, "{'x': '<f4'}", nil), `unknown key "x"`},
		{npyFile(1, "{'descr': '<f4", nil), "quoted descr"},
		{npyFile(1, "{", nil), "key"},
	} {
		_, err := ReadNPY(bytes.NewReader(c.data), 0)
		wantError(t, err, c.want)
	}
}

func TestFalseSizesCostNoMemory(t *testing.T) {
	npy := npyFile(1, "{'descr': '|u1', 'fortran_order': True, 'shape': (100, 1000, 1000)}", make([]byte, 10))
	y4m := y4mBytes("W5700 H5700 C444", make([]byte, 10))
	ppm := []byte("P6\n5700 5700\n255\n1234567890")
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err := ReadNPY(bytes.NewReader(npy), 0)
	wantError(t, err, "100000000 bytes expected, the file ends after 10")
	for path, data := range map[string][]byte{"y4m": y4m, "raw": ppm} {
		opt := Options{Stdin: bytes.NewReader(data)}
		if path == "raw" {
			opt.RawW, opt.RawH = 5700, 5700
		}
		_, err := openAll("-", Spec{C: 3, T: 1, H: 2, W: 2}, opt)
		wantError(t, err, "standard input", "97470000")
	}
	runtime.ReadMemStats(&after)
	if grew := after.TotalAlloc - before.TotalAlloc; grew > 8<<20 {
		t.Errorf("%d bytes allocated for files of a few hundred", grew)
	}
}

func TestOpenNPY(t *testing.T) {
	dir := t.TempDir()
	spec := Spec{C: 3, T: 2, H: 2, W: 2, DType: "u8"}
	pix := noise(5, 2, 4, 3, 1).Pix // 5 clips of 24 values
	file := func(name string, a *NPY) string { return write(t, dir, name, npyBytes(a)) }

	one := file("one.npy", &NPY{"u8", []int{3, 2, 2, 2}, pix[:24]})
	five := file("five.npy", &NPY{"u8", []int{5, 3, 2, 2, 2}, pix})
	items, err := openAll(one, spec, Options{})
	if err != nil || len(items) != 1 {
		t.Fatal(len(items), err)
	}
	equalPix(t, items[0].Tensor.U8, pix[:24])
	if items[0].Note != "u8[3 2 2 2]" {
		t.Error(items[0].Note)
	}
	if items, err = openAll(five, spec, Options{}); err != nil || len(items) != 5 {
		t.Fatal(len(items), err)
	}
	for i, it := range items {
		if it.Index != i {
			t.Error(i, it.Index)
		}
		equalPix(t, it.Tensor.U8, pix[24*i:24*i+24])
	}

	// The same five clips in Fortran order, and as every other type that holds them.
	fortran := make([]byte, 0, 120)
	for i := range 120 {
		at, c, stride := i, 0, 120
		for _, d := range []int{5, 3, 2, 2, 2} {
			stride /= d
			c += at % d * stride
			at /= d
		}
		fortran = append(fortran, pix[c])
	}
	paths := []string{write(t, dir, "fortran.npy", npyFile(1, "{'descr': '|u1', 'fortran_order': True, 'shape': (5, 3, 2, 2, 2)}", fortran))}
	swapped := make([]byte, 0, 240)
	for _, v := range fortran {
		swapped = append(swapped, 0, v)
	}
	paths = append(paths, write(t, dir, "swapped.npy", npyFile(1, "{'descr': '>i2', 'fortran_order': True, 'shape': (5, 3, 2, 2, 2)}", swapped)))
	f32, i64 := make([]float32, 120), make([]int64, 120)
	for i, v := range pix {
		f32[i], i64[i] = float32(v), int64(v)
	}
	paths = append(paths, file("f32.npy", must(NewNPY([]int{5, 3, 2, 2, 2}, f32))), file("i64.npy", must(NewNPY([]int{5, 3, 2, 2, 2}, i64))))
	for _, p := range paths {
		items, err := openAll(p, spec, Options{})
		if err != nil || len(items) != 5 {
			t.Fatal(p, len(items), err)
		}
		equalPix(t, items[4].Tensor.U8, pix[96:])
		floats := spec
		floats.DType = "f32"
		if items, err = openAll(p, floats, Options{}); err != nil || !slices.Equal(items[3].Tensor.F32, f32[72:96]) {
			t.Error(p, err)
		}
	}

	// Mean and std: applied to bytes, not to floats. The channel of a value follows the layout.
	norm := Spec{C: 3, T: 2, H: 2, W: 2, Layout: "TCHW", Norm: Norm{Mean: []float32{0, 1, 2}, Std: []float32{1, 2, 4}}}
	bytesTCHW := file("tchw.npy", &NPY{"u8", []int{2, 3, 2, 2}, pix[:24]})
	if items, err = openAll(bytesTCHW, norm, Options{}); err != nil {
		t.Fatal(err)
	}
	for i, v := range items[0].Tensor.F32 {
		ch := i / 4 % 3
		if want := (float32(pix[i])/255 - norm.Mean[ch]) / norm.Std[ch]; v != want {
			t.Fatalf("value %d: %v, want %v", i, v, want)
		}
	}
	if want := "u8[2 3 2 2] as f32, normalised"; items[0].Note != want {
		t.Error(items[0].Note)
	}

	// Errors.
	_, err = openAll(five, Spec{C: 3, T: 2, H: 4, W: 2}, Options{})
	wantError(t, err, "five.npy", "[5 3 2 2 2]", "[3 2 4 2]", "CTHW", "not resampled")
	bad := slices.Clone(f32)
	bad[24+7] = 3.5
	_, err = openAll(file("bad.npy", must(NewNPY([]int{5, 3, 2, 2, 2}, bad))), spec, Options{})
	wantError(t, err, "bad.npy", "clip 1", "3.5 at [0 1 1 1]", "0 to 255")
	for _, v := range []float32{-1, 256, float32(math.NaN()), float32(math.Inf(1))} {
		bad[0] = v
		_, err = openAll(file("bad.npy", must(NewNPY([]int{5, 3, 2, 2, 2}, bad))), spec, Options{})
		wantError(t, err, fmt.Sprint(v)+" at [0 0 0 0]")
	}
	_, err = openAll(file("none.npy", &NPY{"u8", []int{0, 3, 2, 2, 2}, nil}), spec, Options{})
	wantError(t, err, "no clips")
	_, err = openAll(write(t, dir, "cut.npy", npyBytes(&NPY{"u8", []int{3, 2, 2, 2}, pix[:24]})[:150]), spec, Options{})
	wantError(t, err, "cut.npy", "152 bytes", "has 150")
	_, err = openAll(one, spec, Options{Limit: 10})
	wantError(t, err, "limit of 10")
	_, err = OpenVideo(one, Options{})
	wantError(t, err, "tensors, not video")

	// On a pipe the size is not known; what is missing shows when it is read.
	_, err = openAll("-", spec, Options{Stdin: bytes.NewReader(npyBytes(&NPY{"u8", []int{3, 2, 2, 2}, pix[:24]})[:150])})
	wantError(t, err, "standard input: clip 0", "24 bytes expected, the file ends after 22")
	open := Spec{C: 3, DType: "u8"}
	if items, err = openAll(five, open, Options{}); err != nil || len(items) != 5 || !slices.Equal(items[0].Tensor.Shape, []int{3, 2, 2, 2}) {
		t.Error("open sizes:", len(items), err)
	}
}
