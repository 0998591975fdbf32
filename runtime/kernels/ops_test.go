package kernels

import (
	"bytes"
	"math"
	"math/bits"
	"strings"
	"sync"
	"testing"
)

func randomBits(r interface{ IntN(int) int }, d *dense, density int) {
	for i := range d.v {
		d.v[i] = 0
		if r.IntN(100) < density {
			d.v[i] = 1
		}
	}
}

func TestPool(t *testing.T) { eachISA(t, checkPool) }

func checkPool(t *testing.T, set *Set) {
	for i := range cases(120) {
		r := rng(uint64(i))
		cc := randomConv(r, convShape{1, 1, 1 + r.IntN(19)}, i%2 == 0)
		randomBits(r, cc.x, pick(r, 0, 10, 50, 90, 100))
		src := encode(cc.in, Bit, cc.x)
		for _, and := range []bool{false, true} {
			y := newDense(cc.out.C, cc.out.T, cc.out.H, cc.out.W)
			for c := range y.c {
				for ot := range y.t {
					for oh := range y.h {
						for ow := range y.w {
							n, ones := 0, 0
							for kt := range cc.c.Kernel[0] {
								for kh := range cc.c.Kernel[1] {
									for kw := range cc.c.Kernel[2] {
										t := ot*cc.c.Stride[0] + kt*cc.c.Dil[0] - cc.c.Pad[0]
										h := oh*cc.c.Stride[1] + kh*cc.c.Dil[1] - cc.c.Pad[1]
										w := ow*cc.c.Stride[2] + kw*cc.c.Dil[2] - cc.c.Pad[2]
										if t >= 0 && t < cc.x.t && h >= 0 && h < cc.x.h && w >= 0 && w < cc.x.w {
											n++
											ones += int(cc.x.at(c, t, h, w))
										}
									}
								}
							}
							if and && ones == n || !and && ones > 0 {
								y.v[y.index(c, ot, oh, ow)] = 1
							}
						}
					}
				}
			}
			p, err := NewPool(set, cc.in, cc.out, and, cc.c.Kernel, cc.c.Stride, cc.c.Pad, cc.c.Dil)
			if err != nil {
				t.Fatal(err)
			}
			if err := same(cc.out, Bit, run(t, p, cc.out, Bit, src, 1+i%3), y); err != nil {
				t.Fatalf("case %d and=%v: %v\n%v", i, and, err, &cc)
			}
		}
	}
}

// randomMaps draws the same logical shape in two layouts.
func randomMaps(r interface{ IntN(int) int }, seed uint64) (d *dense, a, b Geom) {
	rr := rng(seed)
	d = newDense(1+r.IntN(20), 1+r.IntN(4), 1+r.IntN(6), pick(rr, 1, 2, 7, 16, 33, 65, 128))
	a = randomGeom(rr, d.c, d.t, d.h, d.w, [3]int{1 + r.IntN(2), 1 + r.IntN(3), 1 + r.IntN(3)})
	b = randomGeom(rr, d.c, d.t, d.h, d.w, [3]int{1 + r.IntN(2), 1 + r.IntN(3), 1 + r.IntN(3)})
	return d, a, b
}

func TestGate(t *testing.T) { eachISA(t, checkGate) }

func checkGate(t *testing.T, set *Set) {
	for i := range cases(120) {
		r := rng(uint64(i))
		x, g, _ := randomMaps(r, uint64(i))
		f, y := newDense(x.c, x.t, x.h, x.w), newDense(x.c, x.t, x.h, x.w)
		randomBits(r, x, 50)
		randomBits(r, f, 50)
		sel := make([]byte, (x.c+7)/8)
		for j := range sel {
			sel[j] = byte(r.IntN(256)) // bits of padding channels too
		}
		op := GateOp(i % 8)
		n := x.t * x.h * x.w
		for j := range y.v {
			a, b, s := f.v[j], x.v[j], int64(sel[j/n/8]>>(j/n%8)&1)
			y.v[j] = [...]int64{a & b, a | b, a ^ b, a &^ b, 1 - b, a | s&b, a&(1-s) | b&s, a & (1 - s | b)}[op]
		}
		p, err := NewGate(set, op, g)
		if err != nil {
			t.Fatal(err)
		}
		for _, alias := range []string{"none", "f", "x"} {
			dst, ok := aligned(g.Bytes(Bit))
			fb, xb := encode(g, Bit, f), encode(g, Bit, x)
			switch alias {
			case "f":
				dst = fb
			case "x":
				dst = xb
			}
			if op == Not {
				if fb = nil; alias == "f" {
					continue
				}
			}
			for part := range 3 {
				p.Run(0, part, 3, dst, fb, xb, sel)
			}
			if err := ok(); err != nil {
				t.Fatal(err)
			}
			if err := same(g, Bit, dst, y); err != nil {
				t.Fatalf("case %d %v in place of %s: %v\n%+v", i, op, alias, err, g)
			}
		}
	}
}

func TestCount(t *testing.T) { eachISA(t, checkCount) }

func checkCount(t *testing.T, set *Set) {
	for i := range cases(100) {
		r := rng(uint64(i))
		x, g, _ := randomMaps(r, uint64(i))
		randomBits(r, x, pick(r, 0, 20, 100))
		src := encode(g, Bit, x)
		all, frames := make([]int32, x.c), make([]int32, x.t*x.c)
		for c := range x.c {
			for tt := range x.t {
				for h := range x.h {
					for w := range x.w {
						all[c] += int32(x.at(c, tt, h, w))
						frames[tt*x.c+c] += int32(x.at(c, tt, h, w))
					}
				}
			}
		}
		for _, perFrame := range []bool{false, true} {
			p, err := NewCount(set, g, perFrame)
			if err != nil {
				t.Fatal(err)
			}
			got := make([]int32, p.Len()+2)
			for j := range got {
				got[j] = -7
			}
			p.Run(0, 0, 2, got, src)
			p.Run(0, 1, 2, got, src)
			want := all
			if perFrame {
				want = frames
			}
			for j, v := range got {
				if j >= len(want) && v != -7 || j < len(want) && v != want[j] {
					t.Fatalf("case %d per frame %v: count %d is %d, want %v", i, perFrame, j, v, want)
				}
			}
		}
	}
}

func TestThresholdMap(t *testing.T) { eachISA(t, checkThresholdMap) }

func checkThresholdMap(t *testing.T, set *Set) {
	for i := range cases(120) {
		r := rng(uint64(i))
		x, a, b := randomMaps(r, uint64(i))
		e := pick(r, I16, I32)
		for j := range x.v {
			x.v[j] = int64(pick(r, minOf(e), maxOf(e), 0, -1, r.IntN(200)-100, r.IntN(1<<16)-1<<15))
		}
		th := randomThresholds(r, x)
		y := thresholded(x, th)
		p, err := NewThreshold(set, a, e, b, th)
		if err != nil {
			t.Fatal(err)
		}
		if err := same(b, Bit, run(t, p, b, Bit, encode(a, e, x), 2), y); err != nil {
			t.Fatalf("case %d %v: %v", i, e, err)
		}
	}
}

func TestLayouts(t *testing.T) { eachISA(t, checkLayouts) }

func checkLayouts(t *testing.T, set *Set) {
	for i := range cases(120) {
		r := rng(uint64(i))
		x, a, b := randomMaps(r, uint64(i))
		e := Elem(i % 5)
		span := 1 << 8
		if e >= I16 {
			span = 1 << 16
		}
		raw := make([]byte, len(x.v))
		for j := range x.v {
			x.v[j] = int64(minOf(e) + r.IntN(span))
			if e == Bit {
				x.v[j] = int64(r.IntN(2))
			}
			raw[j] = byte(x.v[j])
		}
		src := encode(a, e, x)
		p, err := NewRelayout(set, a, b, e)
		if err != nil {
			t.Fatal(err)
		}
		if err := same(b, e, run(t, p, b, e, src, 3), x); err != nil {
			t.Fatalf("case %d relayout of %v: %v\n%+v\n%+v", i, e, err, a, b)
		}
		if e == U8 {
			p, err := NewLoad(set, a)
			if err != nil {
				t.Fatal(err)
			}
			dst, ok := aligned(a.Bytes(U8))
			for part := range 3 {
				p.Run(0, part, 3, dst, raw)
			}
			if err := ok(); err != nil {
				t.Fatal(err)
			}
			if err := same(a, U8, dst, x); err != nil {
				t.Fatalf("case %d load: %v\n%+v", i, err, a)
			}
		}
		if e == Bit {
			p, err := NewPack(a)
			if err != nil {
				t.Fatal(err)
			}
			dst, ok := aligned(a.Bytes(Bit))
			back := make([]byte, len(raw))
			for part := range 2 {
				p.Run(part, 2, dst, raw, i%2 == 0)
				p.Unpack(part, 2, back, src)
			}
			if err := ok(); err != nil {
				t.Fatal(err)
			}
			if err := same(a, Bit, dst, x); err != nil {
				t.Fatalf("case %d pack: %v", i, err)
			}
			other := make([]byte, len(raw)) // any byte but 0; below 0 for signs
			for j, v := range raw {
				if other[j] = byte(r.IntN(255) + 1); i%2 == 0 {
					other[j] = 128 + byte(r.IntN(129))
				}
				if v != 0 && i%2 == 0 {
					other[j] = 1 + byte(r.IntN(127))
				} else if v == 0 && i%2 > 0 {
					other[j] = 0
				}
			}
			p.Run(0, 1, dst, other, i%2 == 0)
			if err := same(a, Bit, dst, x); err != nil {
				t.Fatalf("case %d pack of other bytes: %v", i, err)
			}
			if !bytes.Equal(back, raw) {
				t.Fatalf("case %d: unpack", i)
			}
		}
	}
}

func TestGeom(t *testing.T) {
	ok := Geom{C: 9, T: 3, H: 5, W: 7, HT: 1, HH: 1, HW: 1, PT: 1, PH: 2, PW: 2}
	if err := ok.Check(Bit); err != nil {
		t.Fatal(err)
	}
	if got, want := [...]int{ok.Pitch(), ok.Frame(), ok.PlaneStride(), ok.Lead(), ok.Tail(), ok.Planes(Bit), ok.Planes(I16), ok.Bytes(Bit)}, [...]int{5, 20, 128, 64, 128, 8, 36, 64 + 8*128 + 128}; got != want {
		t.Errorf("sizes %v, want %v", got, want)
	}
	if off, bit := ok.Index(Bit, 8, 2, 3, 4); off != 64+(1*4+2)*128+2*20+1*5+2 || bit != 0 {
		t.Errorf("index %d bit %d", off, bit)
	}
	bad := []func(*Geom){
		func(g *Geom) { g.C = 0 }, func(g *Geom) { g.T = -1 }, func(g *Geom) { g.W = 1<<20 + 1 }, func(g *Geom) { g.HH = -1 },
		func(g *Geom) { g.PW = 0 }, func(g *Geom) { g.PT = 65 }, func(g *Geom) { g.H = math.MaxInt }, func(g *Geom) { g.HT = math.MinInt },
		func(g *Geom) { g.C, g.T, g.H, g.W = 1<<20, 1<<20, 1<<20, 1<<20 },
		func(g *Geom) { g.HT, g.HH, g.HW, g.PT, g.PH, g.PW = 1<<20, 1<<20, 1<<20, 64, 64, 64 },
		func(g *Geom) { g.T, g.H, g.W = 1<<10, 1<<10, 1<<10 },
	}
	for i, f := range bad {
		g := ok
		if f(&g); g.Check(I32) == nil {
			t.Errorf("case %d: %+v passed", i, g)
		}
	}
	if ok.Check(Elem(9)) == nil {
		t.Error("an unknown element type passed")
	}
}

// Every plan refuses what does not fit, and says why.
func TestValidation(t *testing.T) {
	s := Select(Generic)
	in := Geom{C: 8, T: 2, H: 4, W: 4, HT: 1, HH: 1, HW: 1, PT: 1, PH: 1, PW: 1}
	out := in
	one := [3]int{1, 1, 1}
	c := Conv{OutC: 8, Groups: 1, Kernel: [3]int{3, 3, 3}, Stride: one, Pad: one, Dil: one}
	w := Weights{Sign: make([]byte, 8*27)}
	th := &Threshold{T: make([]int32, 8)}
	r8 := make([]int32, 8)
	wide := []int32{0, 0, 0, 0, 0, 0, 0, 70000}
	bit := func(f func(in, out *Geom, c *Conv, w *Weights, th *Threshold)) error {
		i, o, cc, ww, tt := in, out, c, w, *th
		f(&i, &o, &cc, &ww, &tt)
		_, err := NewBitConv(s, i, o, cc, false, ww, &tt, Bit)
		return err
	}
	if err := bit(func(in, out *Geom, c *Conv, w *Weights, th *Threshold) {}); err != nil {
		t.Fatal(err)
	}
	second := func(_ any, err error) error { return err }
	for _, tc := range []struct {
		want string
		err  error
	}{
		{"halo is 0", bit(func(in, out *Geom, c *Conv, w *Weights, th *Threshold) { in.HT = 0 })},
		{"halo is 0", bit(func(in, out *Geom, c *Conv, w *Weights, th *Threshold) { in.HW = 0 })},
		{"along h", bit(func(in, out *Geom, c *Conv, w *Weights, th *Threshold) { out.H = 9 })},
		{"thresholds for", bit(func(in, out *Geom, c *Conv, w *Weights, th *Threshold) { th.T = th.T[:7] })},
		{"flip bytes", bit(func(in, out *Geom, c *Conv, w *Weights, th *Threshold) { th.Flip = []byte{} })},
		{"expected 216 for 1728", bit(func(in, out *Geom, c *Conv, w *Weights, th *Threshold) { w.Sign = w.Sign[:215] })},
		{"expected 216 for 1728", bit(func(in, out *Geom, c *Conv, w *Weights, th *Threshold) { w.Nonzero = []byte{1} })},
		{"groups", bit(func(in, out *Geom, c *Conv, w *Weights, th *Threshold) { c.Groups = 3 })},
		{"groups", bit(func(in, out *Geom, c *Conv, w *Weights, th *Threshold) { c.Groups = 0 })},
		{"output channels", bit(func(in, out *Geom, c *Conv, w *Weights, th *Threshold) { c.OutC = 9 })},
		{"stride 0", bit(func(in, out *Geom, c *Conv, w *Weights, th *Threshold) { c.Stride[1] = 0 })},
		{"dilation", bit(func(in, out *Geom, c *Conv, w *Weights, th *Threshold) { c.Dil[1] = math.MaxInt })},
		{"padding", bit(func(in, out *Geom, c *Conv, w *Weights, th *Threshold) { c.Pad[1] = math.MinInt })},
		{"kernel", bit(func(in, out *Geom, c *Conv, w *Weights, th *Threshold) { c.Kernel = [3]int{1 << 20, 1 << 20, 1 << 20} })},
		{"kernel", bit(func(in, out *Geom, c *Conv, w *Weights, th *Threshold) { c.Kernel[2] = 0 })},
		{"input", bit(func(in, out *Geom, c *Conv, w *Weights, th *Threshold) { in.T = 0 })},
		{"output", bit(func(in, out *Geom, c *Conv, w *Weights, th *Threshold) { out.PW = 0 })},
		{"Set", second(NewBitConv(nil, in, out, c, false, w, th, Bit))},
		{"expected i8", second(NewBitConv(s, in, out, c, false, w, nil, U8))},
		{"more than i8", second(NewBitConv(s, in, out, c, false, w, nil, I8))},
		{"integer convolution of bit", second(NewIntConv(s, in, Bit, out, c, w, I16, r8, r8, th, Bit))},
		{"sums in u8", second(NewIntConv(s, in, U8, out, c, w, U8, r8, r8, th, Bit))},
		{"ranges of", second(NewIntConv(s, in, U8, out, c, w, I16, r8[:3], r8, th, Bit))},
		{"empty range", second(NewIntConv(s, in, U8, out, c, w, I16, wide, r8, th, Bit))},
		{"i32 sums", second(NewIntConv(s, in, U8, out, c, w, I16, r8, wide, th, Bit))},
		{"more than i16", second(NewIntConv(s, in, U8, out, c, w, I32, r8, wide, nil, I16))},
		{"expected i16", second(NewThreshold(s, in, U8, out, th))},
		{"unknown gate", second(NewGate(s, 99, in))},
		{"differ in shape", second(NewRelayout(s, in, Geom{C: 8, T: 2, H: 4, W: 5, PT: 1, PH: 1, PW: 1}, Bit))},
		{"pool of 8", second(NewPool(s, in, Geom{C: 9, T: 2, H: 4, W: 4, PT: 1, PH: 1, PW: 1}, false, one, one, [3]int{}, one))},
	} {
		if tc.err == nil || !strings.Contains(tc.err.Error(), tc.want) {
			t.Errorf("error %v, expected one with %q", tc.err, tc.want)
		}
	}
}

// Run neither allocates nor races: the parts of a stage run at once here, for the race detector.
func TestRunParts(t *testing.T) { eachISA(t, checkRunParts) }

func checkRunParts(t *testing.T, s *Set) {
	in := Geom{C: 16, T: 4, H: 9, W: 40, HT: 1, HH: 1, HW: 1, PT: 1, PH: 1, PW: 1}
	split := in
	split.PH, split.PW = 2, 2
	half := Geom{C: 16, T: 4, H: 5, W: 20, HT: 1, HH: 1, HW: 1, PT: 1, PH: 1, PW: 1}
	one, two, three := [3]int{1, 1, 1}, [3]int{1, 2, 2}, [3]int{3, 3, 3}
	c := Conv{OutC: 16, Groups: 2, Kernel: three, Stride: one, Pad: one, Dil: one}
	down := c
	down.Stride = two
	w := Weights{Sign: bitsOf(func(i int) bool { return bits.OnesCount(uint(i))%2 == 0 }, 16*8*27)}
	th := &Threshold{T: make([]int32, 16)}
	lo, hi := make([]int32, 16), make([]int32, 16)
	for i := range lo {
		lo[i], hi[i] = -216*4, 216*4
	}
	type plan struct {
		p    staged
		dst  int
		src  int
		name string
	}
	var plans []plan
	add := func(name string, p staged, err error, o Geom, oe Elem, i Geom, ie Elem) {
		if err != nil {
			t.Fatal(err)
		}
		plans = append(plans, plan{p, o.Bytes(oe), i.Bytes(ie), name})
	}
	bc, err := NewBitConv(s, in, in, c, true, w, th, Bit)
	add("bit signed", bc, err, in, Bit, in, Bit)
	bc, err = NewBitConv(s, split, half, down, false, w, th, Bit)
	add("bit stride", bc, err, half, Bit, split, Bit)
	bc, err = NewBitConv(s, in, half, down, false, w, nil, I16)
	add("bit int", bc, err, half, I16, in, Bit)
	ic, err := NewIntConv(s, in, I16, in, c, w, I16, lo, hi, th, Bit)
	add("int bits", ic, err, in, Bit, in, I16)
	ic, err = NewIntConv(s, in, I8, half, down, w, I16, lo, hi, nil, I32)
	add("int i32", ic, err, half, I32, in, I8)
	po, err := NewPool(s, in, half, true, three, two, one, one)
	add("pool", po, err, half, Bit, in, Bit)
	tm, err := NewThreshold(s, in, I16, split, th)
	add("threshold", tm, err, split, Bit, in, I16)
	re, err := NewRelayout(s, in, split, Bit)
	add("relayout", re, err, split, Bit, in, Bit)
	for _, p := range plans {
		dst, _ := aligned(p.dst)
		src, _ := aligned(p.src)
		clear(src)
		const parts = 3
		scratch, _ := aligned(p.p.Scratch(parts))
		serial := func() {
			for st := range p.p.Stages() {
				for i := range parts {
					p.p.Run(st, i, parts, dst, src, scratch)
				}
			}
		}
		if n := testing.AllocsPerRun(3, serial); n != 0 {
			t.Errorf("%s: %v allocations a run", p.name, n)
		}
		want := bytes.Clone(dst)
		for st := range p.p.Stages() {
			var wg sync.WaitGroup
			for i := range parts {
				wg.Go(func() { p.p.Run(st, i, parts, dst, src, scratch) })
			}
			wg.Wait()
		}
		if !bytes.Equal(dst, want) {
			t.Errorf("%s: concurrent parts differ from serial ones", p.name)
		}
	}
	gate, _ := NewGate(s, SelOr, in)
	count, _ := NewCount(s, in, true)
	a, _ := aligned(in.Bytes(Bit))
	sel, n := make([]byte, 2), make([]int32, count.Len())
	if got := testing.AllocsPerRun(3, func() {
		gate.Run(0, 0, 1, a, a, a, sel)
		count.Run(0, 0, 1, n, a)
	}); got != 0 {
		t.Errorf("gate and count: %v allocations a run", got)
	}
}
