package billb

import (
	"fmt"

	"github.com/billnet/billnet/runtime/kernels"
)

// Elem is the type of one element of a buffer, constant or port. The numbers
// are those of the file format.
type Elem uint8

// The element types.
const (
	F32  Elem = 1
	F64  Elem = 2
	U8   Elem = 3
	I8   Elem = 4
	U16  Elem = 5
	I16  Elem = 6
	U32  Elem = 7
	I32  Elem = 8
	U64  Elem = 9
	I64  Elem = 10
	Bool Elem = 11
	Bit  Elem = 12 // {0,1}
	SBit Elem = 13 // {-1,+1}: a set bit is +1
	Tern Elem = 14 // {-1,0,+1}
)

var elemInfo = [...]struct {
	name  string
	width int
}{
	F32: {"f32", 4}, F64: {"f64", 8}, U8: {"u8", 1}, I8: {"i8", 1}, U16: {"u16", 2}, I16: {"i16", 2}, U32: {"u32", 4}, I32: {"i32", 4},
	U64: {"u64", 8}, I64: {"i64", 8}, Bool: {"bool", 1}, Bit: {"bit", 1}, SBit: {"sbit", 1}, Tern: {"tern", 1},
}

func (e Elem) Valid() bool { return e >= F32 && e <= Tern }

func (e Elem) String() string {
	if e.Valid() {
		return elemInfo[e].name
	}
	return fmt.Sprintf("Elem(%d)", uint8(e))
}

// ParseElem returns the element type called name.
func ParseElem(name string) (Elem, bool) {
	for e := F32; e <= Tern; e++ {
		if elemInfo[e].name == name {
			return e, true
		}
	}
	return 0, false
}

// Width is the number of bytes of one element of a dense buffer: the natural
// Go width, one byte for bool and the logic types.
//
//go:noinline
func (e Elem) Width() int { return elemInfo[e].width }

func (e Elem) IsFloat() bool { return e == F32 || e == F64 }
func (e Elem) IsInt() bool   { return e >= U8 && e <= I64 }
func (e Elem) IsBit() bool   { return e == Bit || e == SBit }
func (e Elem) IsTruth() bool { return e == Bool || e == Bit || e == SBit } // two values, set and clear
func (e Elem) IsLogic() bool { return e >= Bit }

// plane is the kernels' element type of a plane map of elements e.
func (e Elem) Plane() (kernels.Elem, bool) {
	switch e {
	case Bit, SBit:
		return kernels.Bit, true
	case U8:
		return kernels.U8, true
	case I8:
		return kernels.I8, true
	case I16:
		return kernels.I16, true
	case I32:
		return kernels.I32, true
	}
	return 0, false
}

// intRange is the range of an integer, bool or logic type; that of u64 is cut
// at the largest int64.
func (e Elem) Range() (lo, hi int64) {
	switch e {
	case Bool, Bit:
		return 0, 1
	case SBit, Tern:
		return -1, 1
	case U8, U16, U32:
		return 0, 1<<(8*e.Width()) - 1
	case U64:
		return 0, 1<<63 - 1
	}
	bits := 8*e.Width() - 1
	return -1 << bits, 1<<bits - 1
}
