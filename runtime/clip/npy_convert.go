package clip

import (
	"encoding/binary"
	"math"
)

// Convert gives an array in another element type: f32 from f16, bf16 and f64,
// f16 and bf16 from f32, rounded to the nearest, and the bytes (v8) in which
// NumPy keeps i4, u4, i2 and u2 from and to i8 and u8; kind is that of such bytes.
// ok is false for any other pair. An array that has the type is given as it is.
func (a *NPY) Convert(to, kind string) (b *NPY, ok bool) {
	if a.DType == to {
		return a, true
	}
	size := itemSize(a.DType)
	n := 0
	if size > 0 {
		n = len(a.Data) / size
	}
	b = &NPY{DType: to, Shape: a.Shape, Data: make([]byte, n*itemSize(to))}
	le := binary.LittleEndian
	switch from := a.DType; {
	case to == "f32" && (from == "f16" || from == "bf16" || from == "f64"):
		for i := range n {
			var v float32
			switch from {
			case "f16":
				v = fromHalf(le.Uint16(a.Data[2*i:]))
			case "bf16":
				v = math.Float32frombits(uint32(le.Uint16(a.Data[2*i:])) << 16)
			default:
				v = float32(math.Float64frombits(le.Uint64(a.Data[8*i:])))
			}
			le.PutUint32(b.Data[4*i:], math.Float32bits(v))
		}
	case from == "f32" && (to == "f16" || to == "bf16"):
		for i := range n {
			bits := le.Uint32(a.Data[4*i:])
			if to == "f16" {
				le.PutUint16(b.Data[2*i:], toHalf(math.Float32frombits(bits)))
			} else {
				le.PutUint16(b.Data[2*i:], toBrain(bits))
			}
		}
	case from == "v8" && (to == "i8" || to == "u8") && narrowBits(kind) > 0 && (to[0] == kind[0]):
		shift := 8 - narrowBits(kind)
		for i, v := range a.Data {
			b.Data[i] = v << shift >> shift
			if to == "i8" {
				b.Data[i] = byte(int8(v<<shift) >> shift)
			}
		}
	case to == "v8" && (from == "i8" || from == "u8") && narrowBits(kind) > 0:
		for i, v := range a.Data {
			b.Data[i] = v & (1<<narrowBits(kind) - 1)
		}
	default:
		return nil, false
	}
	return b, true
}

// narrowBits is the width of an integer type narrower than a byte, 0 for others.
func narrowBits(kind string) int {
	switch kind {
	case "i4", "u4":
		return 4
	case "i2", "u2":
		return 2
	}
	return 0
}

// fromHalf is the value of a float of 16 bits: sign, 5 bits of exponent, 10 of
// fraction.
func fromHalf(h uint16) float32 {
	sign, exp, frac := uint32(h>>15)<<31, h>>10&31, uint32(h&1023)
	switch {
	case exp == 31:
		return math.Float32frombits(sign | 255<<23 | frac<<13)
	case exp == 0:
		v := float32(frac) / (1 << 24)
		return math.Float32frombits(sign | math.Float32bits(v))
	}
	return math.Float32frombits(sign | (uint32(exp)+112)<<23 | frac<<13)
}

// toHalf rounds to the nearest float of 16 bits, ties to even.
func toHalf(v float32) uint16 {
	bits := math.Float32bits(v)
	sign, abs := uint16(bits>>16)&0x8000, bits&(1<<31-1)
	switch {
	case abs > 255<<23: // NaN keeps what fits of its fraction
		return sign | 31<<10 | 1<<9 | uint16(abs>>13)&1023
	case abs >= 0x477ff000: // rounds to more than the largest
		return sign | 31<<10
	case abs < 113<<23: // a multiple of 2^-24
		return sign | uint16(math.RoundToEven(float64(math.Float32frombits(abs))*(1<<24)))
	}
	abs += 1<<12 - 1 + abs>>13&1
	return sign | uint16((abs-112<<23)>>13)
}

// toBrain rounds the bits of a float32 to the upper 16, ties to even.
func toBrain(bits uint32) uint16 {
	if bits&(1<<31-1) > 255<<23 {
		return uint16(bits>>16) | 1<<6
	}
	return uint16((bits + 1<<15 - 1 + bits>>16&1) >> 16)
}
