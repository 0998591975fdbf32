package kernels

import (
	"encoding/binary"
	"math/bits"
)

// spreadBytes is spread where a cell is the byte itself.
func spreadBytes(dst []byte, step int, src []byte) {
	for i, x := range src {
		dst[i*step] = x
	}
}

// packBitDotGeneric gathers eight bytes of an output into a word.
func packBitDotGeneric(w []byte) []byte {
	out := make([]byte, len(w))
	for i := 0; i < len(w); i += 8 * bitLanes {
		for o := range bitLanes {
			for c := range 8 {
				out[i+8*o+c] = w[i+c*bitLanes+o]
			}
		}
	}
	return out
}

func bitDotGeneric(acc []int16, src []byte, offs []int32, nb int, w []byte) {
	for ; len(offs) >= 4; offs = offs[4:] {
		for c := 0; c < nb; c += 8 {
			var x [4]uint64
			for p := range x {
				x[p] = binary.LittleEndian.Uint64(src[int(offs[p])+c:])
			}
			a0, a1, a2, a3 := acc[:bitLanes], acc[bitLanes:][:bitLanes], acc[2*bitLanes:][:bitLanes], acc[3*bitLanes:][:bitLanes]
			for o, words := 0, w[:8*bitLanes]; o < bitLanes; o++ {
				y := binary.LittleEndian.Uint64(words[8*o:])
				a0[o] += int16(bits.OnesCount64(x[0] ^ y))
				a1[o] += int16(bits.OnesCount64(x[1] ^ y))
				a2[o] += int16(bits.OnesCount64(x[2] ^ y))
				a3[o] += int16(bits.OnesCount64(x[3] ^ y))
			}
			w = w[8*bitLanes:]
		}
	}
}

func bitTurnGeneric(dst []int32, stride int, acc []int16, base *[4]int32, shift uint) {
	for o := range bitLanes {
		row := (*[4]int32)(dst[o*stride:])
		for p := range row {
			row[p] = base[p] - int32(acc[p*bitLanes+o])<<shift
		}
	}
}
