package kernels

import (
	"testing"
	"time"
)

// benchmarks of plans on one core; G MAC/s counts weights times positions, without padding subtracted.

func benchSets(b *testing.B, f func(b *testing.B, s *Set)) {
	for _, isa := range ISAs() {
		b.Run(isa.String(), func(b *testing.B) {
			if !Available(isa) {
				b.Skipf("%v is not available on this machine or in this build", isa)
			}
			f(b, Select(isa))
		})
	}
}

func benchPlan(b *testing.B, p staged, macs, dst, src int) {
	d, _ := aligned(dst)
	s, _ := aligned(src)
	for i := range s {
		s[i] = 0
	}
	scratch, _ := aligned(p.Scratch(1))
	best := time.Duration(1 << 62)
	for b.Loop() {
		start := time.Now()
		for st := range p.Stages() {
			p.Run(st, 0, 1, d, s, scratch)
		}
		best = min(best, time.Since(start))
	}
	b.ReportMetric(float64(best.Microseconds()), "best-us")
	if macs > 0 {
		b.ReportMetric(float64(macs)*float64(b.N)/b.Elapsed().Seconds()/1e9, "GMAC/s")
		b.ReportMetric(float64(macs)/best.Seconds()/1e9, "best-GMAC/s")
	}
}

type benchConv struct {
	name    string
	in, out Geom
	c       Conv
	w       Weights
	macs    int
}

func convBench(name string, inC, outC, groups int, k, stride [3]int, t, h, w int) benchConv {
	b := benchConv{name: name}
	b.c = Conv{OutC: outC, Groups: groups, Kernel: k, Stride: stride, Dil: [3]int{1, 1, 1}}
	for a := range 3 {
		b.c.Pad[a] = k[a] / 2
	}
	halo := func(k int) int { return k / 2 }
	b.in = Geom{C: inC, T: t, H: h, W: w, HT: halo(k[0]), HH: halo(k[1]), HW: halo(k[2]), PT: stride[0], PH: stride[1], PW: stride[2]}
	b.out = Geom{C: outC, T: ceilDiv(t, stride[0]), H: ceilDiv(h, stride[1]), W: ceilDiv(w, stride[2]), HT: b.in.HT, HH: b.in.HH, HW: b.in.HW, PT: 1, PH: 1, PW: 1}
	n := outC * inC / groups * k[0] * k[1] * k[2]
	r := rng(1)
	b.w.Sign = bitsOf(func(int) bool { return r.IntN(2) == 0 }, n)
	b.macs = n * b.out.T * b.out.H * b.out.W
	return b
}

var (
	k1, k3 = [3]int{1, 1, 1}, [3]int{3, 3, 3}
	s1, s2 = [3]int{1, 1, 1}, [3]int{1, 2, 2}
)

var bitBenches = []benchConv{
	convBench("grouped3x3x3", 64, 64, 8, k3, s1, 16, 48, 64),
	convBench("pointwise64", 64, 64, 1, k1, s1, 16, 48, 64),
	convBench("pointwise256", 256, 256, 1, k1, s1, 4, 12, 16),
	convBench("stride2", 64, 64, 8, k3, s2, 16, 48, 64),
	convBench("depthwise", 64, 64, 64, k3, s1, 16, 48, 64),
	convBench("full3x3x3", 64, 64, 1, k3, s1, 8, 24, 32),
}

func BenchmarkBitConv(b *testing.B) {
	for _, bc := range bitBenches {
		th := &Threshold{T: make([]int32, bc.c.OutC)}
		b.Run(bc.name, func(b *testing.B) {
			benchSets(b, func(b *testing.B, s *Set) {
				p, err := NewBitConv(s, bc.in, bc.out, bc.c, false, bc.w, th, Bit)
				if err != nil {
					b.Fatal(err)
				}
				benchPlan(b, p, bc.macs, bc.out.Bytes(Bit), bc.in.Bytes(Bit))
			})
		})
	}
}

func BenchmarkBitConvSignedPadded(b *testing.B) {
	bc := bitBenches[0]
	th := &Threshold{T: make([]int32, bc.c.OutC)}
	benchSets(b, func(b *testing.B, s *Set) {
		p, err := NewBitConv(s, bc.in, bc.out, bc.c, true, bc.w, th, Bit)
		if err != nil {
			b.Fatal(err)
		}
		benchPlan(b, p, bc.macs, bc.out.Bytes(Bit), bc.in.Bytes(Bit))
	})
}

func BenchmarkBitConvInt(b *testing.B) {
	for _, bc := range bitBenches[:3] {
		for _, e := range []Elem{I8, I16, I32} {
			b.Run(bc.name+"/"+e.String(), func(b *testing.B) {
				benchSets(b, func(b *testing.B, s *Set) {
					w := bc.w
					if e == I8 { // half of each sign keeps sums of up to 255 inputs in 8 bits
						w.Sign = bitsOf(func(i int) bool { return i&1 == 0 }, len(w.Sign)*8)
					}
					p, err := NewBitConv(s, bc.in, bc.out, bc.c, false, w, nil, e)
					if err != nil {
						b.Skip(err)
					}
					benchPlan(b, p, bc.macs, bc.out.Bytes(e), bc.in.Bytes(Bit))
				})
			})
		}
	}
}

func ranges(n int) (lo, hi []int32) {
	lo, hi = make([]int32, n), make([]int32, n)
	for i := range lo {
		lo[i], hi[i] = -30000, 30000
	}
	return lo, hi
}

func BenchmarkIntConv(b *testing.B) {
	for _, bc := range bitBenches {
		for _, v := range []struct {
			name         string
			in, acc, out Elem
		}{{"i16-bits", I16, I16, Bit}, {"i8-i16", I8, I16, I16}, {"i16-i16", I16, I16, I16}, {"i32-bits", I32, I32, Bit}, {"i16-i32-i32", I16, I32, I32}} {
			if (bc.name == "full3x3x3" || bc.name == "depthwise" || bc.name == "stride2") && v.name != "i16-bits" {
				continue
			}
			b.Run(bc.name+"/"+v.name, func(b *testing.B) {
				benchSets(b, func(b *testing.B, s *Set) {
					lo, hi := ranges(bc.c.OutC)
					var th *Threshold
					if v.out == Bit {
						th = &Threshold{T: make([]int32, bc.c.OutC)}
					}
					p, err := NewIntConv(s, bc.in, v.in, bc.out, bc.c, bc.w, v.acc, lo, hi, th, v.out)
					if err != nil {
						b.Fatal(err)
					}
					benchPlan(b, p, bc.macs, bc.out.Bytes(v.out), bc.in.Bytes(v.in))
				})
			})
		}
	}
}

// The stem of a video network: 3 channels of u8, 3x3x3, stride 1,2,2, to 64 channels of bits.
func BenchmarkStem(b *testing.B) {
	bc := convBench("stem", 3, 64, 1, k3, s2, 16, 96, 128)
	th := &Threshold{T: make([]int32, 64)}
	lo, hi := ranges(64)
	benchSets(b, func(b *testing.B, s *Set) {
		p, err := NewIntConv(s, bc.in, U8, bc.out, bc.c, bc.w, I16, lo, hi, th, Bit)
		if err != nil {
			b.Fatal(err)
		}
		benchPlan(b, p, bc.macs, bc.out.Bytes(Bit), bc.in.Bytes(U8))
	})
}

func BenchmarkPlanes(b *testing.B) {
	in := Geom{C: 64, T: 16, H: 48, W: 64, HT: 1, HH: 1, HW: 1, PT: 1, PH: 2, PW: 2}
	out := Geom{C: 64, T: 16, H: 24, W: 32, HT: 1, HH: 1, HW: 1, PT: 1, PH: 1, PW: 1}
	flat := in
	flat.PH, flat.PW = 1, 1
	buf := func(n int) []byte { d, _ := aligned(n); clear(d); return d }
	x, y := buf(in.Bytes(Bit)), buf(in.Bytes(Bit))
	b.Run("pool2x2", func(b *testing.B) {
		benchSets(b, func(b *testing.B, s *Set) {
			p, err := NewPool(s, in, out, false, [3]int{1, 2, 2}, s2, [3]int{}, s1)
			if err != nil {
				b.Fatal(err)
			}
			benchPlan(b, p, 0, out.Bytes(Bit), in.Bytes(Bit))
		})
	})
	b.Run("selor", func(b *testing.B) {
		benchSets(b, func(b *testing.B, s *Set) {
			p, err := NewGate(s, SelOr, in)
			if err != nil {
				b.Fatal(err)
			}
			sel := make([]byte, 8)
			for b.Loop() {
				p.Run(0, 0, 1, y, y, x, sel)
			}
		})
	})
	b.Run("count", func(b *testing.B) {
		for i := range x {
			x[i] = byte(i)
		}
		defer clear(x)
		benchSets(b, func(b *testing.B, s *Set) {
			p, err := NewCount(s, in, false)
			if err != nil {
				b.Fatal(err)
			}
			n := make([]int32, p.Len())
			for b.Loop() {
				p.Run(0, 0, 1, n, x)
			}
		})
	})
	b.Run("threshold-i16", func(b *testing.B) {
		benchSets(b, func(b *testing.B, s *Set) {
			p, err := NewThreshold(s, flat, I16, flat, &Threshold{T: make([]int32, 64)})
			if err != nil {
				b.Fatal(err)
			}
			benchPlan(b, p, 0, flat.Bytes(Bit), flat.Bytes(I16))
		})
	})
	b.Run("relayout-split", func(b *testing.B) {
		benchSets(b, func(b *testing.B, s *Set) {
			p, err := NewRelayout(s, flat, in, Bit)
			if err != nil {
				b.Fatal(err)
			}
			benchPlan(b, p, 0, in.Bytes(Bit), flat.Bytes(Bit))
		})
	})
	b.Run("load-clip", func(b *testing.B) {
		benchSets(b, func(b *testing.B, s *Set) {
			g := Geom{C: 3, T: 16, H: 96, W: 128, HT: 1, HH: 1, HW: 1, PT: 1, PH: 2, PW: 2}
			p, err := NewLoad(s, g)
			if err != nil {
				b.Fatal(err)
			}
			src, dst := buf(3*16*96*128), buf(g.Bytes(U8))
			for b.Loop() {
				p.Run(0, 0, 1, dst, src)
			}
		})
	})
}
