package kernels

import (
	"encoding/binary"
	"unsafe"
)

// view16, view32 and viewF32 see the bytes of a plane as its elements. Planes start at multiples of 64 bytes of an aligned buffer.
func view16(b []byte) []int16 {
	if len(b) < 2 {
		return nil
	}
	return unsafe.Slice((*int16)(unsafe.Pointer(unsafe.SliceData(b))), len(b)/2)
}

func view32(b []byte) []int32 {
	if len(b) < 4 {
		return nil
	}
	return unsafe.Slice((*int32)(unsafe.Pointer(unsafe.SliceData(b))), len(b)/4)
}

func viewF32(b []byte) []float32 {
	if len(b) < 4 {
		return nil
	}
	return unsafe.Slice((*float32)(unsafe.Pointer(unsafe.SliceData(b))), len(b)/4)
}

// littleEndian says that the first element in memory is in the lowest bits of a word.
var littleEndian = binary.NativeEndian.Uint16([]byte{1, 0}) == 1
