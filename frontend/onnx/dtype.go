package onnx

import "fmt"

// DType is the element type of a tensor, with the codes of ONNX's
// TensorProto.DataType.
type DType int32

// The element types ONNX knows.
const (
	Undefined  DType = 0
	Float32    DType = 1
	Uint8      DType = 2
	Int8       DType = 3
	Uint16     DType = 4
	Int16      DType = 5
	Int32      DType = 6
	Int64      DType = 7
	String     DType = 8
	Bool       DType = 9
	Float16    DType = 10
	Float64    DType = 11
	Uint32     DType = 12
	Uint64     DType = 13
	Complex64  DType = 14
	Complex128 DType = 15
	BFloat16   DType = 16
	Float8E4M3 DType = 17
	Float8E4Z  DType = 18
	Float8E5M2 DType = 19
	Float8E5Z  DType = 20
	Uint4      DType = 21
	Int4       DType = 22
	Float4     DType = 23
	Float8E8M0 DType = 24
	Uint2      DType = 25
	Int2       DType = 26
)

// dtypes gives each element type its name and its width in bits (0: no fixed
// width).
var dtypes = [...]struct {
	name string
	bits int
}{
	Undefined:  {"undefined", 0},
	Float32:    {"float32", 32},
	Uint8:      {"uint8", 8},
	Int8:       {"int8", 8},
	Uint16:     {"uint16", 16},
	Int16:      {"int16", 16},
	Int32:      {"int32", 32},
	Int64:      {"int64", 64},
	String:     {"string", 0},
	Bool:       {"bool", 8},
	Float16:    {"float16", 16},
	Float64:    {"float64", 64},
	Uint32:     {"uint32", 32},
	Uint64:     {"uint64", 64},
	Complex64:  {"complex64", 64},
	Complex128: {"complex128", 128},
	BFloat16:   {"bfloat16", 16},
	Float8E4M3: {"float8e4m3fn", 8},
	Float8E4Z:  {"float8e4m3fnuz", 8},
	Float8E5M2: {"float8e5m2", 8},
	Float8E5Z:  {"float8e5m2fnuz", 8},
	Uint4:      {"uint4", 4},
	Int4:       {"int4", 4},
	Float4:     {"float4e2m1", 4},
	Float8E8M0: {"float8e8m0", 8},
	Uint2:      {"uint2", 2},
	Int2:       {"int2", 2},
}

// Known reports whether d is an element type ONNX defines, Undefined excluded.
func (d DType) Known() bool { return d > Undefined && int(d) < len(dtypes) }

// Bits is the width of one stored element in bits, 0 if it has no fixed width.
func (d DType) Bits() int {
	if !d.Known() {
		return 0
	}
	return dtypes[d].bits
}

// Size is the number of bytes of one element in Tensor.Bytes, where elements
// narrower than a byte take one; 0 if the type has no fixed width.
func (d DType) Size() int { return (d.Bits() + 7) / 8 }

func (d DType) String() string {
	if d != Undefined && !d.Known() {
		return fmt.Sprintf("code %d", int32(d))
	}
	return dtypes[d].name
}
