package onnx

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/billnet/billnet/frontend/onnx/onnxpb"
)

// maxSparse bounds the bytes of a tensor that is stored sparsely, and so may
// be far larger than the file it comes from.
const maxSparse = 1 << 28

// Tensor is a constant. Its size has been checked against the data there is;
// the data itself is converted, or read from its file, only by Bytes.
type Tensor struct {
	Name  string
	DType DType
	Dims  []int

	len  int
	load func() ([]byte, error)
}

// Len is the number of elements, 1 for a scalar.
func (t *Tensor) Len() int { return t.len }

// Bytes returns the elements in row-major order, little-endian, DType.Size
// bytes each: elements narrower than a byte take one (sign-extended if the
// type is signed), bools are 0 or 1. The slice is the caller's. String tensors and
// unreadable files are errors.
func (t *Tensor) Bytes() ([]byte, error) {
	b, err := t.load()
	if err != nil {
		return nil, fmt.Errorf("tensor %q: %w", t.Name, err)
	}
	return b, nil
}

// tensor checks one tensor record and prepares its conversion.
func (d *decoder) tensor(p *onnxpb.Tensor) (*Tensor, error) {
	t, err := d.buildTensor(p)
	if err != nil {
		return nil, fmt.Errorf("tensor %q: %w", p.Name, err)
	}
	return t, nil
}

func (d *decoder) buildTensor(p *onnxpb.Tensor) (*Tensor, error) {
	t := &Tensor{Name: p.Name, DType: DType(p.DataType)}
	if !t.DType.Known() {
		return nil, fmt.Errorf("unknown element type %s", t.DType)
	}
	var err error
	if t.Dims, err = fixedDims(p.Dims); err != nil {
		return nil, err
	}
	if t.len, err = numElements(t.Dims); err != nil {
		return nil, err
	}
	if t.len > math.MaxInt/128 {
		return nil, fmt.Errorf("shape %v is too large", t.Dims)
	}
	if p.Segment != nil {
		return nil, errors.New("tensors in segments are not supported; save the model again with a current exporter")
	}
	switch {
	case t.DType == String:
		if p.DataLocation == 0 && len(p.StringData) != t.len {
			return nil, fmt.Errorf("%d strings for shape %v", len(p.StringData), t.Dims)
		}
		t.load = func() ([]byte, error) { return nil, errors.New("tensors of strings are not supported") }
	case p.DataLocation == 1:
		err = d.externalData(t, p.ExternalData)
	case p.DataLocation != 0:
		err = fmt.Errorf("unknown data location %d", p.DataLocation)
	case len(p.RawData) > 0:
		err = d.rawData(t, p)
	default:
		err = t.typedData(p)
	}
	if err != nil {
		return nil, err
	}
	return t, nil
}

// fixedDims converts dims, refusing negative ones.
func fixedDims(dims []int64) ([]int, error) {
	out := make([]int, len(dims))
	for i, v := range dims {
		if v < 0 || v > math.MaxInt {
			return nil, fmt.Errorf("dimension %d of shape %v is out of range", i, dims)
		}
		out[i] = int(v)
	}
	return out, nil
}

// storedBytes is the size of the tensor in a file, where elements narrower
// than a byte are packed.
func (t *Tensor) storedBytes() int { return (t.len*t.DType.Bits() + 7) / 8 }

// rawData prepares the reading of a tensor whose bytes are in the model's file.
func (d *decoder) rawData(t *Tensor, p *onnxpb.Tensor) error {
	if name, _ := typedField(p); name != "" {
		return fmt.Errorf("data both in raw_data and in %s", name)
	}
	ref := decodeRef(p.RawData)
	if ref.size != t.storedBytes() {
		return fmt.Errorf("%d bytes of data, but %s%v takes %d", ref.size, t.DType, t.Dims, t.storedBytes())
	}
	file := d.file
	t.load = func() ([]byte, error) {
		b := make([]byte, ref.size)
		if n, err := file.ReadAt(b, int64(ref.at)); n < len(b) {
			return nil, fmt.Errorf("the file cannot be read: %w", err)
		}
		return t.unpack(b), nil
	}
	return nil
}

// unpack turns stored bytes into the form Bytes promises. It returns stored
// itself where nothing needs changing.
func (t *Tensor) unpack(stored []byte) []byte {
	bits := t.DType.Bits()
	if bits < 8 {
		signed := t.DType == Int4 || t.DType == Int2
		out := make([]byte, t.len)
		per := 8 / bits
		for i := range out {
			v := stored[i/per] >> (i % per * bits) << (8 - bits)
			if signed {
				out[i] = byte(int8(v) >> (8 - bits))
			} else {
				out[i] = v >> (8 - bits)
			}
		}
		return out
	}
	if t.DType == Bool && slices.ContainsFunc(stored, func(b byte) bool { return b > 1 }) {
		out := make([]byte, len(stored))
		for i, b := range stored {
			if b != 0 {
				out[i] = 1
			}
		}
		return out
	}
	return stored
}

// typedField names the typed data field in use and its length; "" if none is,
// "two typed fields" if the record contradicts itself.
func typedField(p *onnxpb.Tensor) (string, int) {
	name, length := "", 0
	for _, f := range []struct {
		name string
		len  int
	}{
		{"float_data", len(p.FloatData)},
		{"double_data", len(p.DoubleData)},
		{"int32_data", len(p.Int32Data)},
		{"int64_data", len(p.Int64Data)},
		{"uint64_data", len(p.Uint64Data)},
		{"string_data", len(p.StringData)},
	} {
		if f.len == 0 {
			continue
		}
		if name != "" {
			return "two typed fields", 0
		}
		name, length = f.name, f.len
	}
	return name, length
}

// typedData takes the elements from the field that ONNX prescribes for the
// element type.
func (t *Tensor) typedData(p *onnxpb.Tensor) error {
	le := binary.LittleEndian
	field, count := "int32_data", t.len
	switch t.DType {
	case Float32, Complex64:
		field, count = "float_data", t.storedBytes()/4
		t.load = func() ([]byte, error) {
			return appendEach(p.FloatData, func(b []byte, v float32) []byte { return le.AppendUint32(b, math.Float32bits(v)) }), nil
		}
	case Float64, Complex128:
		field, count = "double_data", t.storedBytes()/8
		t.load = func() ([]byte, error) {
			return appendEach(p.DoubleData, func(b []byte, v float64) []byte { return le.AppendUint64(b, math.Float64bits(v)) }), nil
		}
	case Int64:
		field = "int64_data"
		t.load = func() ([]byte, error) {
			return appendEach(p.Int64Data, func(b []byte, v int64) []byte { return le.AppendUint64(b, uint64(v)) }), nil
		}
	case Uint64:
		field = "uint64_data"
		t.load = func() ([]byte, error) { return appendEach(p.Uint64Data, le.AppendUint64), nil }
	case Uint32:
		field = "uint64_data"
		t.load = func() ([]byte, error) {
			if i := slices.IndexFunc(p.Uint64Data, func(v uint64) bool { return v > math.MaxUint32 }); i >= 0 {
				return nil, fmt.Errorf("element %d is %d, which is no uint32", i, p.Uint64Data[i])
			}
			return appendEach(p.Uint64Data, func(b []byte, v uint64) []byte { return le.AppendUint32(b, uint32(v)) }), nil
		}
	default:
		if t.DType.Bits() < 8 {
			count = t.storedBytes()
		}
		t.load = func() ([]byte, error) { return t.fromInt32(p.Int32Data) }
	}
	name, n := typedField(p)
	if name != "" && name != field {
		return fmt.Errorf("data of a %s tensor in %s, expected %s", t.DType, name, field)
	}
	if n != count {
		return fmt.Errorf("%d values in %s, but %s%v takes %d", n, field, t.DType, t.Dims, count)
	}
	return nil
}

// fromInt32 converts int32_data, which holds all narrow types: the value of an
// integer or bool, the bit pattern of a float, a whole byte of packed elements.
func (t *Tensor) fromInt32(data []int32) ([]byte, error) {
	lo, hi := int32(0), int32(math.MaxUint8)
	switch t.DType {
	case Int32:
		lo, hi = math.MinInt32, math.MaxInt32
	case Int16:
		lo, hi = math.MinInt16, math.MaxInt16
	case Uint16, Float16, BFloat16:
		hi = math.MaxUint16
	case Int8:
		lo, hi = math.MinInt8, math.MaxInt8
	}
	if i := slices.IndexFunc(data, func(v int32) bool { return v < lo || v > hi }); i >= 0 {
		return nil, fmt.Errorf("element %d is %d, outside of [%d, %d] for %s", i, data[i], lo, hi, t.DType)
	}
	le := binary.LittleEndian
	switch t.DType.Size() {
	case 4:
		return appendEach(data, func(b []byte, v int32) []byte { return le.AppendUint32(b, uint32(v)) }), nil
	case 2:
		return appendEach(data, func(b []byte, v int32) []byte { return le.AppendUint16(b, uint16(v)) }), nil
	}
	return t.unpack(appendEach(data, func(b []byte, v int32) []byte { return append(b, byte(v)) })), nil
}

// appendEach encodes all values with add.
func appendEach[T any](values []T, add func([]byte, T) []byte) []byte {
	b := make([]byte, 0, len(values)*binary.Size(*new(T)))
	for _, v := range values {
		b = add(b, v)
	}
	return b
}

// sparse checks a sparse tensor, which becomes an ordinary one when read: its
// values stand at the given indices, zeros everywhere else.
func (d *decoder) sparse(p *onnxpb.SparseTensor) (*Tensor, error) {
	t, err := d.buildSparse(p)
	if err != nil {
		return nil, fmt.Errorf("sparse tensor %q: %w", p.GetValues().GetName(), err)
	}
	return t, nil
}

func (d *decoder) buildSparse(p *onnxpb.SparseTensor) (*Tensor, error) {
	if p.Values == nil || p.Indices == nil {
		return nil, errors.New("values or indices are missing")
	}
	values, err := d.tensor(p.Values)
	if err != nil {
		return nil, err
	}
	indices, err := d.tensor(p.Indices)
	if err != nil {
		return nil, err
	}
	t := &Tensor{Name: values.Name, DType: values.DType}
	if t.Dims, err = fixedDims(p.Dims); err != nil {
		return nil, err
	}
	if t.len, err = numElements(t.Dims); err != nil {
		return nil, err
	}
	size := t.DType.Size()
	if size == 0 {
		return nil, fmt.Errorf("element type %s is not supported", t.DType)
	}
	if t.len > maxSparse/size {
		return nil, fmt.Errorf("shape %v takes more than %d MB", t.Dims, maxSparse>>20)
	}
	if len(values.Dims) != 1 || indices.DType != Int64 {
		return nil, fmt.Errorf("values of shape %v with %s indices, expected one dimension and int64", values.Dims, indices.DType)
	}
	flat := slices.Equal(indices.Dims, []int{values.len})
	if !flat && !slices.Equal(indices.Dims, []int{values.len, len(t.Dims)}) {
		return nil, fmt.Errorf("indices of shape %v do not fit %d values in shape %v", indices.Dims, values.len, t.Dims)
	}
	t.load = func() ([]byte, error) {
		vals, err := values.Bytes()
		if err != nil {
			return nil, err
		}
		idx, err := indices.Bytes()
		if err != nil {
			return nil, err
		}
		out := make([]byte, t.len*size)
		dims := t.Dims
		if flat {
			dims = []int{t.len}
		}
		for i := range values.len {
			at := 0
			for _, dim := range dims {
				v := binary.LittleEndian.Uint64(idx)
				idx = idx[8:]
				if v >= uint64(dim) {
					return nil, fmt.Errorf("index %d of value %d is outside of shape %v", int64(v), i, t.Dims)
				}
				at = at*dim + int(v)
			}
			copy(out[at*size:], vals[i*size:(i+1)*size])
		}
		return out, nil
	}
	return t, nil
}
