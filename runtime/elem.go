package runtime

import (
	"unsafe"

	"github.com/billnet/billnet/runtime/billb"
)

// Elem is the type of one element of an input or output.
type Elem = billb.Elem

// The element types.
const (
	F32  = billb.F32
	F64  = billb.F64
	U8   = billb.U8
	I8   = billb.I8
	U16  = billb.U16
	I16  = billb.I16
	U32  = billb.U32
	I32  = billb.I32
	U64  = billb.U64
	I64  = billb.I64
	Bool = billb.Bool
	Bit  = billb.Bit  // {0,1}
	SBit = billb.SBit // {-1,+1}
	Tern = billb.Tern // {-1,0,+1}
)

// Number is a Go type in which elements are kept.
type Number interface {
	~float32 | ~float64 | ~uint8 | ~int8 | ~uint16 | ~int16 | ~uint32 | ~int32 | ~uint64 | ~int64
}

// Bytes views a slice of numbers as its bytes, for Session.Run. It copies
// nothing.
func Bytes[T Number](v []T) []byte {
	if len(v) == 0 {
		return nil
	}
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(v))), len(v)*int(unsafe.Sizeof(v[0])))
}

// as views bytes as numbers. b must be aligned for T.
func as[T Number](b []byte) []T {
	var z T
	n := len(b) / int(unsafe.Sizeof(z))
	if n == 0 {
		return nil
	}
	return unsafe.Slice((*T)(unsafe.Pointer(unsafe.SliceData(b))), n)
}

func sizeOf[T Number]() int {
	var z T
	return int(unsafe.Sizeof(z))
}

// holds reports whether T is the Go type of dense elements e.
func holds[T Number](e Elem) bool {
	var z T
	switch any(z).(type) {
	case float32:
		return e == F32
	case float64:
		return e == F64
	case uint8:
		return e == U8 || e == Bool || e == Bit
	case int8:
		return e == I8 || e == SBit || e == Tern
	case uint16:
		return e == U16
	case int16:
		return e == I16
	case uint32:
		return e == U32
	case int32:
		return e == I32
	case uint64:
		return e == U64
	case int64:
		return e == I64
	}
	return false
}
