package kernels

import (
	"encoding/binary"
	"unsafe"
)

// The sums of an integer convolution in plain Go: 64-bit words are vectors of lanes of 16 or 32 bits. Position p is lane p of
// the words in memory, in the order of the machine's bytes.
//
// Words are added as they are where lanes can not leave their bits: numbers z_i in lanes i make the word sum over i of
// z_i*2^(bits*i). It is right whatever carries on the way, and with 2^(bits-1) added to make them unsigned its digits are the lanes.

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

// sum sets acc to init plus the terms of one output in 8 words from byte at of src on, as words; the elements of src are those of
// sumsWords, lanes. The terms that are added stand in front of those that are subtracted.
func (l *lane) sum(acc *[8]uint64, src []byte, at int, terms []int32, init int32) {
	p := unsafe.Pointer(&src[at])
	list := unsafe.Slice((*[2]int32)(unsafe.Pointer(unsafe.SliceData(terms))), len(terms)/2)
	*acc = [8]uint64{}
	added := addTerms(acc, p, l.bits/8, list)
	subtracted := len(list) - added
	subtractTerms(acc, p, l.bits/8, list[added:])
	start := uint64(int64(init)-int64(subtracted))*l.ones - uint64(added-subtracted)*l.high // Set.accLE has src+1 subtracted
	for i := range acc {
		acc[i] += start
	}
}

// addTerms adds the terms of sign 0 at the beginning of a list and returns their number. The offsets are the plan's own, as they are for the
// kernels in assembly, and are not checked again.
func addTerms(acc *[8]uint64, src unsafe.Pointer, size int, list [][2]int32) int {
	a0, a1, a2, a3, a4, a5, a6, a7 := acc[0], acc[1], acc[2], acc[3], acc[4], acc[5], acc[6], acc[7]
	n := 0
	for n < len(list) && list[n][1] == 0 {
		x := (*[64]byte)(unsafe.Add(src, int(list[n][0])*size))
		n++
		a0 += binary.NativeEndian.Uint64(x[:])
		a1 += binary.NativeEndian.Uint64(x[8:])
		a2 += binary.NativeEndian.Uint64(x[16:])
		a3 += binary.NativeEndian.Uint64(x[24:])
		a4 += binary.NativeEndian.Uint64(x[32:])
		a5 += binary.NativeEndian.Uint64(x[40:])
		a6 += binary.NativeEndian.Uint64(x[48:])
		a7 += binary.NativeEndian.Uint64(x[56:])
	}
	*acc = [8]uint64{a0, a1, a2, a3, a4, a5, a6, a7}
	return n
}

// subtractTerms subtracts all terms of a list.
func subtractTerms(acc *[8]uint64, src unsafe.Pointer, size int, list [][2]int32) {
	a0, a1, a2, a3, a4, a5, a6, a7 := acc[0], acc[1], acc[2], acc[3], acc[4], acc[5], acc[6], acc[7]
	for n := 0; n < len(list); n++ {
		x := (*[64]byte)(unsafe.Add(src, int(list[n][0])*size))
		a0 -= binary.NativeEndian.Uint64(x[:])
		a1 -= binary.NativeEndian.Uint64(x[8:])
		a2 -= binary.NativeEndian.Uint64(x[16:])
		a3 -= binary.NativeEndian.Uint64(x[24:])
		a4 -= binary.NativeEndian.Uint64(x[32:])
		a5 -= binary.NativeEndian.Uint64(x[40:])
		a6 -= binary.NativeEndian.Uint64(x[48:])
		a7 -= binary.NativeEndian.Uint64(x[56:])
	}
	*acc = [8]uint64{a0, a1, a2, a3, a4, a5, a6, a7}
}

// wrapping is sum where lanes of 16 bits may not fit; src has lanes that wrap. Next to the sum of the words it makes that of their even lanes, each
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

func accLEWords(l *lane) accLEFunc {
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
				for w := 0; w < len(bits); w += 8 {
					l.sum(&acc, src, p*l.bits/8+8*w, list, init[o]-t[o])
					for i, v := range acc {
						bits[w+i] |= (v + l.high) & l.high >> (l.bits - 1 - o)
					}
				}
			}
			l.write(dst[p:p+block], bits, mask[p:p+block], flip)
		}
	}
}

func accLEWrapping(dst, src, mask []byte, terms []int32, init, t *[8]int32, flip uint8) {
	l := &lane16
	var acc [8]uint64
	var bits [block / 4]uint64
	for p := 0; p < len(mask); p += block {
		clear(bits[:])
		rest := terms
		for o := range 8 {
			var list []int32
			list, rest = splitTerms(rest)
			limit := l.every(t[o]) ^ l.high
			for w := 0; w < len(bits); w += 8 {
				l.wrapping(&acc, src, 2*p+8*w, list, init[o])
				for i, v := range acc {
					low := (v | l.high) - limit&^l.high
					bits[w+i] |= (v&^limit | ^(v^limit)&low) & l.high >> (15 - o)
				}
			}
		}
		l.write(dst[p:p+block], bits[:], mask[p:p+block], flip)
	}
}

// write makes the bytes of a block of the low bytes of lanes.
func (l *lane) write(dst []byte, bits []uint64, mask []byte, flip uint8) {
	l.bytes(dst, bits)
	for i, m := range mask {
		dst[i] = (dst[i] ^ flip) & m
	}
}

func accIntWords(l *lane) accIntFunc {
	return func(dst []byte, stride, outs int, src, mask []byte, terms []int32, init *[8]int32) {
		var acc [8]uint64
		for p := 0; p < len(mask); p += block {
			rest := terms
			for o := range outs {
				var list []int32
				list, rest = splitTerms(rest)
				for w := 0; w < l.words(); w += 8 {
					at := p*l.bits/8 + 8*w
					l.sum(&acc, src, at, list, init[o])
					to := (*[64]byte)(dst[o*stride+at:])
					for i, v := range acc {
						binary.NativeEndian.PutUint64(to[8*i:], (v+l.high^l.high)&l.spread(mask[p:p+block], w+i))
					}
				}
			}
		}
	}
}

func accIntWrapping(dst []byte, stride, outs int, src, mask []byte, terms []int32, init *[8]int32) {
	l := &lane16
	var acc [8]uint64
	for p := 0; p < len(mask); p += block {
		rest := terms
		for o := range outs {
			var list []int32
			list, rest = splitTerms(rest)
			for w := 0; w < block/4; w += 8 {
				l.wrapping(&acc, src, 2*p+8*w, list, init[o])
				to := (*[64]byte)(dst[o*stride+2*p+8*w:])
				for i, v := range acc {
					binary.NativeEndian.PutUint64(to[8*i:], (v^l.high)&l.spread(mask[p:p+block], w+i))
				}
			}
		}
	}
}

// sumsWords makes the signed sums of up to 4 planes of elements of some bytes plus 2^(bits-1): sums that fit are digits, which can
// be read from any position on.
func sumsWords(l *lane, size int, signed bool) sumsFunc {
	return func(dst []byte, stride int, src []byte, offs []int32, blocks int) {
		var x [4][8]uint64
		for i := range blocks * l.words() / 8 {
			for j, off := range offs {
				l.widen(&x[j], src[int(off)*size+i*512/l.bits*size:], size, signed)
			}
			for j, a := range &x[0] {
				b, c, d := x[1][j], x[2][j], x[3][j]
				x[0][j], x[1][j], x[2][j], x[3][j] = a+b+l.high, a-b+l.high, c+d, c-d
			}
			for k := range 1 << (len(offs) - 1) {
				to, a, b := (*[64]byte)(dst[k*stride+64*i:]), &x[k&1], &x[2+(k>>1&1^k>>2)]
				if k>>1&1 == 0 {
					addWords(to, a, b)
				} else {
					subWords(to, a, b)
				}
			}
			clear(x[len(offs):])
		}
	}
}

// sumsLanes makes the signed sums of up to 4 planes of elements of some bytes as lanes that wrap.
func sumsLanes(l *lane, size int, signed bool) sumsFunc {
	return func(dst []byte, stride int, src []byte, offs []int32, blocks int) {
		var x [4][8]uint64
		for i := range blocks * l.words() / 8 {
			for j, off := range offs {
				if from := src[int(off)*size+i*512/l.bits*size:]; 8*size > l.bits {
					narrow(&x[j], from)
				} else if l.widen(&x[j], from, size, signed); signed {
					for k, v := range x[j] {
						x[j][k] = v + l.high ^ l.high
					}
				}
			}
			for k := range 1 << (len(offs) - 1) {
				to := (*[64]byte)(dst[k*stride+64*i:])
				for w, v := range x[0] {
					for j := range offs[1:] {
						if y := x[1+j][w]; k>>j&1 == 0 {
							v = l.add(v, y)
						} else {
							v = l.add(l.add(v, ^y), l.ones)
						}
					}
					binary.NativeEndian.PutUint64(to[8*w:], v)
				}
			}
		}
	}
}

// narrow writes 8 words of lanes of 16 bits of elements of 32.
func narrow(dst *[8]uint64, src []byte) {
	for i := range dst {
		var b [8]byte
		for j := range 4 {
			binary.NativeEndian.PutUint16(b[2*j:], uint16(binary.NativeEndian.Uint32(src[16*i+4*j:])))
		}
		dst[i] = binary.NativeEndian.Uint64(b[:])
	}
}

// addWords writes a+b.
func addWords(dst *[64]byte, a, b *[8]uint64) {
	for i, v := range a {
		binary.NativeEndian.PutUint64(dst[8*i:], v+b[i])
	}
}

// subWords writes a-b.
func subWords(dst *[64]byte, a, b *[8]uint64) {
	for i, v := range a {
		binary.NativeEndian.PutUint64(dst[8*i:], v-b[i])
	}
}

// widen writes 8 words of elements of some bytes, which sum to their numbers.
func (l *lane) widen(dst *[8]uint64, src []byte, size int, signed bool) {
	sign := uint64(0)
	if signed {
		sign = l.ones << (8*size - 1)
	}
	switch 8 * size * 64 / l.bits { // bits of a word
	case 64:
		s := (*[64]byte)(src)
		for i := range dst {
			dst[i] = binary.NativeEndian.Uint64(s[8*i:]) ^ sign - sign
		}
	case 32:
		s := (*[32]byte)(src)
		for i := range dst {
			r := uint64(binary.NativeEndian.Uint32(s[4*i:]))
			r = (r | r<<16) & 0x0000FFFF0000FFFF
			if size == 1 {
				r = (r | r<<8) & 0x00FF00FF00FF00FF
			}
			dst[i] = r ^ sign - sign
		}
	default:
		s := (*[16]byte)(src)
		for i := range dst {
			r := uint64(binary.NativeEndian.Uint16(s[2*i:]))
			dst[i] = (r|r<<24)&0x000000FF000000FF ^ sign - sign
		}
	}
}
