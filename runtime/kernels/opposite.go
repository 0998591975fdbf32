package kernels

import "encoding/binary"

// Opposite reports that in a part of the rows of a map of bits the second half of the channels, which are a multiple of 16, has a
// bit set exactly where the first half has it clear.
func (g Geom) Opposite(part, parts int, src []byte) bool {
	s := g.strided(Bit)
	half := g.C / 16
	lo, hi := share(g.T*g.H, part, parts)
	for r := lo; r < hi; r++ {
		for b := range half {
			for rw := range min(g.PW, g.W) {
				n := ceilDiv(g.W-rw, g.PW)
				x, y := src[s.row(b, r/g.H, r%g.H, rw):][:n], src[s.row(half+b, r/g.H, r%g.H, rw):][:n]
				for ; len(x) >= 8; x, y = x[8:], y[8:] {
					if binary.LittleEndian.Uint64(x)^binary.LittleEndian.Uint64(y) != 1<<64-1 {
						return false
					}
				}
				for i := range x {
					if x[i]^y[i] != 0xff {
						return false
					}
				}
			}
		}
	}
	return true
}
