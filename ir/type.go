package ir

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// DType is the type of one element.
type DType uint8

// The element types. Bit, SBit and Tern are those of binary networks: what a
// set bit means is decided by the type, here and nowhere else.
const (
	Invalid DType = iota
	F32
	F64
	F16
	BF16
	Bool
	U8
	I8
	U16
	I16
	U32
	I32
	U64
	I64
	Bit  // {0,1}, one bit an element
	SBit // {-1,+1}, one bit an element: a set bit means +1
	Tern // {-1,0,+1}
)

var dtypeInfo = [...]struct {
	name   string
	bits   int // storage bits of one element in a dense file
	lo, hi int64
}{
	Invalid: {"invalid", 0, 0, 0},
	F32:     {"f32", 32, 0, 0},
	F64:     {"f64", 64, 0, 0},
	F16:     {"f16", 16, 0, 0},
	BF16:    {"bf16", 16, 0, 0},
	Bool:    {"bool", 8, 0, 1},
	U8:      {"u8", 8, 0, math.MaxUint8},
	I8:      {"i8", 8, math.MinInt8, math.MaxInt8},
	U16:     {"u16", 16, 0, math.MaxUint16},
	I16:     {"i16", 16, math.MinInt16, math.MaxInt16},
	U32:     {"u32", 32, 0, math.MaxUint32},
	I32:     {"i32", 32, math.MinInt32, math.MaxInt32},
	U64:     {"u64", 64, 0, math.MaxInt64},
	I64:     {"i64", 64, math.MinInt64, math.MaxInt64},
	Bit:     {"bit", 1, 0, 1},
	SBit:    {"sbit", 1, -1, 1},
	Tern:    {"tern", 2, -1, 1},
}

func (d DType) String() string {
	if int(d) < len(dtypeInfo) {
		return dtypeInfo[d].name
	}
	return "dtype(" + strconv.Itoa(int(d)) + ")"
}

// ParseDType returns the element type with the given name.
func ParseDType(s string) (DType, bool) {
	for d := range dtypeInfo {
		if d != 0 && dtypeInfo[d].name == s {
			return DType(d), true
		}
	}
	return Invalid, false
}

// IsFloat reports whether d is a floating-point type.
func (d DType) IsFloat() bool { return d >= F32 && d <= BF16 }

// IsInt reports whether d is an integer type (not bool, bit, sbit or tern).
func (d DType) IsInt() bool { return d >= U8 && d <= I64 }

// IsBit reports whether one bit holds an element: bit or sbit.
func (d DType) IsBit() bool { return d == Bit || d == SBit }

// IsLogic reports whether d is a type of binary networks: bit, sbit or tern.
func (d DType) IsLogic() bool { return d >= Bit && d <= Tern }

// Bits returns the storage of one element in bits.
func (d DType) Bits() int { return dtypeInfo[d].bits }

// Range returns the smallest and largest value of an integer, bool or logic
// type. That of u64 is cut at the largest int64, the interpreter's integer.
func (d DType) Range() (lo, hi int64) { return dtypeInfo[d].lo, dtypeInfo[d].hi }

// SmallestInt returns the narrowest of i8, i16, i32 and i64 that holds lo..hi.
func SmallestInt(lo, hi int64) DType {
	for _, d := range []DType{I8, I16, I32} {
		l, h := d.Range()
		if lo >= l && hi <= h {
			return d
		}
	}
	return I64
}

// MaxElems is more than the number of elements of any tensor: what an int holds
// on every machine.
const MaxElems = 1<<31 - 1

// Layout says where a packed-level activation of shape [1,C,T,H,W] lies: as
// byte planes (bits, eight channels a byte) or integer planes, with HT zero
// frames, HH zero rows and HW zero columns between frames, rows and columns,
// split into PT x PH x PW phases (positions modulo a stride). The zero Layout
// is dense: row-major, one element after the other.
type Layout struct {
	Planes     bool
	HT, HH, HW int
	PT, PH, PW int
}

// Type is the type of a value: its element type, static shape and layout.
type Type struct {
	DType  DType
	Shape  []int
	Layout Layout
}

// T makes a dense type.
func T(d DType, shape ...int) Type { return Type{DType: d, Shape: shape} }

// With returns t with another element type, dense.
func (t Type) With(d DType) Type { return Type{DType: d, Shape: t.Shape} }

// Rank returns the number of axes.
func (t Type) Rank() int { return len(t.Shape) }

// Elems returns the number of elements; 1 for a scalar.
func (t Type) Elems() int {
	n := 1
	for _, d := range t.Shape {
		n *= d
	}
	return n
}

// Bytes returns the storage of a dense tensor: bits are packed, eight a byte.
func (t Type) Bytes() int { return (t.Elems()*t.DType.Bits() + 7) / 8 }

// Equal reports whether two types are the same, layout included.
func (t Type) Equal(u Type) bool {
	return t.DType == u.DType && t.Layout == u.Layout && SameShape(t.Shape, u.Shape)
}

// SameShape reports whether two shapes are the same.
func SameShape(a, b []int) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

// String prints a type as the text form does: f32[1,27], bit[1,64,16,48,64],
// and with a layout bit[1,64,16,48,64]{halo=1,1,1} or {halo=1,1,1 phase=1,2,2}.
func (t Type) String() string {
	var b strings.Builder
	b.WriteString(t.DType.String())
	b.WriteString(ShapeString(t.Shape))
	if l := t.Layout; l.Planes {
		fmt.Fprintf(&b, "{halo=%d,%d,%d", l.HT, l.HH, l.HW)
		if l.PT != 1 || l.PH != 1 || l.PW != 1 {
			fmt.Fprintf(&b, " phase=%d,%d,%d", l.PT, l.PH, l.PW)
		}
		b.WriteByte('}')
	}
	return b.String()
}

// ShapeString prints a shape as [1,3,16].
func ShapeString(s []int) string {
	var b strings.Builder
	b.WriteByte('[')
	for i, d := range s {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(strconv.Itoa(d))
	}
	b.WriteByte(']')
	return b.String()
}

// CheckShape reports dimensions that are negative and shapes of MaxElems
// elements or more.
func CheckShape(s []int) error {
	n := 1
	for i, d := range s {
		if d < 0 {
			return fmt.Errorf("dimension %d of %s is negative", i, ShapeString(s))
		}
		if d >= MaxElems || d > 0 && n > (MaxElems-1)/d {
			return fmt.Errorf("shape %s has 2^31 elements or more", ShapeString(s))
		}
		n *= d
	}
	return nil
}

// Broadcast returns the shape that a and b stretch to under NumPy's rule, which
// ONNX shares: aligned at the last axis, a side of 1 stretches.
func Broadcast(a, b []int) ([]int, error) {
	n := max(len(a), len(b))
	out := make([]int, n)
	for i := 1; i <= n; i++ {
		x, y := 1, 1
		if i <= len(a) {
			x = a[len(a)-i]
		}
		if i <= len(b) {
			y = b[len(b)-i]
		}
		switch {
		case x == y || y == 1:
			out[n-i] = x
		case x == 1:
			out[n-i] = y
		default:
			return nil, fmt.Errorf("shapes %s and %s do not broadcast: %d against %d", ShapeString(a), ShapeString(b), x, y)
		}
	}
	return out, nil
}

// Axis returns axis a of a tensor of the given rank with negative axes counted
// from the end.
func Axis(a, rank int) (int, error) {
	if a < -rank || a >= rank {
		return 0, fmt.Errorf("axis %d is out of range for %d axes", a, rank)
	}
	if a < 0 {
		a += rank
	}
	return a, nil
}

// Axes normalizes a list of axes like Axis, refuses repeats, and returns a mask
// of the rank's length. An empty list means all axes.
func Axes(axes []int, rank int) ([]bool, error) {
	mask := make([]bool, rank)
	if len(axes) == 0 {
		for i := range mask {
			mask[i] = true
		}
		return mask, nil
	}
	for _, a := range axes {
		i, err := Axis(a, rank)
		if err != nil {
			return nil, err
		}
		if mask[i] {
			return nil, fmt.Errorf("axis %d is named twice in %v", i, axes)
		}
		mask[i] = true
	}
	return mask, nil
}
