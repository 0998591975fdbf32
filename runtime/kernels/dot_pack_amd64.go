//go:build amd64 && !purego

package kernels

import "encoding/binary"

// packBytes leaves the order of weights as it is.
func packBytes(w []int8) []byte {
	out := make([]byte, len(w))
	for i, v := range w {
		out[i] = byte(v)
	}
	return out
}

// packDotAVX2 writes the four weights of a term and output as words: those of even bytes, then those of odd ones.
func packDotAVX2(w []int8) []byte {
	out := make([]byte, 2*len(w))
	for i := 0; i < len(w); i += 4 {
		for k, c := range [4]int{0, 2, 1, 3} {
			binary.LittleEndian.PutUint16(out[2*(i+k):], uint16(int16(w[i+c])))
		}
	}
	return out
}

// packRowsAVX2 does likewise for eight outputs at a time: first their words of even bytes, then those of odd ones.
func packRowsAVX2(w []int8) []byte {
	out := make([]byte, 0, 2*len(w))
	for ; len(w) > 0; w = w[32:] {
		for _, first := range [2]int{0, 1} {
			for o := range 8 {
				for _, c := range [2]int{first, first + 2} {
					out = binary.LittleEndian.AppendUint16(out, uint16(int16(w[4*o+c])))
				}
			}
		}
	}
	return out
}

// packFewRowsAVX2 brings sixteen outputs together, of all terms.
func packFewRowsAVX2(w []int8) []byte {
	const outs = 16
	out := make([]byte, 0, len(w))
	for first := 0; first < 4*dotLanes; first += 4 * outs {
		for at := first; at < len(w); at += 4 * dotLanes {
			out = append(out, packBytes(w[at:at+4*outs])...)
		}
	}
	return out
}

func interleaveAVX2(dst, s0, s1, s2, s3 []byte, flip uint8) {
	n := len(dst) / 4 &^ 15
	if n > 0 {
		interleaveBlocksAVX2(dst[:4*n], s0, s1, s2, s3, flip)
	}
	if 4*n < len(dst) {
		interleaveGeneric(dst[4*n:], s0[n:], s1[n:], s2[n:], s3[n:], flip)
	}
}
