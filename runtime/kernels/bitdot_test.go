package kernels

import "testing"

// dotShape is a case as the plans of rows want it.
func (cc *convCase) dotShape() DotShape {
	return DotShape{Batch: 1, Groups: cc.c.Groups, In: cc.in.C, Out: cc.c.OutC,
		Size: [3]int{cc.in.T, cc.in.H, cc.in.W}, Result: [3]int{cc.out.T, cc.out.H, cc.out.W},
		Kernel: cc.c.Kernel, Stride: cc.c.Stride, Pad: cc.c.Pad, Dil: cc.c.Dil}
}

func TestBitDot(t *testing.T) { eachISA(t, checkBitDot) }

func checkBitDot(t *testing.T, set *Set) {
	shapes := append([]convShape{{64, 64, 1}, {40, 70, 1}, {8, 130, 2}, {65, 3, 1}}, convShapes...)
	planned := 0
	for i := range cases(160) {
		r := rng(uint64(i))
		cc := randomConv(r, shapes[i%len(shapes)], i%3 > 0)
		signed := r.IntN(2) == 0
		randomSigns(cc.x, signed, pick(r, 0, 30, 50, 100), r.IntN)
		s := cc.dotShape()
		p, err := NewBitDot(set, cc.in, s, signed, cc.w)
		if err != nil {
			if cc.w.Nonzero == nil && (cc.c.Groups == 1 || s.In/s.Groups%8 == 0) {
				t.Fatalf("case %d: %v\n%v", i, err, &cc)
			}
			continue
		}
		planned++
		want := convolve(cc.x, cc.c, cc.w, s.Result)
		z, err := sumsOf(p, &s, encode(cc.in, Bit, cc.x), 1+i%3)
		if err != nil {
			t.Fatalf("case %d: %v\n%v", i, err, &cc)
		}
		for j, v := range z {
			if int64(v) != want.v[j] {
				t.Fatalf("case %d signed %v: element %d is %d, want %d\n%v", i, signed, j, v, want.v[j], &cc)
			}
		}
	}
	if planned < cases(160)/3 {
		t.Errorf("only %d cases had a plan", planned)
	}
}

// randomSigns fills a map with set bits of a density; others are -1 or 0.
func randomSigns(d *dense, signed bool, density int, intN func(int) int) {
	for j := range d.v {
		d.v[j] = 0
		if intN(100) < density {
			d.v[j] = 1
		} else if signed {
			d.v[j] = -1
		}
	}
}

// Sums beyond what bytes and runs of bytes hold, and up to the most that 16 bits do.
func checkBitDotLong(t *testing.T, set *Set) {
	for _, k := range []int{247, 248, 249, 256, 504, 1000, 32767, 32768} {
		for _, signed := range []bool{false, true} {
			for _, taps := range []int{1, 3} {
				g := Geom{C: k / taps, T: 1, H: 1, W: 5, PT: 1, PH: 1, PW: 1}
				one := [3]int{1, 1, 1}
				c := Conv{OutC: 3, Groups: 1, Kernel: [3]int{1, 1, taps}, Stride: one, Dil: one}
				x := newDense(g.C, 1, 1, 5)
				for i := range x.v {
					x.v[i] = 1
				}
				w := Weights{Sign: make([]byte, ceilDiv(3*g.C*taps, 8))} // all -1: every bit counts
				s := DotShape{Batch: 1, Groups: 1, In: g.C, Out: 3, Size: [3]int{1, 1, 5}, Result: [3]int{1, 1, 6 - taps}, Kernel: c.Kernel, Stride: one, Dil: one}
				p, err := NewBitDot(set, g, s, signed, w)
				if (err != nil) != (g.C*taps > bitMost) {
					t.Fatalf("K %d: %v", g.C*taps, err)
				}
				if err != nil {
					continue
				}
				z, err := sumsOf(p, &s, encode(g, Bit, x), 1)
				if err != nil {
					t.Fatal(err)
				}
				for j, v := range z {
					if int(v) != -g.C*taps {
						t.Fatalf("K %d signed %v: element %d is %d", g.C*taps, signed, j, v)
					}
				}
			}
		}
	}
}

// What a plan refuses.
func TestBitDotRefuses(t *testing.T) {
	one := [3]int{1, 1, 1}
	g := Geom{C: 8, T: 1, H: 1, W: 5, PT: 1, PH: 1, PW: 1}
	good := DotShape{Batch: 1, Groups: 1, In: 8, Out: 8, Size: [3]int{1, 1, 5}, Result: [3]int{1, 1, 5}, Kernel: one, Stride: one, Dil: one}
	w := Weights{Sign: make([]byte, 8)}
	set := Select(Generic)
	if _, err := NewBitDot(set, g, good, true, w); err != nil {
		t.Fatal(err)
	}
	for name, f := range map[string]func(s *DotShape, g *Geom, w *Weights){
		"batch":       func(s *DotShape, _ *Geom, _ *Weights) { s.Batch = 2 },
		"groups":      func(s *DotShape, _ *Geom, _ *Weights) { s.Groups = 3 },
		"no groups":   func(s *DotShape, _ *Geom, _ *Weights) { s.Groups = 0 },
		"odd groups":  func(s *DotShape, _ *Geom, _ *Weights) { s.Groups = 2 },
		"other map":   func(s *DotShape, _ *Geom, _ *Weights) { s.Size[2] = 6 },
		"kernel":      func(s *DotShape, _ *Geom, _ *Weights) { s.Kernel[0] = 0 },
		"geometry":    func(_ *DotShape, g *Geom, _ *Weights) { g.PT = 0 },
		"few weights": func(_ *DotShape, _ *Geom, w *Weights) { w.Sign = w.Sign[:7] },
		"ternary":     func(_ *DotShape, _ *Geom, w *Weights) { w.Nonzero = make([]byte, 8) },
	} {
		s, geom, weights := good, g, w
		f(&s, &geom, &weights)
		if _, err := NewBitDot(set, geom, s, true, weights); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if _, err := NewBitDot(nil, g, good, true, w); err == nil {
		t.Error("no set: no error")
	}
}

func TestBitDotLong(t *testing.T) { eachISA(t, checkBitDotLong) }

func BenchmarkBitDot(b *testing.B) {
	for _, bc := range []benchConv{
		convBench("64at16x16", 64, 64, 1, [3]int{1, 3, 3}, s1, 1, 16, 16),
		convBench("128at8x8", 128, 128, 1, [3]int{1, 3, 3}, s1, 1, 8, 8),
		convBench("256at4x4", 256, 256, 1, [3]int{1, 3, 3}, s1, 1, 4, 4),
		convBench("512at2x2", 512, 512, 1, [3]int{1, 3, 3}, s1, 1, 2, 2),
		convBench("64at56x56", 64, 64, 1, [3]int{1, 3, 3}, s1, 1, 56, 56),
	} {
		cc := convCase{c: bc.c, in: bc.in, out: bc.out}
		b.Run(bc.name, func(b *testing.B) {
			benchSets(b, func(b *testing.B, s *Set) {
				p, err := NewBitDot(s, bc.in, cc.dotShape(), true, bc.w)
				if err != nil {
					b.Fatal(err)
				}
				src, _ := aligned(bc.in.Bytes(Bit))
				scratch, _ := aligned(p.Scratch(1))
				var r DotBlock
				for b.Loop() {
					p.Load(0, 1, src, scratch)
					for u := range p.Units() {
						for i := range p.Blocks() {
							p.Block(&r, u, i, 0, src, scratch)
						}
					}
				}
				b.ReportMetric(float64(bc.macs)*float64(b.N)/b.Elapsed().Seconds()/1e9, "GMAC/s")
			})
		})
	}
}
