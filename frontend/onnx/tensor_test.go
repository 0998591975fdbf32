package onnx

import (
	"bytes"
	"encoding/binary"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/billnet/billnet/frontend/onnx/onnxpb"
)

// storedTensor is a tensor whose raw_data is the file.
func storedTensor(p *onnxpb.Tensor) (*Tensor, error) {
	d := &decoder{file: bytes.NewReader(p.RawData)}
	p.RawData = rawRef{0, len(p.RawData)}.encode()
	return d.tensor(p)
}

func TestTensorData(t *testing.T) {
	f32 := func(v ...float32) []byte {
		b, _ := binary.Append(nil, binary.LittleEndian, v)
		return b
	}
	for _, c := range []struct {
		name string
		in   *onnxpb.Tensor
		want []byte
	}{
		{"float raw", &onnxpb.Tensor{DataType: 1, Dims: []int64{2}, RawData: f32(1, -2)}, f32(1, -2)},
		{"float typed", &onnxpb.Tensor{DataType: 1, Dims: []int64{2}, FloatData: []float32{1, -2}}, f32(1, -2)},
		{"float scalar", &onnxpb.Tensor{DataType: 1, FloatData: []float32{7}}, f32(7)},
		{"empty", &onnxpb.Tensor{DataType: 1, Dims: []int64{3, 0, 1 << 60, 1 << 60}}, nil},
		{"double typed", &onnxpb.Tensor{DataType: 11, DoubleData: []float64{1.5}}, binary.LittleEndian.AppendUint64(nil, math.Float64bits(1.5))},
		{"int64 typed", &onnxpb.Tensor{DataType: 7, Int64Data: []int64{-2}}, []byte{0xfe, 255, 255, 255, 255, 255, 255, 255}},
		{"uint64 typed", &onnxpb.Tensor{DataType: 13, Uint64Data: []uint64{1 << 63}}, []byte{0, 0, 0, 0, 0, 0, 0, 0x80}},
		{"uint32 typed", &onnxpb.Tensor{DataType: 12, Uint64Data: []uint64{math.MaxUint32}}, []byte{255, 255, 255, 255}},
		{"int32 typed", &onnxpb.Tensor{DataType: 6, Int32Data: []int32{-1}}, []byte{255, 255, 255, 255}},
		{"int16 typed", &onnxpb.Tensor{DataType: 5, Int32Data: []int32{-2}}, []byte{0xfe, 255}},
		{"int8 typed", &onnxpb.Tensor{DataType: 3, Int32Data: []int32{-128}}, []byte{0x80}},
		{"uint8 typed", &onnxpb.Tensor{DataType: 2, Int32Data: []int32{255}}, []byte{255}},
		{"bool typed", &onnxpb.Tensor{DataType: 9, Dims: []int64{3}, Int32Data: []int32{0, 1, 2}}, []byte{0, 1, 1}},
		{"bool raw", &onnxpb.Tensor{DataType: 9, Dims: []int64{3}, RawData: []byte{0, 255, 1}}, []byte{0, 1, 1}},
		{"float16 typed", &onnxpb.Tensor{DataType: 10, Int32Data: []int32{0xbc00}}, []byte{0, 0xbc}},
		{"bfloat16 raw", &onnxpb.Tensor{DataType: 16, RawData: []byte{0x80, 0x3f}}, []byte{0x80, 0x3f}},
		{"int4 raw", &onnxpb.Tensor{DataType: 22, Dims: []int64{3}, RawData: []byte{0x7f, 0x08}}, []byte{0xff, 7, 0xf8}},
		{"uint4 typed", &onnxpb.Tensor{DataType: 21, Dims: []int64{3}, Int32Data: []int32{0x7f, 0x08}}, []byte{15, 7, 8}},
		{"int2 raw", &onnxpb.Tensor{DataType: 26, Dims: []int64{5}, RawData: []byte{0b11_10_01_00, 3}}, []byte{0, 1, 0xfe, 0xff, 0xff}},
	} {
		tensor, err := storedTensor(c.in)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if got, err := tensor.Bytes(); err != nil || !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, expected %v (%v)", c.name, got, c.want, err)
		}
	}
}

func TestTensorRefused(t *testing.T) {
	for _, c := range []struct {
		want string
		in   *onnxpb.Tensor
	}{
		{"unknown element type undefined", &onnxpb.Tensor{}},
		{"unknown element type code 99", &onnxpb.Tensor{DataType: 99}},
		{"20 bytes of data, but float32[4] takes 16", &onnxpb.Tensor{DataType: 1, Dims: []int64{4}, RawData: make([]byte, 20)}},
		{"0 values in float_data, but float32[1099511627776]", &onnxpb.Tensor{DataType: 1, Dims: []int64{1 << 40}}},
		{"more elements than fit", &onnxpb.Tensor{DataType: 1, Dims: []int64{1 << 40, 1 << 40}}},
		{"too large", &onnxpb.Tensor{DataType: 1, Dims: []int64{1 << 60}}},
		{"out of range", &onnxpb.Tensor{DataType: 1, Dims: []int64{-1}}},
		{"both in raw_data and in float_data", &onnxpb.Tensor{DataType: 1, RawData: make([]byte, 4), FloatData: []float32{1}}},
		{"in int64_data, expected float_data", &onnxpb.Tensor{DataType: 1, Int64Data: []int64{1}}},
		{"two typed fields", &onnxpb.Tensor{DataType: 1, FloatData: []float32{1}, Int64Data: []int64{1}}},
		{"segments", &onnxpb.Tensor{DataType: 1, Segment: &onnxpb.Segment{End: 3}}},
		{"2 strings for shape []", &onnxpb.Tensor{DataType: 8, StringData: [][]byte{{1}, {2}}}},
		{"data location 2", &onnxpb.Tensor{DataType: 1, DataLocation: 2}},
	} {
		_, err := storedTensor(c.in)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("error %v, expected %q", err, c.want)
		}
	}
	for _, c := range []struct {
		want string
		in   *onnxpb.Tensor
	}{
		{"element 1 is 300, outside of [0, 255] for uint8", &onnxpb.Tensor{DataType: 2, Dims: []int64{2}, Int32Data: []int32{3, 300}}},
		{"which is no uint32", &onnxpb.Tensor{DataType: 12, Uint64Data: []uint64{1 << 32}}},
		{"strings are not supported", &onnxpb.Tensor{DataType: 8, StringData: [][]byte{{1}}}},
	} {
		tensor, err := storedTensor(c.in)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := tensor.Bytes(); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("error %v, expected %q", err, c.want)
		}
	}
}

func TestSparse(t *testing.T) {
	values := &onnxpb.Tensor{Name: "s", DataType: 3, Dims: []int64{2}, Int32Data: []int32{5, -1}}
	index := func(dims []int64, v ...int64) *onnxpb.Tensor {
		return &onnxpb.Tensor{DataType: 7, Dims: dims, Int64Data: v}
	}
	for _, idx := range []*onnxpb.Tensor{index([]int64{2}, 1, 5), index([]int64{2, 2}, 0, 1, 1, 2)} {
		s, err := new(decoder).sparse(&onnxpb.SparseTensor{Values: values, Indices: idx, Dims: []int64{2, 3}})
		if err != nil {
			t.Fatal(err)
		}
		if got, err := s.Bytes(); err != nil || !slices.Equal(got, []byte{0, 5, 0, 0, 0, 255}) || s.Name != "s" {
			t.Errorf("%s: %v, %v", s.Name, got, err)
		}
	}
	for _, c := range []struct {
		want string
		dims []int64
		idx  *onnxpb.Tensor
	}{
		{"more than 256 MB", []int64{1 << 30}, index([]int64{2}, 0, 1)},
		{"do not fit 2 values", []int64{2, 3}, index([]int64{3}, 0, 1, 2)},
	} {
		if _, err := new(decoder).sparse(&onnxpb.SparseTensor{Values: values, Indices: c.idx, Dims: c.dims}); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("error %v, expected %q", err, c.want)
		}
	}
	s, err := new(decoder).sparse(&onnxpb.SparseTensor{Values: values, Indices: index([]int64{2}, 0, -1), Dims: []int64{2, 3}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Bytes(); err == nil || !strings.Contains(err.Error(), "index -1 of value 1 is outside") {
		t.Errorf("error %v", err)
	}
}

func external(location string, offset, length int) *onnxpb.Tensor {
	return &onnxpb.Tensor{Name: "w", DataType: 2, Dims: []int64{4}, DataLocation: 1, ExternalData: []*onnxpb.StringEntry{
		{Key: "location", Value: location}, {Key: "offset", Value: strconv.Itoa(offset)}, {Key: "length", Value: strconv.Itoa(length)}}}
}

func TestExternalData(t *testing.T) {
	dir := fstest.MapFS{"m/w.bin": {Data: []byte{0, 1, 2, 3, 4, 5}}}
	d := &decoder{dir: dir}
	tensor, err := d.tensor(external("./m/../m/w.bin", 1, 4))
	if err != nil {
		t.Fatal(err)
	}
	if b, err := tensor.Bytes(); err != nil || !slices.Equal(b, []byte{1, 2, 3, 4}) {
		t.Errorf("%v, %v", b, err)
	}
	for _, c := range []struct {
		want string
		in   *onnxpb.Tensor
	}{
		{`"gone.bin" is missing`, external("gone.bin", 0, 4)},
		{"has 6 bytes, expected 4 at offset 3", external("m/w.bin", 3, 4)},
		{"has 6 bytes, expected 4 at offset 9000", external("m/w.bin", 9000, 4)},
		{"3 bytes of external data, but uint8[4] takes 4", external("m/w.bin", 0, 3)},
		{"not inside the model's folder", external("../w.bin", 0, 4)},
		{"not inside the model's folder", external("/m/w.bin", 0, 4)},
		{"not inside the model's folder", external("m/../../w.bin", 0, 4)},
		{"not a regular file", external("m", 0, 4)},
		{"without a location", external("", 0, 4)},
		{`offset "-1" is not a size`, external("m/w.bin", -1, 4)},
	} {
		if _, err := d.tensor(c.in); err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), `tensor "w"`) {
			t.Errorf("error %v, expected %q", err, c.want)
		}
	}
	if _, err := new(decoder).tensor(external("m/w.bin", 0, 4)); err == nil || !strings.Contains(err.Error(), "open the model by its path") {
		t.Errorf("error %v", err)
	}
}

func TestExternalDataLinks(t *testing.T) {
	outside := t.TempDir()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(outside, "secret"), make([]byte, 4), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "w.bin"), make([]byte, 4), 0o600); err != nil {
		t.Fatal(err)
	}
	for link, target := range map[string]string{"out": filepath.Join(outside, "secret"), "folder": outside, "in": "w.bin"} {
		if err := os.Symlink(target, filepath.Join(dir, link)); err != nil {
			t.Skipf("no symbolic links here: %v", err)
		}
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	d := &decoder{dir: root.FS()}
	for location, ok := range map[string]bool{"w.bin": true, "in": true, "out": false, "folder/secret": false} {
		if _, err := d.tensor(external(location, 0, 4)); (err == nil) != ok {
			t.Errorf("%s: error %v", location, err)
		}
	}
}
