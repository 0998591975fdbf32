package kernels

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"
	"unsafe"
)

// dense is a logical map [C][T][H][W].
type dense struct {
	c, t, h, w int
	v          []int64
}

func newDense(c, t, h, w int) *dense { return &dense{c, t, h, w, make([]int64, c*t*h*w)} }

// at is 0 outside the map.
func (d *dense) at(c, t, h, w int) int64 {
	if t < 0 || t >= d.t || h < 0 || h >= d.h || w < 0 || w >= d.w {
		return 0
	}
	return d.v[((c*d.t+t)*d.h+h)*d.w+w]
}

func (d *dense) index(c, t, h, w int) int { return ((c*d.t+t)*d.h+h)*d.w + w }

const guard = 192

// aligned returns n bytes at a multiple of 64 with guard bytes around them, and a function that reports whether these
// still hold what they held.
func aligned(n int) (b []byte, intact func() error) {
	const canary = 0xA5
	raw := make([]byte, n+2*guard+64)
	for i := range raw {
		raw[i] = canary
	}
	off := guard + int(-(uintptr(unsafe.Pointer(&raw[0]))+guard)&63)
	b = raw[off : off+n : off+n]
	return b, func() error {
		for i, x := range raw {
			if (i < off || i >= off+n) && x != canary {
				return fmt.Errorf("byte %d outside a buffer of %d was overwritten with %#x", i-off, n, x)
			}
		}
		return nil
	}
}

// encode lays d out; bits are nonzero values.
func encode(g Geom, e Elem, d *dense) []byte {
	b, _ := aligned(g.Bytes(e))
	clear(b)
	for c := range d.c {
		for t := range d.t {
			for h := range d.h {
				for w := range d.w {
					off, bit := g.Index(e, c, t, h, w)
					v := d.at(c, t, h, w)
					switch e {
					case Bit:
						if v > 0 {
							b[off] |= 1 << bit
						}
					case U8, I8:
						b[off] = byte(v)
					case I16:
						view16(b[off:])[0] = int16(v)
					default:
						view32(b[off:])[0] = int32(v)
					}
				}
			}
		}
	}
	return b
}

// same reports the first difference between a buffer and the encoding of want, zeros around it included.
func same(g Geom, e Elem, got []byte, want *dense) error {
	exp := encode(g, e, want)
	if bytes.Equal(got, exp) {
		return nil
	}
	for c := range want.c {
		for t := range want.t {
			for h := range want.h {
				for w := range want.w {
					off, _ := g.Index(e, c, t, h, w)
					if !bytes.Equal(got[off:off+e.Size()], exp[off:off+e.Size()]) {
						return fmt.Errorf("at c=%d t=%d h=%d w=%d: got % x, want % x", c, t, h, w, got[off:off+e.Size()], exp[off:off+e.Size()])
					}
				}
			}
		}
	}
	for i := range exp {
		if got[i] != exp[i] {
			return fmt.Errorf("byte %d of %d outside the logical map is %#x (lead %d, plane stride %d)", i, len(exp), got[i], g.Lead()*e.Size(), g.PlaneStride()*e.Size())
		}
	}
	return nil
}

type staged interface {
	Stages() int
	Scratch(parts int) int
	Run(stage, part, parts int, dst, src, scratch []byte)
}

// run runs a plan with dirty output and scratch, in a number of parts, and checks the guards.
func run(t testing.TB, p staged, g Geom, e Elem, src []byte, parts int) []byte {
	t.Helper()
	dst, ok1 := aligned(g.Bytes(e))
	scratch, ok2 := aligned(p.Scratch(parts))
	before := bytes.Clone(src)
	for s := range p.Stages() {
		for i := parts - 1; i >= 0; i-- {
			p.Run(s, i, parts, dst, src, scratch)
		}
	}
	for _, ok := range []func() error{ok1, ok2} {
		if err := ok(); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(src, before) {
		t.Fatal("the input was written to")
	}
	return dst
}

// eachISA runs f for every instruction set; those that are missing here skip.
func eachISA(t *testing.T, f func(t *testing.T, s *Set)) {
	for _, isa := range ISAs() {
		t.Run(isa.String(), func(t *testing.T) {
			if !Available(isa) {
				t.Skipf("%v is not available on this machine or in this build", isa)
			}
			f(t, Select(isa))
		})
	}
}

// cases is the number of random cases of a test; a quarter of it with -short.
func cases(n int) int {
	if testing.Short() {
		return n / 4
	}
	return n
}

func rng(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 17)) }

// randomGeom draws the layout of a map.
func randomGeom(r *rand.Rand, c, t, h, w int, phases [3]int) Geom {
	return Geom{C: c, T: t, H: h, W: w, HT: r.IntN(3), HH: r.IntN(3), HW: r.IntN(4), PT: phases[0], PH: phases[1], PW: phases[2]}
}

func pick[T any](r *rand.Rand, v ...T) T { return v[r.IntN(len(v))] }

func bitsOf(f func(i int) bool, n int) []byte {
	b := make([]byte, (n+7)/8)
	for i := range n {
		if f(i) {
			b[i/8] |= 1 << (i % 8)
		}
	}
	return b
}

// convolve is the reference: z = sum over taps inside the map of w*x.
func convolve(x *dense, c Conv, w Weights, out [3]int) *dense {
	icg, ocg := x.c/c.Groups, c.OutC/c.Groups
	z := newDense(c.OutC, out[0], out[1], out[2])
	for o := range c.OutC {
		for t := range out[0] {
			for h := range out[1] {
				for ww := range out[2] {
					var s int64
					i := o * icg * c.Kernel[0] * c.Kernel[1] * c.Kernel[2]
					for ci := range icg {
						for kt := range c.Kernel[0] {
							for kh := range c.Kernel[1] {
								for kw := range c.Kernel[2] {
									v := x.at(o/ocg*icg+ci, t*c.Stride[0]+kt*c.Dil[0]-c.Pad[0], h*c.Stride[1]+kh*c.Dil[1]-c.Pad[1], ww*c.Stride[2]+kw*c.Dil[2]-c.Pad[2])
									if w.nonzero(i) {
										if w.sign(i) {
											s += v
										} else {
											s -= v
										}
									}
									i++
								}
							}
						}
					}
					z.v[z.index(o, t, h, ww)] = s
				}
			}
		}
	}
	return z
}

func thresholded(z *dense, th *Threshold) *dense {
	y := newDense(z.c, z.t, z.h, z.w)
	n := z.t * z.h * z.w
	for i, v := range z.v {
		if (v >= int64(th.T[i/n])) != th.flip(i/n) {
			y.v[i] = 1
		}
	}
	return y
}

// randomThresholds draws thresholds in, at the ends of and far outside the range of z.
func randomThresholds(r *rand.Rand, z *dense) *Threshold {
	th := &Threshold{T: make([]int32, z.c)}
	n := z.t * z.h * z.w
	for o := range th.T {
		zo := z.v[o*n : (o+1)*n]
		switch r.IntN(8) {
		case 0:
			th.T[o] = -1 << 31
		case 1:
			th.T[o] = 1<<31 - 1
		case 2:
			th.T[o] = int32(zo[r.IntN(n)]) + 1
		default:
			th.T[o] = int32(zo[r.IntN(n)])
		}
	}
	if r.IntN(4) > 0 {
		th.Flip = bitsOf(func(int) bool { return r.IntN(2) == 0 }, z.c)
	}
	return th
}

// convCase is a random convolution with its maps; the input's halo always suffices.
type convCase struct {
	c       Conv
	x       *dense
	in, out Geom
	w       Weights
}

type convShape struct{ icg, ocg, groups int }

func randomConv(r *rand.Rand, sh convShape, small bool) convCase {
	var cc convCase
	c := &cc.c
	c.OutC, c.Groups = sh.ocg*sh.groups, sh.groups
	var in, out, inP, outP [3]int
	for a := range 3 {
		c.Kernel[a] = pick(r, 1, 1, 2, 3, 3)
		if small {
			c.Kernel[a] = pick(r, 1, 1, 1, 2, 3)
		}
		c.Stride[a] = pick(r, 1, 1, 1, 2, 3)
		c.Dil[a] = pick(r, 1, 1, 1, 2)
		out[a] = pick(r, 1, 2, 3, 4, 5, 7)
		if a == 2 {
			out[a] = pick(r, 1, 3, 16, 17, 40, 64, 70, 130)
		}
		if small {
			out[a] = 1 + r.IntN(out[a]+1)/2
		}
		c.Pad[a] = r.IntN(min(3, c.Kernel[a]*c.Dil[a]))
		after := r.IntN(min(3, c.Kernel[a]*c.Dil[a]))
		in[a] = (out[a]-1)*c.Stride[a] + (c.Kernel[a]-1)*c.Dil[a] + 1 - c.Pad[a] - after + r.IntN(2)
		in[a] = max(in[a], 1)
		outP[a] = pick(r, 1, 1, 1, 2)
		inP[a] = c.Stride[a] * outP[a]
		if r.IntN(5) == 0 {
			inP[a] = 1 + r.IntN(3)
		}
	}
	icg := sh.icg
	cc.x = newDense(icg*sh.groups, in[0], in[1], in[2])
	cc.in = randomGeom(r, cc.x.c, in[0], in[1], in[2], inP)
	cc.out = randomGeom(r, c.OutC, out[0], out[1], out[2], outP)
	if tp, direct, err := newTaps(cc.in, cc.out, c.Kernel, c.Stride, c.Pad, c.Dil); err == nil && direct {
		cc.in.HT, cc.in.HH, cc.in.HW = max(cc.in.HT, tp.need[0]), max(cc.in.HH, tp.need[1]), max(cc.in.HW, tp.need[2])
		if r.IntN(2) == 0 { // make pitch and frame agree
			_, hi, wi := cc.in.Stored()
			_, ho, wo := cc.out.Stored()
			pitch, rows := max(wi+cc.in.HW, wo+cc.out.HW), max(hi+cc.in.HH, ho+cc.out.HH)
			cc.in.HW, cc.out.HW, cc.in.HH, cc.out.HH = pitch-wi, pitch-wo, rows-hi, rows-ho
		}
	}
	n := c.OutC * icg * c.Kernel[0] * c.Kernel[1] * c.Kernel[2]
	switch r.IntN(8) {
	case 0:
		cc.w.Sign = bitsOf(func(int) bool { return true }, n)
	case 1:
		cc.w.Sign = bitsOf(func(int) bool { return false }, n)
	default:
		cc.w.Sign = bitsOf(func(int) bool { return r.IntN(2) == 0 }, n)
	}
	switch r.IntN(6) {
	case 0:
		cc.w.Nonzero = bitsOf(func(int) bool { return r.IntN(3) > 0 }, n)
	case 1:
		cc.w.Nonzero = bitsOf(func(int) bool { return true }, n)
	}
	return cc
}

func (cc *convCase) String() string {
	return fmt.Sprintf("%+v\n in %+v\nout %+v, ternary %v", cc.c, cc.in, cc.out, cc.w.Nonzero != nil)
}

var convShapes = []convShape{{8, 8, 1}, {8, 8, 3}, {1, 1, 13}, {4, 4, 4}, {16, 8, 2}, {3, 5, 1}, {5, 3, 3}, {12, 4, 2}, {2, 12, 3}, {24, 9, 1}, {64, 16, 1}, {1, 3, 9}, {8, 4, 4}, {8, 12, 2}, {16, 20, 1}}
