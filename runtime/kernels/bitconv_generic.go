package kernels

import (
	"encoding/binary"
	"math/bits"
	"unsafe"
)

// packBitGeneric gathers 8 terms into words: for every 8 terms, 8 words of weights (byte j, from the least significant on,
// is term j), and when masked 8 words of masks.
func packBitGeneric(masked int) func(wm []byte) []byte {
	return func(wm []byte) []byte {
		n := len(wm) / 16
		out := make([]byte, ceilDiv(n, 8)*64<<masked)
		groups := words(out)
		for t := range n {
			g, at := t/8<<masked, 8*(t%8)
			for o := range 8 {
				w, m := wm[16*t+o], wm[16*t+8+o]
				if masked != 0 {
					w &= m
					groups[g+1][o] |= uint64(m) << at
				}
				groups[g][o] |= uint64(w) << at
			}
		}
		return out
	}
}

// counter counts 8 outputs at 8 positions.
type counter struct {
	x [8][8]uint64 // transposed terms: byte j of x[g][i] is term 8g+j at position i
	d [8]uint64    // the counts of an output, a byte a position, at most 255
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
	if len(offs) <= 64 {
		c.load(src, p, offs)
		ww := words(w)
		if masked == 0 && len(offs) <= 31 {
			for o := range 8 {
				c.d[o] = c.add31(ww[:ceilDiv(len(offs), 8)], o)
			}
			return
		}
		for o := range 8 {
			var n [8]int
			c.add(&n, masked, ww, o, ceilDiv(len(offs), 8))
			c.d[o] = pack(&n, len(offs))
		}
		return
	}
	var sums [8][8]int
	for at := 0; at < len(offs); at += 64 {
		part := offs[at:min(at+64, len(offs))]
		c.load(src, p, part)
		for o := range 8 {
			c.add(&sums[o], masked, words(w[at*8<<masked:]), o, ceilDiv(len(part), 8))
		}
	}
	for o := range 8 {
		c.d[o] = pack(&sums[o], len(offs))
	}
}

// pack makes bytes of the counts of a number of terms, saturating.
func pack(n *[8]int, terms int) uint64 {
	if terms > 31 {
		for i := range n {
			n[i] = min(n[i], 255)
		}
	}
	var d uint64
	for i, v := range n {
		d |= uint64(v) << (8 * i)
	}
	return d
}

// words sees packed weights as groups of 8 words.
func words(w []byte) [][8]uint64 {
	return unsafe.Slice((*[8]uint64)(unsafe.Pointer(unsafe.SliceData(w))), len(w)/64)
}

// add adds the counts of output o in the first groups of x.
func (c *counter) add(n *[8]int, masked int, w [][8]uint64, o, groups int) {
	if masked != 0 {
		for g := range groups {
			x, ww, m := &c.x[g&7], w[2*g][o&7], w[2*g+1][o&7]
			for i := range n {
				n[i] += bits.OnesCount64((x[i] ^ ww) & m)
			}
		}
		return
	}
	for g, ww := range w[:groups] {
		x := &c.x[g&7]
		for i := range n {
			n[i] += bits.OnesCount64(x[i] ^ ww[o])
		}
	}
}

// add31 returns the counts of output o over at most 31 terms, without masks: the common case, in registers.
func (c *counter) add31(w [][8]uint64, o int) uint64 {
	var d uint64
	for g := range w {
		x, ww := &c.x[g&7], w[g][o&7]
		d += uint64(bits.OnesCount64(x[0] ^ ww))
		d += uint64(bits.OnesCount64(x[1]^ww)) << 8
		d += uint64(bits.OnesCount64(x[2]^ww)) << 16
		d += uint64(bits.OnesCount64(x[3]^ww)) << 24
		d += uint64(bits.OnesCount64(x[4]^ww)) << 32
		d += uint64(bits.OnesCount64(x[5]^ww)) << 40
		d += uint64(bits.OnesCount64(x[6]^ww)) << 48
		d += uint64(bits.OnesCount64(x[7]^ww)) << 56
	}
	return d
}

// compare writes the bits of d <= le at positions p to p+7.
func (c *counter) compare(dst, mask []byte, p int, le *[8]uint8, flip uint8) {
	const ones, high = 0x0101010101010101, 0x8080808080808080
	r := uint64(flip) * ones
	for o, d := range &c.d {
		l := uint64(le[o]) * ones
		low := (l | high) - d&^high // the high bit of a byte: the low 7 bits of l reach those of d
		r ^= (l&^d | ^(l^d)&low) & high >> (7 - o)
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
		groups := ceilDiv(len(offs), 8)
		var half [8]int // 4 for every term outside
		for i := range half {
			half[i] = 4 * len(offs)
			for g := range groups {
				half[i] -= bits.OnesCount64(in.x[g&7][i]) / 2
			}
		}
		for o := range 8 {
			n := half
			for g, ww := range words(w)[:groups] {
				for i, m := range &in.x[g&7] {
					n[i] += bits.OnesCount64((c.x[g&7][i] ^ ww[o]) & m)
				}
			}
			c.d[o] = pack(&n, len(offs))
		}
		c.compare(dst, mask, p, le, flip)
	}
}

func bitIntGeneric[T int8 | int16 | int32](masked int) bitIntFunc {
	return func(dst []byte, stride, outs int, src, mask []byte, offs []int32, w []byte, base *[8]int32, shift uint, add bool) {
		var c counter
		for p := 0; p < len(mask); p += 8 {
			c.count(masked, src, p, offs, w)
			m := (*[8]byte)(mask[p:])
			for o := range outs {
				to := (*[8]T)(viewOf[T](dst[o*stride:])[p:])
				d, b, k := c.d[o], T(base[o]), T(1)<<shift
				if add {
					for i := range to {
						to[i] -= T(d>>(8*i)&0xFF) * k & T(int8(m[i]))
					}
					continue
				}
				for i := range to {
					to[i] = (b - T(d>>(8*i)&0xFF)*k) & T(int8(m[i]))
				}
			}
		}
	}
}
