package kernels

import (
	"testing"
)

func TestBitConv(t *testing.T) {
	eachISA(t, func(t *testing.T, s *Set) { checkBitConv(t, s, cases(120)) })
}

func checkBitConv(t *testing.T, set *Set, cases int) {
	for i := range cases {
		r := rng(uint64(i))
		cc := randomConv(r, convShapes[i%len(convShapes)], i%3 == 0)
		signed := r.IntN(2) == 0
		density := pick(r, 0, 30, 50, 100)
		for j := range cc.x.v {
			cc.x.v[j] = 0
			if r.IntN(100) < density {
				cc.x.v[j] = 1
			} else if signed {
				cc.x.v[j] = -1
			}
		}
		src := encode(cc.in, Bit, cc.x)
		z := convolve(cc.x, cc.c, cc.w, [3]int{cc.out.T, cc.out.H, cc.out.W})
		th := randomThresholds(r, z)
		y := thresholded(z, th)
		parts := 1 + r.IntN(3)
		elem := pick(r, I8, I16, I32)
		p, err := NewBitConv(set, cc.in, cc.out, cc.c, signed, cc.w, th, Bit)
		if err != nil {
			t.Fatalf("case %d: %v\n%v", i, err, &cc)
		}
		if err := same(cc.out, Bit, run(t, p, cc.out, Bit, src, parts), y); err != nil {
			t.Fatalf("case %d signed %v bits: %v\n%v", i, signed, err, &cc)
		}
		p, err = NewBitConv(set, cc.in, cc.out, cc.c, signed, cc.w, nil, elem)
		if err != nil {
			if elem != I8 {
				t.Fatalf("case %d: %v", i, err)
			}
			continue
		}
		if err := same(cc.out, elem, run(t, p, cc.out, elem, src, parts), z); err != nil {
			t.Fatalf("case %d signed %v %v: %v\n%v", i, signed, elem, err, &cc)
		}
	}
}

// Counts beyond 8 bits: saturation, complemented weights, chunks of sums in 16 and 32 bits.
func TestBitConvLargeK(t *testing.T) { eachISA(t, checkBitConvLargeK) }

func checkBitConvLargeK(t *testing.T, set *Set) {
	ks := []int{248, 255, 256, 257, 320, 504, 510, 511, 512, 1000, 33000}
	if testing.Short() {
		ks = []int{255, 256, 510, 512}
	}
	for _, k := range ks {
		for _, signed := range []bool{false, true} {
			r := rng(uint64(k))
			in := Geom{C: k, T: 1, H: 1, W: 70, PT: 1, PH: 1, PW: 1}
			out := in
			out.C = 11
			c := Conv{OutC: 11, Groups: 1, Kernel: [3]int{1, 1, 1}, Stride: [3]int{1, 1, 1}, Dil: [3]int{1, 1, 1}}
			x := newDense(k, 1, 1, 70)
			w := Weights{Sign: bitsOf(func(i int) bool { o := i / k; return o == 0 || o > 1 && r.IntN(12) < o }, 11*k)}
			for i := range x.v {
				// Positions 0 and 1 hold all ones and all zeros, the others agree with output 2 up to a few bits.
				on := w.sign(2*k + i/70)
				switch p := i % 70; {
				case p < 2:
					on = p == 0
				case r.IntN(70) < p-2:
					on = !on
				}
				if on {
					x.v[i] = 1
				} else if signed {
					x.v[i] = -1
				}
			}
			src := encode(in, Bit, x)
			z := convolve(x, c, w, [3]int{1, 1, 70})
			var counts []int32 // thresholds on z that stand for the counts around the limits
			for _, d := range []int{0, 1, 253, 254, 255, 256, 257, k - 257, k - 256, k - 255, k - 254, k - 1, k, k + 1} {
				counts = append(counts, int32(d))
			}
			bases := make([]int32, 11)
			for o := range bases {
				for i := range k {
					if signed || w.sign(o*k+i) {
						bases[o]++
					}
				}
			}
			for step := range min(len(counts), 1+4000/k) {
				th := &Threshold{T: make([]int32, 11), Flip: []byte{0x55, 0x02}}
				for o := range th.T {
					d := counts[(step+o)%len(counts)]
					base := bases[o]
					if signed {
						d *= 2
					}
					th.T[o] = base - d
					if step%2 == 0 && o < 8 { // without a channel that needs sums
						th.T[o] = base - min(d, 254)
					}
				}
				p, err := NewBitConv(set, in, out, c, signed, w, th, Bit)
				if err != nil {
					t.Fatal(err)
				}
				if err := same(out, Bit, run(t, p, out, Bit, src, 2), thresholded(z, th)); err != nil {
					t.Fatalf("K=%d signed %v step %d wide %v: %v", k, signed, step, p.wide, err)
				}
			}
			for _, e := range []Elem{I16, I32} {
				p, err := NewBitConv(set, in, out, c, signed, w, nil, e)
				if err != nil {
					if e == I32 {
						t.Fatal(err)
					}
					continue
				}
				if err := same(out, e, run(t, p, out, e, src, 1), z); err != nil {
					t.Fatalf("K=%d signed %v %v: %v", k, signed, e, err)
				}
			}
		}
	}
}

func TestIntConv(t *testing.T) {
	eachISA(t, func(t *testing.T, s *Set) { checkIntConv(t, s, cases(120)) })
}

func checkIntConv(t *testing.T, set *Set, cases int) {
	for i := range cases {
		r := rng(uint64(1000 + i))
		cc := randomConv(r, convShapes[i%len(convShapes)], i%2 == 0)
		inElem := pick(r, U8, I8, I16, I32)
		lim := pick(r, 1, 5, maxOf(inElem)/max(1, maxOf(inElem)>>11))
		for j := range cc.x.v {
			v := r.IntN(lim + 1)
			if inElem != U8 && r.IntN(2) == 0 {
				v = -v
			}
			cc.x.v[j] = int64(v)
		}
		if inElem == U8 && r.IntN(2) == 0 {
			for j := range cc.x.v {
				cc.x.v[j] = 255
			}
		}
		if r.IntN(8) == 0 && inElem == I32 { // wide values need wide sums
			for j := range cc.x.v {
				cc.x.v[j] = int64(r.IntN(1<<21)) - 1<<20
			}
		}
		src := encode(cc.in, inElem, cc.x)
		z := convolve(cc.x, cc.c, cc.w, [3]int{cc.out.T, cc.out.H, cc.out.W})
		lo, hi := make([]int32, z.c), make([]int32, z.c)
		acc, outElem, n := I16, I8, z.t*z.h*z.w
		for o := range lo {
			lo[o], hi[o] = 1<<31-1, -1<<31
			for _, v := range z.v[o*n : (o+1)*n] {
				lo[o], hi[o] = min(lo[o], int32(v)), max(hi[o], int32(v))
			}
			if hi[o]-lo[o] > 65535 {
				acc = I32
			}
			for outElem < I32 && (int(lo[o]) < minOf(outElem) || int(hi[o]) > maxOf(outElem)) {
				outElem++
			}
		}
		outElem = min(I32, outElem+Elem(r.IntN(2)))
		th := randomThresholds(r, z)
		y := thresholded(z, th)
		parts := 1 + r.IntN(3)
		for _, a := range []Elem{acc, I32} {
			p, err := NewIntConv(set, cc.in, inElem, cc.out, cc.c, cc.w, a, lo, hi, th, Bit)
			if err != nil {
				t.Fatalf("case %d: %v\n%v", i, err, &cc)
			}
			if err := same(cc.out, Bit, run(t, p, cc.out, Bit, src, parts), y); err != nil {
				t.Fatalf("case %d %v->%v->bits: %v\n%v", i, inElem, a, err, &cc)
			}
			p, err = NewIntConv(set, cc.in, inElem, cc.out, cc.c, cc.w, a, lo, hi, nil, outElem)
			if err != nil {
				t.Fatalf("case %d: %v", i, err)
			}
			if err := same(cc.out, outElem, run(t, p, cc.out, outElem, src, parts), z); err != nil {
				t.Fatalf("case %d %v->%v->%v: %v\n%v", i, inElem, a, outElem, err, &cc)
			}
		}
	}
}
