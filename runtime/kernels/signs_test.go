package kernels

import (
	"math"
	"testing"
)

func TestSigns(t *testing.T) { eachISA(t, checkSigns) }

func checkSigns(t *testing.T, set *Set) {
	nan := float32(math.NaN())
	special := []float32{0, float32(math.Copysign(0, -1)), AboveZero, -AboveZero, 1, -1, nan, -nan, float32(math.Inf(1)), float32(math.Inf(-1)), math.MaxFloat32}
	for i := range cases(200) {
		r := rng(uint64(i))
		n, channels := pick(r, 1, 7, 8, 9, 16, 31, 100), pick(r, 8, 8, 1, 5)
		stride := n + r.IntN(3)
		src := make([]float32, 7*stride+n)
		for j := range src {
			src[j] = special[r.IntN(len(special))]
		}
		var b Bounds
		isNaN := r.IntN(2) == 0
		for c := range b.Least {
			b.Least[c], b.Flip[c] = pick[float32](r, 0, AboveZero, 1, special[8], special[9]), pick[uint32](r, 0, 1<<31)
			if !isNaN && r.IntN(5) == 0 {
				b.Least[c] = nan // never
			}
		}
		dst, intact := aligned(n)
		set.Signs(dst, src, stride, channels, &b, isNaN)
		for p, got := range dst {
			want := byte(0)
			for c := range channels {
				x := src[c*stride+p]
				if b.Flip[c] != 0 {
					x = -x
				}
				if x >= b.Least[c] || x != x && isNaN {
					want |= 1 << c
				}
			}
			if got != want {
				t.Fatalf("case %d: position %d is %08b, want %08b", i, p, got, want)
			}
		}
		if err := intact(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestPutBytes(t *testing.T) {
	for i := range cases(200) {
		r := rng(uint64(i))
		d := newDense(13, pick(r, 1, 3), pick(r, 1, 4), pick(r, 1, 2, 9))
		randomSigns(d, false, 50, r.IntN)
		g := randomGeom(r, d.c, d.t, d.h, d.w, [3]int{pick(r, 1, 1, 2), pick(r, 1, 1, 2), pick(r, 1, 1, 3)})
		dst, intact := aligned(g.Bytes(Bit))
		clear(dst)
		positions := d.t * d.h * d.w
		for plane := range 2 {
			src := make([]byte, positions)
			for c := 8 * plane; c < min(d.c, 8*plane+8); c++ {
				for p := range src {
					src[p] |= byte(d.v[c*positions+p]) << (c % 8)
				}
			}
			cut := r.IntN(positions + 1)
			g.PutBytes(dst, plane, cut, src[cut:])
			g.PutBytes(dst, plane, 0, src[:cut])
		}
		if err := same(g, Bit, dst, d); err != nil {
			t.Fatalf("case %d %+v: %v", i, g, err)
		}
		if err := intact(); err != nil {
			t.Fatal(err)
		}
	}
}
