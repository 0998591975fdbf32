package kernels

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

// dotCase is a convolution with its operands and sums.
type dotCase struct {
	s      DotShape
	x      []byte
	signed bool
	zero   int32
	w      []int16
	z      []int32
}

func randomDot(r *rand.Rand) *dotCase {
	c := &dotCase{signed: r.IntN(2) == 0}
	s := &c.s
	s.Batch, s.Groups = 1+r.IntN(2), pick(r, 1, 1, 2, 3, 9)
	inC, outC := pick(r, 1, 2, 3, 4, 7, 16), pick(r, 1, 1, 2, 3, 5, 8, 67)
	s.In, s.Out = s.Groups*inC, s.Groups*outC
	for a := range 3 {
		s.Kernel[a], s.Stride[a], s.Dil[a] = 1+r.IntN(3), 1+r.IntN(3), 1+r.IntN(2)
		if a == 2 && r.IntN(2) == 0 {
			s.Kernel[a], s.Stride[a], s.Dil[a] = 1+r.IntN(7), 1+r.IntN(2), 1+r.IntN(4)
		}
		if r.IntN(3) == 0 {
			s.Kernel[a], s.Stride[a], s.Dil[a] = 1, 1, 1
		}
		span := (s.Kernel[a]-1)*s.Dil[a] + 1
		s.Pad[a] = r.IntN(span + 1)
		after := r.IntN(span + 1)
		s.Size[a] = pick(r, 1, 2, 3, 5, 9)
		if a == 2 {
			s.Size[a] = pick(r, 1, 2, 3, 7, 14, 33, 70, 300)
		}
		s.Size[a] = max(s.Size[a], span-s.Pad[a]-after)
		s.Result[a] = (s.Size[a]+s.Pad[a]+after-span)/s.Stride[a] + 1
	}
	if one := [3]int{1, 1, 1}; r.IntN(8) == 0 { // a matrix product
		s.Batch, s.Groups, s.In, s.Out, s.Size, s.Result, s.Kernel, s.Pad = 1+r.IntN(9), 1, inC, outC, one, one, one, [3]int{}
	}
	if r.IntN(8) == 0 { // one element, and padding around it
		for a := range 3 {
			s.Size[a], s.Kernel[a], s.Stride[a], s.Dil[a] = 1, 1, 1, 1
			s.Pad[a] = r.IntN(2)
			s.Result[a] = 1 + s.Pad[a] + r.IntN(2)
		}
	}
	if s.Batch*s.Out*inC*product3(s.Result)*product3(s.Kernel) > 1<<18 {
		return randomDot(r) // the reference is slow
	}
	c.x = make([]byte, s.Batch*s.In*product3(s.Size))
	density := pick(r, 0, 50, 100)
	for i := range c.x {
		c.x[i] = byte(r.IntN(256))
		if r.IntN(100) < density {
			c.x[i] = byte(pick(r, 0, 127, 128, 255))
		}
	}
	c.zero = int32(pick(r, 0, r.IntN(256), 255))
	if c.signed {
		c.zero -= 128
	}
	lo, hi := -128, 127
	switch r.IntN(6) {
	case 0:
		lo, hi = -256, 254
	case 1:
		lo, hi = -8, 7
	case 2:
		lo, hi = -1, 1
	case 3:
		lo, hi = -32, 32
	}
	c.w = make([]int16, s.Out*inC*product3(s.Kernel))
	for i := range c.w {
		c.w[i] = int16(pick(r, lo, hi, lo+r.IntN(hi-lo+1)))
	}
	c.z = c.sums()
	return c
}

func (c *dotCase) at(i int) int32 {
	if c.signed {
		return int32(int8(c.x[i]))
	}
	return int32(c.x[i])
}

// sums is the equation of Dot.
func (c *dotCase) sums() []int32 {
	s := &c.s
	inC, outC := s.In/s.Groups, s.Out/s.Groups
	var z []int32
	for n := range s.Batch {
		for o := range s.Out {
			for p := range product3(s.Result) {
				at := [3]int{p / (s.Result[1] * s.Result[2]), p / s.Result[2] % s.Result[1], p % s.Result[2]}
				var sum int32
				for i := range inC {
					for k := range product3(s.Kernel) {
						tap := [3]int{k / (s.Kernel[1] * s.Kernel[2]), k / s.Kernel[2] % s.Kernel[1], k % s.Kernel[2]}
						j, inside := n*s.In+o/outC*inC+i, true
						for a := range 3 {
							q := at[a]*s.Stride[a] + tap[a]*s.Dil[a] - s.Pad[a]
							inside = inside && q >= 0 && q < s.Size[a]
							j = j*s.Size[a] + q
						}
						if inside {
							sum += int32(c.w[(o*inC+i)*product3(s.Kernel)+k]) * (c.at(j) - c.zero)
						}
					}
				}
				z = append(z, sum)
			}
		}
	}
	return z
}

// rows is a plan that leaves its sums as rows.
type rows interface {
	Stages() int
	Scratch(parts int) int
	Load(part, parts int, src, scratch []byte)
	Units() int
	Blocks() int
	Block(r *DotBlock, u, b, part int, src, scratch []byte)
}

// run computes the sums with a plan.
func (c *dotCase) run(d *Dot, parts int) ([]int32, error) { return sumsOf(d, &c.s, c.x, parts) }

// sumsOf computes the sums with a plan; every one must be written once.
func sumsOf(d rows, s *DotShape, x []byte, parts int) ([]int32, error) {
	n := product3(s.Result)
	z, seen := make([]int32, s.Batch*s.Out*n), make([]bool, s.Batch*s.Out*n)
	scratch, intact := aligned(d.Scratch(parts))
	if d.Stages() == 2 {
		for part := range parts {
			d.Load(part, parts, x, scratch)
		}
	}
	var b DotBlock
	for part := range parts {
		lo, hi := share(d.Units(), part, parts)
		for u := lo; u < hi; u++ {
			for i := range d.Blocks() {
				d.Block(&b, u, i, part, x, scratch)
				for r := range b.Rows {
					for j, v := range b.Z[r] {
						at, channel := b.At[r]+j*b.Step, b.Channel[r]
						if b.Along {
							channel += j
						} else {
							channel += j / n
						}
						if seen[at] || at/n%s.Out != channel {
							return nil, fmt.Errorf("element %d is written again, or as channel %d", at, channel)
						}
						z[at], seen[at] = v, true
					}
				}
			}
		}
	}
	for i, yes := range seen {
		if !yes {
			return nil, fmt.Errorf("element %d is not written", i)
		}
	}
	return z, intact()
}

func TestDot(t *testing.T) { eachISA(t, checkDot) }

func checkDot(t *testing.T, set *Set) {
	for i := range cases(400) {
		r := rng(uint64(i))
		c := randomDot(r)
		d, err := NewDot(set, c.s, c.w, c.signed, c.zero)
		if err != nil {
			t.Fatalf("case %d: %v", i, err)
		}
		z, err := c.run(d, 1+i%3)
		if err != nil {
			t.Fatalf("case %d way %d %+v: %v", i, d.way, c.s, err)
		}
		for j, v := range z {
			if v != c.z[j] {
				t.Fatalf("case %d way %d signed %v zero %d %+v: element %d is %d, want %d", i, d.way, c.signed, c.zero, c.s, j, v, c.z[j])
			}
		}
	}
}

// Long sums: beyond what the halves of a word hold at a time in the portable kernels.
func TestDotLong(t *testing.T) {
	eachISA(t, func(t *testing.T, set *Set) {
		for _, width := range []int{1, 20} {
			one := [3]int{1, 1, 1}
			s := DotShape{Batch: 1, Groups: 1, In: 4*dotRun + 5, Out: 1, Size: [3]int{1, 1, width}, Result: [3]int{1, 1, width}, Kernel: one, Stride: one, Dil: one}
			c := &dotCase{s: s, x: make([]byte, s.In*width), w: make([]int16, s.In)}
			for i := range c.x {
				c.x[i] = 255
			}
			for i := range c.w {
				c.w[i] = 127
			}
			c.z = c.sums()
			d, err := NewDot(set, c.s, c.w, false, 0)
			if err != nil {
				t.Fatal(err)
			}
			z, err := c.run(d, 1)
			if err != nil || z[0] != c.z[0] {
				t.Fatalf("width %d: %d, want %d, %v", width, z[0], c.z[0], err)
			}
		}
	})
}

func TestDotFew(t *testing.T) { eachISA(t, checkDotFew) }

// Sums of 16 bits as large as they may become: all bytes are 255, and the weights of every run add up to the most.
func checkDotFew(t *testing.T, set *Set) {
	one := [3]int{1, 1, 1}
	for i, size := range []int{1, 5, 40, 300} {
		for _, most := range []int{1, 2, 7, 32, -32, -7, -1} {
			s := DotShape{Batch: 1, Groups: 1, In: 4*fewMost + 6, Out: 70, Size: [3]int{1, 1, size}, Result: [3]int{1, 1, size}, Kernel: one, Stride: one, Dil: one}
			c := &dotCase{s: s, x: make([]byte, s.In*size), w: make([]int16, s.Out*s.In)}
			for j := range c.x {
				c.x[j] = 255
			}
			for j := range c.w {
				c.w[j] = int16(most)
				if i%2 == 1 && j%7 == 0 {
					c.w[j] = 0
				}
			}
			c.z = c.sums()
			d, err := NewDot(set, c.s, c.w, false, 0)
			if err != nil {
				t.Fatal(err)
			}
			if d.few == 0 {
				t.Fatalf("weights of %d: not the kernels for few bits", most)
			}
			z, err := c.run(d, 1+i%3)
			if err != nil {
				t.Fatal(err)
			}
			for j, v := range z {
				if v != c.z[j] {
					t.Fatalf("weights of %d at %d positions: element %d is %d, want %d", most, size, j, v, c.z[j])
				}
			}
		}
	}
}

// The run is the longest of which no as many terms exceed what 16 bits hold, by trying all.
func TestRunOf(t *testing.T) {
	for i := range cases(200) {
		r := rng(uint64(i))
		const outs = 3
		w, most := make([]int8, 4*outs*(1+r.IntN(30))), pick(r, 1, 7, 40, 128)
		for j := range w {
			w[j] = int8(max(-128, min(127, r.IntN(2*most+1)-most)))
		}
		terms := len(w) / (4 * outs)
		fits := func(run int) bool {
			for first := range terms - run + 1 {
				for pair := range 2 * outs {
					var sum [2]int
					for term := first; term < first+run; term++ {
						for _, v := range w[4*outs*term+2*pair:][:2] {
							sum[0], sum[1] = sum[0]+int(max(v, 0)), sum[1]+max(0, -int(v))
						}
					}
					if max(sum[0], sum[1])*255 > 1<<15-1 {
						return false
					}
				}
			}
			return true
		}
		want := 0
		for want < terms && fits(want+1) {
			want++
		}
		if got := runOf([][]int8{w}, outs); got != want {
			t.Fatalf("case %d: a run of %d, want %d: %v", i, got, want, w)
		}
	}
}

func TestDotRejects(t *testing.T) {
	one := [3]int{1, 1, 1}
	good := DotShape{Batch: 1, Groups: 1, In: 1, Out: 1, Size: one, Result: one, Kernel: one, Stride: one, Dil: one}
	for name, f := range map[string]func(s *DotShape, w []int16, zero *int32){
		"groups":  func(s *DotShape, _ []int16, _ *int32) { s.Groups = 2 },
		"kernel":  func(s *DotShape, _ []int16, _ *int32) { s.Kernel[2] = 2 },
		"stride":  func(s *DotShape, _ []int16, _ *int32) { s.Stride[0] = 0 },
		"weights": func(_ *DotShape, w []int16, _ *int32) { w[0] = 300 },
		"zero":    func(_ *DotShape, _ []int16, zero *int32) { *zero = 256 },
	} {
		s, w, zero := good, []int16{1}, int32(0)
		f(&s, w, &zero)
		if _, err := NewDot(Select(Generic), s, w, false, zero); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func BenchmarkDot(b *testing.B) {
	k1, k3 := [3]int{1, 1, 1}, [3]int{1, 3, 3}
	for _, bc := range []struct {
		name           string
		in, out, group int
		size           [3]int
		kernel         [3]int
		stride         int
		w              int16
	}{
		{"3x3-64x56", 64, 64, 1, [3]int{1, 56, 56}, k3, 1, 100},
		{"3x3-512x7", 512, 512, 1, [3]int{1, 7, 7}, k3, 1, 100},
		{"3x3-128x56-s2", 128, 128, 1, [3]int{1, 56, 56}, k3, 2, 100},
		{"1x1-64x56", 64, 64, 1, [3]int{1, 56, 56}, k1, 1, 100},
		{"depthwise-128x28", 128, 128, 128, [3]int{1, 28, 28}, k3, 1, 100},
		{"linear-1024", 1024, 1024, 1, [3]int{1, 1, 1}, k1, 1, 100},
		{"3x3-64x28-w2", 64, 64, 1, [3]int{1, 28, 28}, k3, 1, 1},
		{"3x3-64x32-w4", 64, 64, 1, [3]int{1, 32, 32}, k3, 1, 7},
		{"3x3-128x32-s2-w4", 128, 128, 1, [3]int{1, 32, 32}, k3, 2, 7},
		{"3x3-256x8-w4", 256, 256, 1, [3]int{1, 8, 8}, k3, 1, 7},
		{"3x3-512x4-w4", 512, 512, 1, [3]int{1, 4, 4}, k3, 1, 7},
		{"linear-1024-w2", 1024, 1024, 1, [3]int{1, 1, 1}, k1, 1, 1},
	} {
		one := [3]int{1, 1, 1}
		s := DotShape{Batch: 1, Groups: bc.group, In: bc.in, Out: bc.out, Size: bc.size, Kernel: bc.kernel, Stride: one, Dil: one}
		for a := range 3 {
			s.Pad[a] = bc.kernel[a] / 2
			if a > 0 && s.Size[a] > 1 {
				s.Stride[a] = bc.stride
			}
			s.Result[a] = ceilDiv(s.Size[a], s.Stride[a])
		}
		w := make([]int16, s.Out*s.In/s.Groups*product3(s.Kernel))
		for i := range w {
			w[i] = bc.w * int16(i%3-1)
		}
		macs := len(w) * product3(s.Result)
		b.Run(bc.name, func(b *testing.B) {
			benchSets(b, func(b *testing.B, set *Set) {
				d, err := NewDot(set, s, w, false, 3)
				if err != nil {
					b.Fatal(err)
				}
				x, _ := aligned(s.In * product3(s.Size))
				scratch, _ := aligned(d.Scratch(1))
				var blk DotBlock
				for b.Loop() {
					d.Load(0, 1, x, scratch)
					for u := range d.Units() {
						for i := range d.Blocks() {
							d.Block(&blk, u, i, 0, x, scratch)
						}
					}
				}
				b.ReportMetric(float64(macs)*float64(b.N)/b.Elapsed().Seconds()/1e9, "GMAC/s")
			})
		})
	}
}
