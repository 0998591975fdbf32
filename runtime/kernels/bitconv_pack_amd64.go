//go:build amd64 && !purego

package kernels

import (
	"encoding/binary"
	"math/bits"
)

// packBitDwords repeats the weight bytes of a term to dwords, for operands that are broadcast from memory.
func packBitDwords(wm []byte) []byte { return repeat4(wm, 8) }

// packBitMaskedDwords repeats the weight and the mask bytes to dwords.
func packBitMaskedDwords(wm []byte) []byte { return repeat4(wm, 16) }

func repeat4(wm []byte, keep int) []byte {
	out := make([]byte, 0, len(wm)/16*keep*4)
	for ; len(wm) > 0; wm = wm[16:] {
		for _, b := range wm[:keep] {
			out = append(out, b, b, b, b)
		}
	}
	return out
}

// popTable holds, for a weight nibble w and a mask nibble m, popcount((x ^ w) & m) for all nibbles x; the 16 bytes of
// (w,m) begin at (w<<4|m)*16.
//
//lint:ignore U1000 the assembly reads it
var popTable = func() (t [4096]uint8) {
	for i := range t {
		w, m, x := uint8(i>>8), uint8(i>>4&15), uint8(i&15)
		t[i] = uint8(bits.OnesCount8((x ^ w) & m))
	}
	return t
}()

// packBitTables makes, for the low and the high nibble of every weight, the offset in popTable.
func packBitTables(wm []byte) []byte {
	out := make([]byte, 0, len(wm)/16*32)
	for ; len(wm) > 0; wm = wm[16:] {
		for o := range 8 {
			w, m := uint16(wm[o]), uint16(wm[8+o])
			out = binary.LittleEndian.AppendUint16(out, (w&15<<4|m&15)<<4)
			out = binary.LittleEndian.AppendUint16(out, (w&0xF0|m>>4)<<4)
		}
	}
	return out
}
