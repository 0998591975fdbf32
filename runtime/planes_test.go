package runtime

import (
	"math/rand/v2"
	"testing"

	"github.com/billnet/billnet/runtime/billb"
	"github.com/billnet/billnet/runtime/kernels"
)

// geom is a geometry with the given halo and phases (one number for t, h, w).
func geom(c, t, h, w int, halo, phase [3]int) kernels.Geom {
	return kernels.Geom{C: c, T: t, H: h, W: w, HT: halo[0], HH: halo[1], HW: halo[2], PT: phase[0], PH: phase[1], PW: phase[2]}
}

var ones = [3]int{1, 1, 1}

func randGeom(rng *rand.Rand) kernels.Geom {
	r := func(n int) int { return rng.IntN(n) }
	return geom(1+r(19), 1+r(4), 1+r(7), 1+r(9), [3]int{r(2), r(3), r(3)}, [3]int{1 + r(2), 1 + r(2), 1 + r(3)})
}

func TestRelayout(t *testing.T) {
	rng := newRand(1)
	for range 40 {
		for _, e := range []Elem{Bit, SBit, U8, I8, I16, I32} {
			g := randGeom(rng)
			g2 := randGeom(rng)
			g2.C, g2.T, g2.H, g2.W = g.C, g.T, g.H, g.W
			x := randTensor(rng, e, 1, g.C, g.T, g.H, g.W)
			var b builder
			p := b.toPlanes(b.input(x), g)
			q := b.planes(e, g2)
			b.op(billb.OpRelayout, []int{p}, []int{q}, nil)
			b.output(b.fromPlanes(q))
			same(t, "relayout", b.run(t)[0], x)
		}
	}
}

// naiveConv is a convolution [1,C,T,H,W] with [O,C/groups,kt,kh,kw] in exact
// numbers.
func naiveConv(x, w *tensor, out []int, stride, pad, dil [3]int, groups int) *tensor {
	z := newTensor(I32, out...)
	icg, ocg := w.shape[1], out[1]/groups
	walk(out, func(o []int) {
		sum := 0.0
		walk(w.shape[1:], func(k []int) {
			t, h, v := o[2]*stride[0]+k[1]*dil[0]-pad[0], o[3]*stride[1]+k[2]*dil[1]-pad[1], o[4]*stride[2]+k[3]*dil[2]-pad[2]
			if t >= 0 && h >= 0 && v >= 0 && t < x.shape[2] && h < x.shape[3] && v < x.shape[4] {
				sum += *w.at(o[1], k[0], k[1], k[2], k[3]) * *x.at(0, o[1]/ocg*icg+k[0], t, h, v)
			}
		})
		*z.at(o...) = sum
	})
	return z
}

// naiveThreshold is (z >= t[c]) != flip[c] with c on an axis.
func naiveThreshold(z, th, flip *tensor, axis int, e Elem) *tensor {
	y := newTensor(e, z.shape...)
	walk(z.shape, func(i []int) {
		c := i[axis]
		bit := *z.at(i...) >= th.v[min(c, len(th.v)-1)]
		if flip != nil {
			bit = bit != (flip.v[min(c, len(th.v)-1)] == 1)
		}
		*y.at(i...) = 0
		if e == SBit {
			*y.at(i...) = -1
		}
		if bit {
			*y.at(i...) = 1
		}
	})
	return y
}

type convCase struct {
	x           *tensor
	w           *tensor
	in, out     kernels.Geom
	stride, pad [3]int
	dil         [3]int
	groups      int
}

func (c *convCase) ints() []int {
	return []int{c.stride[0], c.stride[1], c.stride[2], c.pad[0], c.pad[1], c.pad[2], c.dil[0], c.dil[1], c.dil[2], c.groups}
}

func randConv(rng *rand.Rand, e, we Elem) *convCase {
	c := &convCase{groups: 1 + rng.IntN(3), dil: [3]int{1, 1 + rng.IntN(2), 1}}
	icg, ocg := 1+rng.IntN(10), 1+rng.IntN(6)
	k := [3]int{1 + rng.IntN(3), 1 + rng.IntN(3), 1 + rng.IntN(3)}
	in := [3]int{3 + rng.IntN(3), 5 + rng.IntN(4), 5 + rng.IntN(9)}
	var out, halo, phase [3]int
	for a := range 3 {
		c.stride[a] = 1 + rng.IntN(2)
		c.pad[a] = rng.IntN(2)
		span := c.dil[a] * (k[a] - 1)
		out[a] = (in[a]+2*c.pad[a]-span-1)/c.stride[a] + 1
		halo[a], phase[a] = 2, c.stride[a]
	}
	c.in = geom(icg*c.groups, in[0], in[1], in[2], halo, phase)
	c.out = geom(ocg*c.groups, out[0], out[1], out[2], [3]int{rng.IntN(2), rng.IntN(2), rng.IntN(2)}, ones)
	c.x = randTensor(rng, e, 1, c.in.C, in[0], in[1], in[2])
	c.w = randTensor(rng, we, c.out.C, icg, k[0], k[1], k[2])
	return c
}

func randThreshold(rng *rand.Rand, n, spread int) (t, flip *tensor) {
	t, flip = newTensor(I32, n), randTensor(rng, Bit, n)
	for i := range t.v {
		t.v[i] = float64(rng.IntN(2*spread+1) - spread)
	}
	return t, flip
}

func TestBConv(t *testing.T) {
	rng := newRand(2)
	for i := range 60 {
		c := randConv(rng, []Elem{Bit, SBit}[i%2], []Elem{SBit, Tern}[i/2%2])
		want := naiveConv(c.x, c.w, []int{1, c.out.C, c.out.T, c.out.H, c.out.W}, c.stride, c.pad, c.dil, c.groups)
		th, flip := randThreshold(rng, c.out.C, 10)
		var b builder
		x := b.toPlanes(b.input(c.x), c.in)
		z, y := b.planes(I16, c.out), b.planes(SBit, c.out)
		w := b.konst(c.w)
		b.op(billb.OpBConv, []int{x}, []int{z}, c.ints(), []int{w})
		b.op(billb.OpBConv, []int{x}, []int{y}, c.ints(), []int{w, b.konst(th), b.konst(flip)})
		b.output(b.fromPlanes(z))
		b.output(b.fromPlanes(y))
		out := b.run(t)
		want.elem = I16
		same(t, "bconv z", out[0], want)
		same(t, "bconv y", out[1], naiveThreshold(want, th, flip, 1, SBit))
	}
}

func TestIConv(t *testing.T) {
	rng := newRand(3)
	for i := range 60 {
		c := randConv(rng, []Elem{U8, I8, I16, I32}[i%4], []Elem{SBit, Tern}[i/4%2])
		for j := range c.x.v { // sums fit 16 bits
			c.x.v[j] = float64(int(c.x.v[j]) % 50)
		}
		want := naiveConv(c.x, c.w, []int{1, c.out.C, c.out.T, c.out.H, c.out.W}, c.stride, c.pad, c.dil, c.groups)
		th, flip := randThreshold(rng, c.out.C, 300)
		lo, hi := newTensor(I32, c.out.C), newTensor(I32, c.out.C)
		for o := range lo.v {
			n := float64(len(c.w.v) / c.out.C)
			lo.v[o], hi.v[o] = max(-50*n, -32768), min(50*n, 32767)
		}
		acc := 16 + i/8%2*16
		e := map[int]Elem{16: I16, 32: I32}[acc]
		var b builder
		x := b.toPlanes(b.input(c.x), c.in)
		z, y := b.planes(e, c.out), b.planes(Bit, c.out)
		w, l, h := b.konst(c.w), b.konst(lo), b.konst(hi)
		b.op(billb.OpIConv, []int{x}, []int{z}, append(c.ints(), acc), []int{w, -1, -1, l, h})
		b.op(billb.OpIConv, []int{x}, []int{y}, append(c.ints(), acc), []int{w, b.konst(th), b.konst(flip), l, h})
		y2 := b.planes(Bit, c.out)
		b.op(billb.OpThreshold, []int{z}, []int{y2}, []int{1}, []int{b.konst(th), b.konst(flip)})
		b.output(b.fromPlanes(z))
		b.output(b.fromPlanes(y))
		b.output(b.fromPlanes(y2))
		out := b.run(t)
		want.elem = e
		same(t, "iconv z", out[0], want)
		same(t, "iconv y", out[1], naiveThreshold(want, th, flip, 1, Bit))
		same(t, "threshold", out[2], naiveThreshold(want, th, flip, 1, Bit))
	}
}

func TestBitPool(t *testing.T) {
	rng := newRand(4)
	for i := range 40 {
		c := randConv(rng, []Elem{Bit, SBit}[i%2], SBit)
		c.out.C = c.in.C
		k := [3]int(c.w.shape[2:])
		for _, op := range []billb.Opcode{billb.OpBitMaxPool, billb.OpBitMinPool} {
			want := newTensor(c.x.elem, 1, c.out.C, c.out.T, c.out.H, c.out.W)
			walk(want.shape, func(o []int) {
				v, any := 0.0, false
				walk(k[:], func(j []int) {
					p := [3]int{}
					for a := range 3 {
						p[a] = o[2+a]*c.stride[a] + j[a]*c.dil[a] - c.pad[a]
						if p[a] < 0 || p[a] >= c.x.shape[2+a] {
							return
						}
					}
					e := *c.x.at(0, o[1], p[0], p[1], p[2])
					if !any || op == billb.OpBitMaxPool && e > v || op == billb.OpBitMinPool && e < v {
						v, any = e, true
					}
				})
				if !any { // the whole window is padding: the neutral element
					v = 1
					if op == billb.OpBitMaxPool {
						v = map[Elem]float64{Bit: 0, SBit: -1}[c.x.elem]
					}
				}
				*want.at(o...) = v
			})
			var b builder
			x := b.toPlanes(b.input(c.x), c.in)
			y := b.planes(c.x.elem, c.out)
			b.op(op, []int{x}, []int{y}, append(k[:], c.ints()[:9]...))
			b.output(b.fromPlanes(y))
			same(t, op.String(), b.run(t)[0], want)
		}
	}
}

// naiveGate computes a gate elementwise; s and the others broadcast.
func naiveGate(e Elem, shape []int, f func(v []bool) bool, xs ...*tensor) *tensor {
	y := newTensor(e, shape...)
	walk(shape, func(i []int) {
		v := make([]bool, len(xs))
		for k, x := range xs {
			o := 0
			for a, d := range x.shape {
				o = o * d
				if d > 1 {
					o += i[len(shape)-len(x.shape)+a]
				}
			}
			v[k] = x.v[o] > 0
		}
		*y.at(i...) = 0
		if e == SBit {
			*y.at(i...) = -1
		}
		if f(v) {
			*y.at(i...) = 1
		}
	})
	return y
}

var gateTable = []struct {
	op billb.Opcode
	n  int
	f  func(v []bool) bool
}{
	{billb.OpBitOr, 2, func(v []bool) bool { return v[0] || v[1] }},
	{billb.OpBitAnd, 2, func(v []bool) bool { return v[0] && v[1] }},
	{billb.OpBitXor, 2, func(v []bool) bool { return v[0] != v[1] }},
	{billb.OpBitNot, 1, func(v []bool) bool { return !v[0] }},
	{billb.OpMux, 3, func(v []bool) bool {
		if v[0] {
			return v[2]
		}
		return v[1]
	}},
	{billb.OpMuxOr, 3, func(v []bool) bool { return v[1] || v[0] && v[2] }},
}

func TestGates(t *testing.T) {
	rng := newRand(5)
	for i := range 30 {
		e := []Elem{Bit, SBit}[i%2]
		g := randGeom(rng)
		shape := []int{1, g.C, g.T, g.H, g.W}
		for _, row := range gateTable {
			for _, vector := range []bool{false, true} {
				for inPlace := range row.n + 1 { // 0: not
					var b builder
					var xs []*tensor
					var ids []int
					for k := range row.n {
						s := shape
						if vector && (row.n == 3 && k == 0 || row.n == 2 && k == 1) {
							s = []int{1, g.C, 1, 1, 1}
						}
						x := randTensor(rng, e, s...)
						xs = append(xs, x)
						id := b.input(x)
						if len(s) == len(shape) && s[2] == shape[2] && &s[0] == &shape[0] {
							id = b.toPlanes(id, g)
						}
						ids = append(ids, id)
					}
					y := b.planes(e, g)
					if inPlace > 0 {
						if !b.img.Buffers[ids[inPlace-1]].Planes {
							continue
						}
						b.img.Buffers[y].Offset = b.img.Buffers[ids[inPlace-1]].Offset
					}
					b.op(row.op, ids, []int{y}, nil)
					b.output(b.fromPlanes(y))
					same(t, row.op.String(), b.run(t)[0], naiveGate(e, shape, row.f, xs...))
				}
			}
		}
	}
}

func TestDenseGates(t *testing.T) {
	rng := newRand(6)
	shapes := [][]int{{2, 3, 4}, {3, 1}, {1, 1, 4}}
	for _, e := range []Elem{Bit, SBit, Bool} {
		for _, row := range gateTable {
			var b builder
			var xs []*tensor
			var ids []int
			for k := range row.n {
				x := randTensor(rng, e, shapes[k]...)
				xs = append(xs, x)
				if k == 1 {
					ids = append(ids, billb.ConstOperand(b.konst(x)))
				} else {
					ids = append(ids, b.input(x))
				}
			}
			y := b.dense(e, 2, 3, 4)
			b.op(row.op, ids, []int{y}, nil)
			b.output(y)
			same(t, row.op.String(), b.run(t)[0], naiveGate(e, shapes[0], row.f, xs...))
		}
	}
}

func TestCount(t *testing.T) {
	rng := newRand(7)
	for i := range 30 {
		g := randGeom(rng)
		x := randTensor(rng, []Elem{Bit, SBit}[i%2], 1, g.C, g.T, g.H, g.W)
		all, ct, tc := newTensor(I32, 1, g.C, 1, 1, 1), newTensor(I32, 1, g.C, g.T), newTensor(I32, g.T, g.C)
		walk(x.shape, func(j []int) {
			v := *x.at(j...)
			all.v[j[1]] += v
			*ct.at(0, j[1], j[2]) += v
			*tc.at(j[2], j[1]) += v
		})
		var b builder
		p := b.toPlanes(b.input(x), g)
		for mode, want := range []*tensor{all, ct, tc} {
			y := b.dense(I32, want.shape...)
			b.op(billb.OpCount, []int{p}, []int{y}, []int{mode})
			b.output(y)
		}
		out := b.run(t)
		same(t, "count", out[0], all)
		same(t, "count [C,T]", out[1], ct)
		same(t, "count [T,C]", out[2], tc)
	}
}

func TestRecode(t *testing.T) {
	rng := newRand(8)
	g := randGeom(rng)
	x := randTensor(rng, Bit, 1, g.C, g.T, g.H, g.W)
	want := naiveGate(SBit, x.shape, func(v []bool) bool { return v[0] }, x)
	var b builder
	in := b.input(x)
	d := b.dense(SBit, x.shape...)
	b.op(billb.OpRecode, []int{in}, []int{d}, nil)
	p := b.toPlanes(in, g)
	q := b.planes(SBit, g)
	b.img.Buffers[q].Offset = b.img.Buffers[p].Offset
	b.op(billb.OpRecode, []int{p}, []int{q}, nil)
	b.output(d)
	b.output(b.fromPlanes(q))
	b.output(b.fromPlanes(p)) // still alive
	out := b.run(t)
	same(t, "recode", out[0], want)
	same(t, "recode planes", out[1], want)
	same(t, "recoded", out[2], x)
}
