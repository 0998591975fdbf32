package billb

import (
	"encoding/binary"
	"math"
)

// Form says how the elements of a constant lie in its data. All but Plain are of
// constants whose elements fewer bytes give exactly, and that an instruction takes
// as inputs: f32 and, for Bytes, integers.
type Form uint8

// The forms. The numbers are those of the file format.
const (
	Plain    Form = iota // each element in its own width
	Half                 // IEEE half precision
	BFloat               // bfloat16: the upper half of an f32
	ByRow                // an f32 scale for every index of the first axis, then i8 factors
	ByColumn             // an f32 scale for every index of the last axis, then i8 factors
	ByLine               // an f32 scale for all indices of the axes before the last, then i8 factors
	Signs                // scales as ByLine, then a bit an element, from bit 0 of every byte on: 1 for minus the scale
	Bytes                // i8 elements of an i16, i32 or i64
)

// scales is the number of scales of a constant of n elements.
func (c *Const) scales() int {
	switch {
	case len(c.Shape) == 0:
		return 0
	case c.Form == ByRow:
		return c.Shape[0]
	case c.Form == ByColumn:
		return c.Shape[len(c.Shape)-1]
	case c.Form >= ByLine:
		return Product(c.Shape[:len(c.Shape)-1])
	}
	return 0
}

// narrowSize is the number of bytes of the data of n elements in a form other than
// Plain.
func (c *Const) narrowSize(n int) (int, error) {
	switch {
	case c.Form == Bytes && (c.Elem == I16 || c.Elem == I32 || c.Elem == I64):
		return n, nil
	case c.Form == Bytes:
		return 0, errorf("a constant of %s in a form of i16, i32 and i64", c.Elem)
	case c.Elem != F32:
		return 0, errorf("a constant of %s in a form of f32", c.Elem)
	case c.Form > Bytes:
		return 0, errorf("constant form %d is unknown", c.Form)
	case c.Form <= BFloat:
		return 2 * n, nil
	case len(c.Shape) == 0:
		return 0, errorf("a constant without axes has no scales along one")
	}
	if c.Form == Signs {
		n = (n + 7) / 8
	}
	return 4*c.scales() + n, nil
}

// Ints is the elements of a constant in the form Bytes.
func (c *Const) Ints() []int64 {
	out := make([]int64, len(c.Data))
	for i, b := range c.Data {
		out[i] = int64(int8(b))
	}
	return out
}

// Floats is the elements of an f32 constant in a form other than Plain.
func (c *Const) Floats() []float32 {
	out := make([]float32, Product(c.Shape))
	if c.Form <= BFloat {
		for i := range out {
			h := binary.LittleEndian.Uint16(c.Data[2*i:])
			if c.Form == Half {
				out[i] = half(h)
			} else {
				out[i] = math.Float32frombits(uint32(h) << 16)
			}
		}
		return out
	}
	scales := c.scales()
	factors := c.Data[4*scales:]
	for k := range scales {
		s := math.Float32frombits(binary.LittleEndian.Uint32(c.Data[4*k:]))
		at, step, n := k, scales, len(out)/scales
		if c.Form != ByColumn {
			at, step = k*n, 1
		}
		for range n {
			if c.Form != Signs {
				out[at] = float32(int8(factors[at])) * s
			} else if out[at] = s; factors[at/8]>>(at%8)&1 == 1 {
				out[at] = -s
			}
			at += step
		}
	}
	return out
}

// half is the number of an IEEE half.
func half(h uint16) float32 {
	sign, exp, man := uint32(h&0x8000)<<16, uint32(h>>10&0x1f), uint32(h&0x3ff)
	switch exp {
	case 31:
		return math.Float32frombits(sign | 0x7f800000 | man<<13)
	case 0:
		return math.Float32frombits(sign | math.Float32bits(float32(man)/(1<<24)))
	}
	return math.Float32frombits(sign | (exp+112)<<23 | man<<13)
}
