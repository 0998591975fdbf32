//go:build amd64 && !purego

package kernels

// bitCells holds, for every byte, what bitDotAVX2 looks up: for its low and for its high nibble x the 16 counts popcount(x ^ w)
// of all nibbles w.
var bitCells = func() (t [256][32]byte) {
	for x := range t {
		for w := range 16 {
			t[x][w], t[x][16+w] = popTable[(x&15)<<8|15<<4|w], popTable[(x>>4)<<8|15<<4|w]
		}
	}
	return t
}()

// spreadCells writes the cells of bytes.
func spreadCells(dst []byte, step int, src []byte) {
	at := 0
	for _, x := range src {
		*(*[32]byte)(dst[at:]) = bitCells[x]
		at += step
	}
}

// packBitDotLanes puts the weights of 32 outputs in an order in which counts that are widened half a lane at a time are in theirs.
func packBitDotLanes(w []byte) []byte {
	out := make([]byte, len(w))
	for i := 0; i < len(w); i += 32 {
		copy(out[i:], w[i:i+8])
		copy(out[i+8:], w[i+16:i+24])
		copy(out[i+16:], w[i+8:i+16])
		copy(out[i+24:], w[i+24:i+32])
	}
	return out
}
