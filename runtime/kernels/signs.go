package kernels

import "math"

// Signs writes a byte for every position of dst: bit c says that channel c, at src[c*stride:], is at least least; with nan it
// is set for NaN too. There are at most 8 channels; the bits of others are clear.
func (s *Set) Signs(dst []byte, src []float32, stride, channels int, least float32, nan bool) {
	i, n := 0, 0
	if nan {
		i = 1
	}
	if channels == 8 {
		n = len(dst) &^ 7
		s.signs[i](dst[:n], src, stride, least)
	}
	clear(dst[n:])
	for c := range channels {
		row := src[c*stride:][:len(dst)]
		for p := n; p < len(dst); p++ {
			if x := row[p]; x >= least || nan && x != x {
				dst[p] |= 1 << c
			}
		}
	}
}

// AboveZero is the smallest number above 0: a number is positive if it is at least that.
const AboveZero = math.SmallestNonzeroFloat32

func signsGeneric(nan bool) signsFunc {
	return func(dst []byte, src []float32, stride int, least float32) {
		for p := 0; p < len(dst); p++ {
			b := byte(0)
			for c := range 8 {
				if x := src[c*stride+p]; x >= least || nan && x != x {
					b |= 1 << c
				}
			}
			dst[p] = b
		}
	}
}

// PutBytes stores bytes of a plane of a map of bits: those of the positions from the given one on, in their order along t, h
// and w.
func (g Geom) PutBytes(dst []byte, plane, from int, src []byte) {
	if g.Phases() == 1 && g.Pitch() == g.W && (g.Frame() == g.H*g.W || g.T == 1) {
		copy(dst[g.Plane(plane)+from:], src)
		return
	}
	s := g.strided(Bit)
	for len(src) > 0 {
		w, h, t := from%g.W, from/g.W%g.H, from/g.W/g.H
		n := min(g.W-w, len(src))
		if g.PW == 1 {
			copy(dst[s.row(plane, t, h, 0)+w:], src[:n])
		} else {
			for i, b := range src[:n] {
				dst[s.row(plane, t, h, (w+i)%g.PW)+(w+i)/g.PW] = b
			}
		}
		src, from = src[n:], from+n
	}
}
