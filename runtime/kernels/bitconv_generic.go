package kernels

import (
	"encoding/binary"
	"math/bits"
	"unsafe"
)

// packBitGeneric gathers 8 terms into words: for every 8 terms, 8 words of weights (byte j is term j), and when masked 8
// words of masks.
func packBitGeneric(masked int) func(wm []byte) []byte {
	return func(wm []byte) []byte {
		n := len(wm) / 16
		size := 64 << masked
		out := make([]byte, ceilDiv(n, 8)*size)
		for t := range n {
			g := out[t/8*size:]
			for o := range 8 {
				m := wm[16*t+8+o]
				if masked == 0 {
					m = 0xFF
				} else {
					g[64+8*o+t%8] = m
				}
				g[8*o+t%8] = wm[16*t+o] & m
			}
		}
		return out
	}
}

// counter counts 8 outputs at 8 positions.
type counter struct {
	x [8][8]uint64 // transposed terms: byte j of x[g][i] is term 8g+j at position i
	d [8][8]int32  // [output][position]
}

// transpose turns 8 words of 8 positions (one word a term) into 8 words of 8 terms (one word a position).
func transpose(x *[8]uint64) {
	const (
		m1 = 0x00FF00FF00FF00FF
		m2 = 0x0000FFFF0000FFFF
		m4 = 0x00000000FFFFFFFF
	)
	for i := 0; i < 8; i += 2 {
		a, b := x[i], x[i+1]
		x[i], x[i+1] = a&m1|b&m1<<8, a>>8&m1|b&^m1
	}
	for _, i := range [4]int{0, 1, 4, 5} {
		a, b := x[i], x[i+2]
		x[i], x[i+2] = a&m2|b&m2<<16, a>>16&m2|b&^m2
	}
	for i := range 4 {
		a, b := x[i], x[i+4]
		x[i], x[i+4] = a&m4|b<<32, a>>32|b&^m4
	}
}

// load sets x to up to 64 terms at positions p to p+7; missing terms are 0.
func (c *counter) load(src []byte, p int, offs []int32) {
	for g := range ceilDiv(len(offs), 8) {
		x := &c.x[g&7]
		for j := range x {
			x[j] = 0
			if 8*g+j < len(offs) {
				x[j] = binary.LittleEndian.Uint64(src[int(offs[8*g+j])+p:])
			}
		}
		transpose(x)
	}
}

// count sets d to the counts at positions p to p+7.
func (c *counter) count(masked int, src []byte, p int, offs []int32, w []byte) {
	size := 64 << masked
	if len(offs) > 64 {
		c.d = [8][8]int32{}
	}
	for first := true; len(offs) > 0; first = false {
		n := min(len(offs), 64)
		groups := ceilDiv(n, 8)
		c.load(src, p, offs[:n])
		for o := range 8 {
			var d [8]int32
			if !first {
				d = c.d[o]
			}
			if masked == 0 {
				d = c.count8(d, words(w), o, groups)
			} else {
				d = c.countMasked8(d, words(w), o, groups)
			}
			c.d[o] = d
		}
		offs, w = offs[n:], w[groups*size:]
	}
}

// words sees packed weights as groups of 8 words.
func words(w []byte) [][8]uint64 {
	return unsafe.Slice((*[8]uint64)(unsafe.Pointer(unsafe.SliceData(w))), len(w)/64)
}

// count8 adds to d the counts of output o in the first groups of x.
func (c *counter) count8(d [8]int32, w [][8]uint64, o, groups int) [8]int32 {
	d0, d1, d2, d3, d4, d5, d6, d7 := d[0], d[1], d[2], d[3], d[4], d[5], d[6], d[7]
	for g := range w[:groups] {
		x, ww := &c.x[g&7], w[g][o&7]
		d0 += int32(bits.OnesCount64(x[0] ^ ww))
		d1 += int32(bits.OnesCount64(x[1] ^ ww))
		d2 += int32(bits.OnesCount64(x[2] ^ ww))
		d3 += int32(bits.OnesCount64(x[3] ^ ww))
		d4 += int32(bits.OnesCount64(x[4] ^ ww))
		d5 += int32(bits.OnesCount64(x[5] ^ ww))
		d6 += int32(bits.OnesCount64(x[6] ^ ww))
		d7 += int32(bits.OnesCount64(x[7] ^ ww))
	}
	return [8]int32{d0, d1, d2, d3, d4, d5, d6, d7}
}

func (c *counter) countMasked8(d [8]int32, w [][8]uint64, o, groups int) [8]int32 {
	for g := range groups {
		x, ww, m := &c.x[g&7], w[2*g][o&7], w[2*g+1][o&7]
		for i := range d {
			d[i] += int32(bits.OnesCount64((x[i] ^ ww) & m))
		}
	}
	return d
}

// compare writes the bits of d <= le at positions p to p+7.
func (c *counter) compare(dst, mask []byte, p int, le *[8]uint8, flip uint8) {
	const ones = 0x0101010101010101
	r := uint64(flip) * ones
	for o := range 8 {
		l := int32(le[o])
		if l == 255 { // the bound of a count that saturates
			r ^= ones << o
			continue
		}
		for i, d := range &c.d[o] {
			r ^= uint64(uint32(d-l-1)>>31) << (8*i + o)
		}
	}
	binary.LittleEndian.PutUint64(dst[p:], r&binary.LittleEndian.Uint64(mask[p:]))
}

func bitLEGeneric(masked int) bitLEFunc {
	return func(dst, src, mask []byte, offs []int32, w []byte, le *[8]uint8, flip uint8) {
		var c counter
		for p := 0; p < len(mask); p += 8 {
			c.count(masked, src, p, offs, w)
			c.compare(dst, mask, p, le, flip)
		}
	}
}

func bitInsideLEGeneric(dst, src, mask, inside []byte, offs, ioffs []int32, w []byte, le *[8]uint8, flip uint8) {
	var c, in counter
	for p := 0; p < len(mask); p += 8 {
		c.load(src, p, offs)
		in.load(inside, p, ioffs)
		for o := range 8 {
			d := [8]int32{}
			for g := range ceilDiv(len(offs), 8) {
				ww := binary.LittleEndian.Uint64(w[64*g+8*o:])
				for i, m := range &in.x[g&7] {
					d[i] += int32(bits.OnesCount64((c.x[g&7][i] ^ ww) & m))
				}
			}
			c.d[o] = d
		}
		for i := range 8 {
			half := int32(4 * len(offs)) // less half of the bits inside
			for g := range ceilDiv(len(offs), 8) {
				half -= int32(bits.OnesCount64(in.x[g&7][i])) / 2
			}
			for o := range 8 {
				c.d[o][i] += half
			}
		}
		c.compare(dst, mask, p, le, flip)
	}
}

func bitIntGeneric(masked int, e Elem) bitIntFunc {
	return func(dst []byte, stride, outs int, src, mask []byte, offs []int32, w []byte, base *[8]int32, shift uint, add bool) {
		var c counter
		for p := 0; p < len(mask); p += 8 {
			c.count(masked, src, p, offs, w)
			for o := range outs {
				d, b := &c.d[o], base[o]
				if add {
					b = 0
				}
				for i := range d {
					d[i] = (b - d[i]<<shift) & int32(int8(mask[p+i]))
				}
				switch to := dst[o*stride:]; e {
				case I8:
					store8(view8(to)[p:], d, add)
				case I16:
					store8(view16(to)[p:], d, add)
				default:
					store8(view32(to)[p:], d, add)
				}
			}
		}
	}
}

func store8[T int8 | int16 | int32](dst []T, v *[8]int32, add bool) {
	dst = dst[:8]
	for i := range dst {
		if add {
			dst[i] += T(v[i])
		} else {
			dst[i] = T(v[i])
		}
	}
}
