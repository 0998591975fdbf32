package kernels

import (
	"encoding/binary"
	"unsafe"
)

// The sums of an integer convolution in plain Go: 64-bit words are vectors of lanes of 16 or 32 bits. Position p is lane p of
// the words in memory, whatever the order of bytes.

// lane is a width of lanes.
type lane struct {
	bits       int
	ones, high uint64 // the lowest and the highest bit of every lane
}

var lane16, lane32 = lane{16, 0x0001000100010001, 0x8000800080008000}, lane{32, 0x0000000100000001, 0x8000000080000000}

// termsAtOnce is the most terms whose 16-bit lanes sum to less than 32 bits.
const termsAtOnce = 1 << 16

// add is a + b in every lane, wrapping.
func (l *lane) add(a, b uint64) uint64 { return a&^l.high + b&^l.high ^ (a^b)&l.high }

// every is a number in every lane.
func (l *lane) every(v int32) uint64 { return uint64(uint32(v)) & (1<<l.bits - 1) * l.ones }

// sum sets acc to init plus the terms of one output in 8 words from byte at of src on, plus 2^(bits-1), which makes lanes that
// fit unsigned. With fits all sums do, at every position; a carry never leaves its lane then but in sums on the way, and
// those are sums of whole words: sum over lanes i of z_i*2^(bits*i), in which lane i ends right. A term
// x ^ sign of two's complement is made unsigned, too, by 2^(bits-1), which the start makes up for.
func (l *lane) sum(acc *[8]uint64, fits bool, src []byte, at int, terms []int32, init int32) {
	if !fits {
		l.wrapping(acc, src, at, terms, init)
		return
	}
	start := uint64(int64(init))*l.ones - uint64(len(terms)/2-1)*l.high
	a0, a1, a2, a3, a4, a5, a6, a7 := start, start, start, start, start, start, start, start
	shift, high := l.bits/16, l.high
	for len(terms) > 1 {
		x := (*[64]byte)(src[at+int(terms[0])<<shift:])
		m := high ^ uint64(int64(terms[1]))
		terms = terms[2:]
		a0 += binary.NativeEndian.Uint64(x[:]) ^ m
		a1 += binary.NativeEndian.Uint64(x[8:]) ^ m
		a2 += binary.NativeEndian.Uint64(x[16:]) ^ m
		a3 += binary.NativeEndian.Uint64(x[24:]) ^ m
		a4 += binary.NativeEndian.Uint64(x[32:]) ^ m
		a5 += binary.NativeEndian.Uint64(x[40:]) ^ m
		a6 += binary.NativeEndian.Uint64(x[48:]) ^ m
		a7 += binary.NativeEndian.Uint64(x[56:]) ^ m
	}
	*acc = [8]uint64{a0, a1, a2, a3, a4, a5, a6, a7}
}

// wrapping is sum where lanes of 16 bits may not fit. Next to the sum of the words it makes that of their even lanes, each
// with room for 32 bits; what is left without them is the odd ones.
func (l *lane) wrapping(acc *[8]uint64, src []byte, at int, terms []int32, init int32) {
	const even = 0x0000FFFF0000FFFF
	start := l.every(init) ^ l.high
	for i := range acc {
		acc[i] = start
	}
	for len(terms) > 1 {
		part := terms[:min(len(terms), 2*termsAtOnce)]
		terms = terms[len(part):]
		odd := uint64(len(part)/2%2) * l.high // 2^15 for every term
		for i := 0; i < len(acc); i += 4 {
			var a0, a1, a2, a3, e0, e1, e2, e3 uint64
			for t := part; len(t) > 1; t = t[2:] {
				x := (*[32]byte)(src[at+8*i+2*int(t[0]):])
				m := l.high ^ uint64(int64(t[1]))
				v := binary.NativeEndian.Uint64(x[:]) ^ m
				a0, e0 = a0+v, e0+v&even
				v = binary.NativeEndian.Uint64(x[8:]) ^ m
				a1, e1 = a1+v, e1+v&even
				v = binary.NativeEndian.Uint64(x[16:]) ^ m
				a2, e2 = a2+v, e2+v&even
				v = binary.NativeEndian.Uint64(x[24:]) ^ m
				a3, e3 = a3+v, e3+v&even
			}
			for j, s := range [4]uint64{e0&even | (a0-e0)&^even, e1&even | (a1-e1)&^even, e2&even | (a2-e2)&^even, e3&even | (a3-e3)&^even} {
				acc[i+j] = l.add(acc[i+j], s^odd)
			}
		}
	}
}

// words is the number of words of a block.
func (l *lane) words() int { return block * l.bits / 64 }

// bytes makes bytes of the low halves, or quarters, of the lanes of some words.
func (l *lane) bytes(dst []byte, words []uint64) {
	for i, r := range words {
		if l.bits == 16 {
			r = (r | r>>8) & 0x0000FFFF0000FFFF
			binary.NativeEndian.PutUint32(dst[4*i:], uint32(r|r>>16))
		} else {
			binary.NativeEndian.PutUint16(dst[2*i:], uint16(r|r>>24))
		}
	}
}

// spread makes lanes of the bytes of a mask, 0 or 0xFF, for word i of a block.
func (l *lane) spread(mask []byte, i int) uint64 {
	if l.bits == 16 {
		r := uint64(binary.NativeEndian.Uint32(mask[4*i:]))
		r = (r | r<<16) & 0x0000FFFF0000FFFF
		r = (r | r<<8) & 0x00FF00FF00FF00FF
		return r | r<<8
	}
	r := uint64(binary.NativeEndian.Uint16(mask[2*i:]))
	return (r | r<<24) & l.ones * 0xFFFFFFFF
}

// terms splits off the terms of the next output.
func splitTerms(terms []int32) (first, rest []int32) {
	n := 1 + 2*int(terms[0])
	return terms[1:n], terms[n:]
}

func accLEWords(l *lane, fits bool) accLEFunc {
	return func(dst, src, mask []byte, terms []int32, init, t *[8]int32, flip uint8) {
		var acc [8]uint64
		var all [block / 2]uint64
		bits := all[:l.words()]
		for p := 0; p < len(mask); p += block {
			clear(bits)
			rest := terms
			for o := range 8 {
				var list []int32
				list, rest = splitTerms(rest)
				limit := l.every(t[o]) ^ l.high
				for w := 0; w < len(bits); w += 8 {
					l.sum(&acc, fits, src, p*l.bits/8+8*w, list, init[o])
					for i, v := range acc {
						low := (v | l.high) - limit&^l.high
						bits[w+i] |= (v&^limit | ^(v^limit)&low) & l.high >> (l.bits - 1 - o)
					}
				}
			}
			to := dst[p : p+block]
			l.bytes(to, bits)
			for i, m := range mask[p : p+block] {
				to[i] = (to[i] ^ flip) & m
			}
		}
	}
}

func accIntWords(l *lane, fits bool) accIntFunc {
	return func(dst []byte, stride, outs int, src, mask []byte, terms []int32, init *[8]int32) {
		var acc [8]uint64
		for p := 0; p < len(mask); p += block {
			rest := terms
			for o := range outs {
				var list []int32
				list, rest = splitTerms(rest)
				for w := 0; w < l.words(); w += 8 {
					at := p*l.bits/8 + 8*w
					l.sum(&acc, fits, src, at, list, init[o])
					to := (*[64]byte)(dst[o*stride+at:])
					for i, v := range acc {
						binary.NativeEndian.PutUint64(to[8*i:], (v^l.high)&l.spread(mask[p:p+block], w+i))
					}
				}
			}
		}
	}
}

// sumsWords is sumsGeneric by words, for elements S that fit lanes.
func sumsWords[S integer](l *lane) sumsFunc {
	return func(dst []byte, stride int, src []byte, offs []int32, blocks int) {
		size := int(unsafe.Sizeof(S(0)))
		narrow := 8*size < l.bits
		var all [4][block / 2]uint64
		for i := range blocks {
			for j, off := range offs {
				widen[S](l, all[j][:l.words()], src[(int(off)+i*block)*size:][:block*size])
			}
			for j := len(offs); j < len(all); j++ {
				clear(all[j][:l.words()])
			}
			l.pairs(all[0][:l.words()], all[1][:l.words()], narrow)
			l.pairs(all[2][:l.words()], all[3][:l.words()], narrow)
			for k := range 1 << (len(offs) - 1) {
				second, third := k>>1&1, k>>2&1
				b := all[2+second^third][:l.words()]
				to := dst[k*stride+i*block*l.bits/8:][:block*l.bits/8]
				if second == 0 {
					l.sums(to, all[k&1][:], b, narrow)
				} else {
					l.differences(to, all[k&1][:], b, narrow)
				}
			}
		}
	}
}

// pairs replaces a and b by a+b and a-b, in lanes that wrap or, of narrow elements, as sums of words (see lane.sum).
func (l *lane) pairs(a, b []uint64, narrow bool) {
	b = b[:len(a)]
	h := l.high
	for i, v := range a {
		w := b[i]
		if narrow {
			a[i], b[i] = v+w, v-w
		} else {
			a[i], b[i] = v&^h+w&^h^(v^w)&h, (v|h)-w&^h^(v^^w)&h
		}
	}
}

// sums writes a+b, as lanes; differences writes a-b.
func (l *lane) sums(dst []byte, a, b []uint64, narrow bool) {
	h := l.high
	a = a[:len(b)]
	if narrow {
		for i, v := range a {
			binary.NativeEndian.PutUint64(dst[8*i:], (v+b[i]+h)^h)
		}
		return
	}
	for i, v := range a {
		binary.NativeEndian.PutUint64(dst[8*i:], v&^h+b[i]&^h^(v^b[i])&h)
	}
}

func (l *lane) differences(dst []byte, a, b []uint64, narrow bool) {
	h := l.high
	a = a[:len(b)]
	if narrow {
		for i, v := range a {
			binary.NativeEndian.PutUint64(dst[8*i:], (v-b[i]+h)^h)
		}
		return
	}
	for i, v := range a {
		binary.NativeEndian.PutUint64(dst[8*i:], (v|h)-b[i]&^h^(v^^b[i])&h)
	}
}

// widen writes elements as lanes of the same width, or narrow ones as the words that the numbers in their lanes sum to.
func widen[S integer](l *lane, dst []uint64, src []byte) {
	size := int(unsafe.Sizeof(S(0)))
	sign := uint64(0)
	if ^S(0) < 0 {
		sign = l.ones << (8*size - 1)
	}
	switch {
	case 8*size == l.bits:
		for i := range dst {
			dst[i] = binary.NativeEndian.Uint64(src[8*i:])
		}
	case size == 2:
		for i := range dst {
			r := uint64(binary.NativeEndian.Uint32(src[4*i:]))
			dst[i] = (r|r<<16)&0x0000FFFF0000FFFF ^ sign - sign
		}
	case l.bits == 16:
		for i := range dst {
			r := uint64(binary.NativeEndian.Uint32(src[4*i:]))
			r = (r | r<<16) & 0x0000FFFF0000FFFF
			dst[i] = (r|r<<8)&0x00FF00FF00FF00FF ^ sign - sign
		}
	default:
		for i := range dst {
			r := uint64(binary.NativeEndian.Uint16(src[2*i:]))
			dst[i] = (r|r<<24)&0x000000FF000000FF ^ sign - sign
		}
	}
}
