package kernels

import "encoding/binary"

// The kernels in plain Go add two products with one multiplication: two bytes, of two positions or of two outputs' weights,
// lie in the halves of a 64-bit word. Weights are made unsigned by adding 128, and 128 times the sum of the inputs is taken
// away at the end.

// dotRun is the number of terms whose sums stay inside 32 bits.
const dotRun = 1 << 13

func packDotGeneric(w []int8) []byte {
	out := make([]byte, len(w))
	for i, v := range w {
		out[i] = byte(v) ^ 0x80
	}
	return out
}

func dotGeneric(acc []int32, src []byte, offs []int32, w []byte, init *[4]int32) {
	n := len(acc) / 4
	for o, v := range init {
		row := acc[o*n:][:n]
		for i := range row {
			row[i] = v
		}
	}
	for len(offs) > 0 {
		run := min(len(offs), dotRun)
		for p := 0; p < n; p += 2 {
			dotPair(acc, n, p, src[4*p:], offs[:run], w)
		}
		offs, w = offs[run:], w[16*run:]
	}
}

// dotPair adds terms to two positions of four outputs.
func dotPair(acc []int32, n, p int, src []byte, offs []int32, w []byte) {
	const even = 0x000000ff_000000ff
	var s, a0, a1, a2, a3 uint64
	for _, off := range offs {
		x := binary.LittleEndian.Uint64(src[off:])
		q := w[:16]
		w = w[16:]
		for c := range 4 {
			v := x & even
			x >>= 8
			s += v
			a0 += v * uint64(q[c])
			a1 += v * uint64(q[4+c])
			a2 += v * uint64(q[8+c])
			a3 += v * uint64(q[12+c])
		}
	}
	for o, a := range [4]uint64{a0, a1, a2, a3} {
		acc[o*n+p] += int32(uint32(a)) - int32(uint32(s)<<7)
		acc[o*n+p+1] += int32(uint32(a>>32)) - int32(uint32(s>>32)<<7)
	}
}

// packRowsGeneric puts the weights of outputs 2i and 2i+1 into a word, for every byte of a row.
func packRowsGeneric(w []int8) []byte {
	out := make([]byte, 4*len(w))
	for k := range len(w) / dotLanes {
		for o := range dotLanes {
			v := uint32(byte(w[k/4*4*dotLanes+4*o+k%4]) ^ 0x80)
			binary.LittleEndian.PutUint32(out[4*(k*dotLanes+o):], v)
		}
	}
	return out
}

func dotRowsGeneric(acc []int32, x, w []byte) {
	rows := len(acc) / dotLanes
	k := len(x) / rows
	for r := range rows {
		row, sums := x[r*k:(r+1)*k], acc[r*dotLanes:(r+1)*dotLanes]
		for first := 0; first < k; first += dotRun {
			dotRowGeneric(sums, row[first:min(k, first+dotRun)], w[4*first*dotLanes:])
		}
	}
}

func dotRowGeneric(acc []int32, x, w []byte) {
	var s int32
	for _, v := range x {
		s += int32(v)
	}
	for o := 0; o < dotLanes; o += 8 {
		var a0, a1, a2, a3 uint64
		at := w[4*o:]
		for i, v := range x {
			q := at[4*i*dotLanes:][:32]
			u := uint64(v)
			a0 += u * binary.LittleEndian.Uint64(q)
			a1 += u * binary.LittleEndian.Uint64(q[8:])
			a2 += u * binary.LittleEndian.Uint64(q[16:])
			a3 += u * binary.LittleEndian.Uint64(q[24:])
		}
		for i, a := range [4]uint64{a0, a1, a2, a3} {
			acc[o+2*i] += int32(uint32(a)) - s<<7
			acc[o+2*i+1] += int32(uint32(a>>32)) - s<<7
		}
	}
}

func dotWindowGeneric(acc []int32, src []byte, offs []int32, w []byte, index *[64]byte, stride int, init int32) {
	i0, i1, i2, i3 := int(index[0]), int(index[1]), int(index[2]), int(index[3])
	for p := range acc {
		acc[p] = init
	}
	for j, off := range offs {
		q := w[4*j:][:4]
		w0, w1, w2, w3 := int32(q[0])-128, int32(q[1])-128, int32(q[2])-128, int32(q[3])-128
		x := src[off:]
		for p := range acc {
			at := x[p*stride:]
			acc[p] += w0*int32(at[i0]) + w1*int32(at[i1]) + w2*int32(at[i2]) + w3*int32(at[i3])
		}
	}
}

func interleaveGeneric(dst, s0, s1, s2, s3 []byte, flip uint8) {
	n := len(dst) / 4
	s0, s1, s2, s3 = s0[:n], s1[:n], s2[:n], s3[:n]
	f := uint32(flip) * 0x01010101
	for i := range n {
		v := uint32(s0[i]) | uint32(s1[i])<<8 | uint32(s2[i])<<16 | uint32(s3[i])<<24
		binary.LittleEndian.PutUint32(dst[4*i:], v^f)
	}
}
