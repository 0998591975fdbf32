package kernels

import "math"

// A Bounds says when the bits of eight channels are set: bit c when x is at least Least[c], or when -x is where bit 31 of
// Flip[c], whose others are clear, is set.
type Bounds struct {
	Least [8]float32
	Flip  [8]uint32
}

func (b *Bounds) set(c int, x float32, nan bool) bool {
	x = math.Float32frombits(math.Float32bits(x) ^ b.Flip[c])
	return x >= b.Least[c] || nan && x != x
}

// AboveZero is the smallest number above 0: a number is positive if it is at least that.
const AboveZero = math.SmallestNonzeroFloat32

// Signs writes a byte for every position of dst: bit c is that of channel c, at src[c*stride:]; with nan it is set for NaN too.
// There are at most 8 channels; the bits of others are clear. No bound is NaN when nan is set.
func (s *Set) Signs(dst []byte, src []float32, stride, channels int, b *Bounds, nan bool) {
	i, n := 0, 0
	if nan {
		i = 1
	}
	if channels == 8 {
		n = len(dst) &^ 7
		s.signs[i](dst[:n], src, stride, &b.Least, &b.Flip)
	}
	clear(dst[n:])
	for c := range channels {
		row := src[c*stride:][:len(dst)]
		for p := n; p < len(dst); p++ {
			if b.set(c, row[p], nan) {
				dst[p] |= 1 << c
			}
		}
	}
}

func signsGeneric(nan bool) signsFunc {
	return func(dst []byte, src []float32, stride int, least *[8]float32, flip *[8]uint32) {
		b := Bounds{*least, *flip}
		for p := range dst {
			bits := byte(0)
			for c := range 8 {
				if b.set(c, src[c*stride+p], nan) {
					bits |= 1 << c
				}
			}
			dst[p] = bits
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
			for rw := range g.PW {
				i := (rw - w%g.PW + g.PW) % g.PW // the first element of the phase
				for at := s.row(plane, t, h, rw) + (w+i)/g.PW; i < n; i += g.PW {
					dst[at] = src[i]
					at++
				}
			}
		}
		src, from = src[n:], from+n
	}
}
