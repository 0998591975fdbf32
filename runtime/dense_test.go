package runtime

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/billnet/billnet/runtime/billb"
)

var allElems = []Elem{F32, F64, U8, I8, U16, I16, U32, I32, U64, I64, Bool, Bit, SBit, Tern}

// one runs a single instruction over dense inputs (a nil one is left out, one
// of fixed becomes a constant) to one dense output.
func one(t testing.TB, op billb.Opcode, e Elem, shape []int, ins []*tensor, fixed []bool, ints []int, rest ...any) *tensor {
	t.Helper()
	var b builder
	var ids []int
	for i, x := range ins {
		switch {
		case x == nil:
			ids = append(ids, -1)
		case fixed != nil && fixed[i]:
			ids = append(ids, billb.ConstOperand(b.konst(x)))
		default:
			ids = append(ids, b.input(x))
		}
	}
	y := b.dense(e, shape...)
	b.op(op, ids, []int{y}, ints, rest...)
	b.output(y)
	return b.run(t)[0]
}

func randShape(rng *rand.Rand, rank, most int) []int {
	s := make([]int, rank)
	for i := range s {
		s[i] = 1 + rng.IntN(most)
	}
	return s
}

func TestTranspose(t *testing.T) {
	rng := newRand(10)
	for _, e := range allElems {
		for range 5 {
			rank := rng.IntN(5)
			shape := randShape(rng, rank, 5)
			perm := rng.Perm(rank)
			x := randTensor(rng, e, shape...)
			out := make([]int, rank)
			for i, a := range perm {
				out[i] = shape[a]
			}
			want := newTensor(e, out...)
			walk(out, func(i []int) {
				src := make([]int, rank)
				for k, a := range perm {
					src[a] = i[k]
				}
				*want.at(i...) = *x.at(src...)
			})
			same(t, "transpose", one(t, billb.OpTranspose, e, out, []*tensor{x}, nil, perm), want)
		}
	}
}

func TestReshape(t *testing.T) {
	rng := newRand(11)
	x := randTensor(rng, I16, 2, 3, 4)
	var b builder
	in := b.input(x)
	alias, moved := b.dense(I16, 24), b.dense(I16, 4, 6)
	b.img.Buffers[alias].Offset = b.img.Buffers[in].Offset
	b.op(billb.OpReshape, []int{in}, []int{alias}, nil)
	b.op(billb.OpReshape, []int{in}, []int{moved}, nil)
	b.output(alias)
	b.output(moved)
	b.output(in)
	out := b.run(t)
	for i, shape := range [][]int{{24}, {4, 6}, {2, 3, 4}} {
		same(t, "reshape", out[i], &tensor{I16, shape, x.v})
	}
}

func TestSlice(t *testing.T) {
	rng := newRand(12)
	for _, e := range allElems {
		x := randTensor(rng, e, 5, 4, 7)
		shape, start, step := []int{2, 4, 3}, []int{1, 3, 0}, []int{2, -1, 3}
		want := newTensor(e, shape...)
		walk(shape, func(i []int) {
			*want.at(i...) = *x.at(start[0]+i[0]*step[0], start[1]+i[1]*step[1], start[2]+i[2]*step[2])
		})
		same(t, "slice", one(t, billb.OpSlice, e, shape, []*tensor{x}, nil, append(start, step...)), want)
	}
}

func TestConcat(t *testing.T) {
	rng := newRand(13)
	for axis := range 3 {
		for _, e := range []Elem{F32, I16, Tern, F64} {
			var ins []*tensor
			out := []int{2, 3, 2}
			out[axis] = 0
			for _, n := range []int{2, 0, 3, 1} {
				s := []int{2, 3, 2}
				s[axis] = n
				ins = append(ins, randTensor(rng, e, s...))
				out[axis] += n
			}
			want := newTensor(e, out...)
			walk(out, func(i []int) {
				j := slices.Clone(i)
				for _, x := range ins {
					if j[axis] < x.shape[axis] {
						*want.at(i...) = *x.at(j...)
						return
					}
					j[axis] -= x.shape[axis]
				}
			})
			same(t, "concat", one(t, billb.OpConcat, e, out, ins, []bool{false, true, true, false}, []int{axis}), want)
		}
	}
}

func TestGather(t *testing.T) {
	rng := newRand(14)
	x := randTensor(rng, F32, 3, 5, 2)
	for _, e := range []Elem{I32, I64} {
		index := newTensor(e, 2, 2)
		index.v = []float64{4, -1, 0, -5}
		want := newTensor(F32, 3, 2, 2, 2)
		walk(want.shape, func(i []int) {
			*want.at(i...) = *x.at(i[0], (int(*index.at(i[1], i[2]))+5)%5, i[3])
		})
		for _, fixed := range []bool{false, true} {
			same(t, "gather", one(t, billb.OpGather, F32, want.shape, []*tensor{x, index}, []bool{false, fixed}, []int{1}), want)
		}
	}
	// An index out of range: an error of the load, or of the run.
	bad := newTensor(I32, 1)
	bad.v[0] = 5
	for _, fixed := range []bool{false, true} {
		var b builder
		id := b.input(x)
		idx := -1
		if fixed {
			idx = billb.ConstOperand(b.konst(bad))
		} else {
			idx = b.input(bad)
		}
		y := b.dense(F32, 3, 1, 2)
		b.op(billb.OpGather, []int{id, idx}, []int{y}, []int{1})
		b.output(y)
		if fixed {
			b.mustFail(t, "out of range")
			continue
		}
		file, _ := b.img.Encode()
		prog, err := LoadBytes(file)
		if err != nil {
			t.Fatal(err)
		}
		s, _ := prog.NewSession(Options{})
		if err := s.Run([][]byte{x.bytes(), bad.bytes()}, nil); err == nil {
			t.Error("an index out of range gave no error")
		}
	}
}

func TestCast(t *testing.T) {
	rng := newRand(15)
	naive := func(v float64, from, to Elem) float64 {
		if to == F32 {
			return float64(float32(v))
		}
		if to == F64 {
			return v
		}
		lo, hi := to.Range()
		switch {
		case to == Bool || to == Bit && !from.IsFloat():
			if v != 0 && (to == Bool || v > 0) {
				return 1
			}
			return 0
		case from.IsFloat():
			if v != v {
				v = 0
			}
			v = max(float64(lo), min(float64(hi), math.Trunc(v))) + 0 // no -0
			if to == SBit && v <= 0 {
				return -1
			}
			return v
		case to == SBit:
			if v > 0 {
				return 1
			}
			return -1
		case to == Tern:
			return max(-1, min(1, v))
		}
		i := int64(v)
		switch to {
		case U8:
			return float64(uint8(i))
		case I8:
			return float64(int8(i))
		case U16:
			return float64(uint16(i))
		case I16:
			return float64(int16(i))
		case U32:
			return float64(uint32(i))
		case I32:
			return float64(int32(i))
		case U64:
			return float64(uint64(i))
		}
		return v
	}
	for _, from := range allElems {
		x := randTensor(rng, from, 3, 100)
		if from.IsFloat() {
			copy(x.v, []float64{math.NaN(), math.Inf(1), math.Inf(-1), 0, -0.5, 0.5, 2.5, -2.5, 255.75, 256, -129, 40000, 1 << 33, -1 << 33})
		}
		for _, to := range allElems {
			want := newTensor(to, x.shape...)
			for i, v := range x.v {
				want.v[i] = naive(v, from, to)
			}
			got := one(t, billb.OpCast, to, x.shape, []*tensor{x}, nil, nil)
			same(t, "cast "+from.String()+" to "+to.String(), got, want)
		}
	}
}

func TestAffine(t *testing.T) {
	rng := newRand(16)
	for _, e := range allElems {
		z := randTensor(rng, e, 2, 5, 70)
		num, den, bias := randTensor(rng, F64, 5), randTensor(rng, F64, 5), randTensor(rng, F64, 1)
		want := newTensor(F32, z.shape...)
		walk(z.shape, func(i []int) {
			v := *z.at(i...) * num.v[i[1]] / den.v[i[1]]
			*want.at(i...) = float64(float32(v + bias.v[0]))
		})
		var b builder
		in, y := b.input(z), b.dense(F32, z.shape...)
		b.op(billb.OpAffine, []int{in}, []int{y}, []int{1}, []int{b.konst(num), b.konst(den), b.konst(bias)})
		b.output(y)
		same(t, "affine", b.run(t)[0], want)
	}
}

func TestDenseThreshold(t *testing.T) {
	rng := newRand(17)
	for _, e := range allElems {
		if e.IsFloat() {
			continue
		}
		x := randTensor(rng, e, 3, 7, 50)
		for _, n := range []int{7, 1} {
			th, flip := randThreshold(rng, n, 3)
			var b builder
			in, y := b.input(x), b.dense(SBit, x.shape...)
			b.op(billb.OpThreshold, []int{in}, []int{y}, []int{1}, []int{b.konst(th), b.konst(flip)})
			b.output(y)
			same(t, "threshold", b.run(t)[0], naiveThreshold(x, th, flip, 1, SBit))
		}
	}
}

// naiveGemm sums in float32, k ascending.
func naiveGemm(a, b, c *tensor, transA, transB bool, alpha, beta float64, m, n, k int) *tensor {
	y := newTensor(a.elem, m, n)
	at := func(t *tensor, i, j int, trans bool) float64 {
		if trans {
			i, j = j, i
		}
		return *t.at(i, j)
	}
	round := func(v float64) float64 {
		if a.elem == F32 {
			return float64(float32(v))
		}
		return v
	}
	walk(y.shape, func(i []int) {
		sum := 0.0
		for j := range k {
			sum = round(sum + round(at(a, i[0], j, transA)*at(b, j, i[1], transB)))
		}
		sum = round(sum * round(alpha))
		if c != nil {
			sum = round(sum + round(round(beta)*c.v[i[1]%len(c.v)]))
		}
		*y.at(i...) = sum
	})
	return y
}

func TestGemm(t *testing.T) {
	rng := newRand(18)
	for i := range 64 {
		e := []Elem{F32, F64}[i%2]
		m, n, k := 1+rng.IntN(9), 1+rng.IntN(11), rng.IntN(30)
		transA, transB := i/2%2, i/4%2
		sa, sb := []int{m, k}, []int{k, n}
		if transA == 1 {
			sa = []int{k, m}
		}
		if transB == 1 {
			sb = []int{n, k}
		}
		a, b := randTensor(rng, e, sa...), randTensor(rng, e, sb...)
		var c *tensor
		if i%3 > 0 {
			c = randTensor(rng, e, []int{1, n}[2-i%3:]...)
		}
		want := naiveGemm(a, b, c, transA == 1, transB == 1, 0.5, 3, m, n, k)
		for _, fixed := range [][]bool{{false, false, false}, {false, true, true}, {true, false, false}} {
			got := one(t, billb.OpGemm, e, []int{m, n}, []*tensor{a, b, c}, fixed, []int{transA, transB}, []float64{0.5, 3})
			same(t, "gemm", got, want)
		}
	}
}

func TestILinear(t *testing.T) {
	rng := newRand(19)
	for i, e := range allElems {
		if e.IsFloat() {
			continue
		}
		for _, we := range []Elem{SBit, Tern, I8, U8, Bit} {
			k, n := 1+rng.IntN(150), 1+rng.IntN(20)
			x, w := randTensor(rng, e, 2, 3, k), randTensor(rng, we, n, k)
			want := newTensor(I32, 2, 3, n)
			walk(want.shape, func(j []int) {
				for q := range k {
					*want.at(j...) += *x.at(j[0], j[1], q) * *w.at(j[2], q)
				}
			})
			th, flip := randThreshold(rng, n, 20)
			var b builder
			in, z, y := b.input(x), b.dense(I32, want.shape...), b.dense([]Elem{Bit, SBit}[i%2], want.shape...)
			kw := b.konst(w)
			b.op(billb.OpILinear, []int{in}, []int{z}, nil, []int{kw})
			b.op(billb.OpILinear, []int{in}, []int{y}, nil, []int{kw, b.konst(th), b.konst(flip)})
			b.output(z)
			b.output(y)
			out := b.run(t)
			same(t, "ilinear", out[0], want)
			same(t, "ilinear bits", out[1], naiveThreshold(want, th, flip, 2, []Elem{Bit, SBit}[i%2]))
		}
	}
}

func TestBLSTM(t *testing.T) {
	rng := newRand(20)
	for i := range 24 {
		batch, steps, inputs, h := 1+rng.IntN(2), 1+rng.IntN(6), 1+rng.IntN(140), 1+rng.IntN(70)
		we := []Elem{SBit, Tern}[i/3%2]
		x := randTensor(rng, []Elem{Bit, SBit, Tern}[i%3], batch, steps, inputs)
		wi, wh := randTensor(rng, we, 4*h, inputs), randTensor(rng, we, 4*h, h)
		th, flip := randThreshold(rng, 4*h, 4)
		h0, c0 := randTensor(rng, Tern, batch, h), randTensor(rng, I16, batch, h)
		for j := range c0.v {
			if rng.IntN(4) == 0 {
				c0.v[j] = []float64{-32768, -32767, 32767, 32766}[rng.IntN(4)]
			}
		}
		sign0 := float64(i%3 - 1)
		if i%4 == 0 {
			h0, c0 = nil, nil
		}
		yw, hw, cw := newTensor(Tern, batch, steps, h), newTensor(Tern, batch, h), newTensor(I16, batch, h)
		if h0 != nil {
			copy(hw.v, h0.v)
			copy(cw.v, c0.v)
		}
		for b := range batch {
			for s := range steps {
				prev := slices.Clone(hw.v[b*h : (b+1)*h])
				bit := func(r int) float64 {
					z := 0.0
					for j := range inputs {
						z += *wi.at(r, j) * *x.at(b, s, j)
					}
					for j := range h {
						z += *wh.at(r, j) * prev[j]
					}
					if (z >= th.v[r]) != (flip.v[r] == 1) {
						return 1
					}
					return 0
				}
				for j := range h {
					c := cw.at(b, j)
					*c = max(-32767, min(32767, bit(h+j)**c+bit(j)*(2*bit(3*h+j)-1)))
					sign := sign0
					if *c != 0 {
						sign = math.Copysign(1, *c)
					}
					*hw.at(b, j) = bit(2*h+j)*sign + 0
					*yw.at(b, s, j) = *hw.at(b, j)
				}
			}
		}
		var b builder
		ids := []int{b.input(x), -1, -1}
		if h0 != nil {
			ids[1], ids[2] = billb.ConstOperand(b.konst(h0)), b.input(c0)
		}
		y, hb, cb := b.dense(Tern, batch, steps, h), b.dense(Tern, batch, h), b.dense(I16, batch, h)
		b.op(billb.OpBLSTM, ids, []int{y, hb, cb}, []int{int(sign0)}, []int{b.konst(wi), b.konst(wh), b.konst(th), b.konst(flip)})
		for _, id := range []int{y, hb, cb} {
			b.output(id)
		}
		out := b.run(t)
		for k, want := range []*tensor{yw, hw, cw} {
			for j := range want.v {
				want.v[j] += 0 // no -0
			}
			same(t, "blstm", out[k], want)
		}
	}
}

// TestPoolBytes: pools of bytes, by their equation; a window without an element gives the end of the range.
func TestPoolBytes(t *testing.T) {
	rng := newRand(97)
	for i := range 60 {
		e := []Elem{U8, I8}[i%2]
		var list [5][]int // kernel, stride, padding before and after, dilation
		x := []int{1 + rng.IntN(2), 1 + rng.IntN(4)}
		y := slices.Clone(x)
		for range 1 + rng.IntN(3) {
			k, stride, dil := 1+rng.IntN(4), 1+rng.IntN(3), 1+rng.IntN(2)
			span := (k-1)*dil + 1
			before, after := rng.IntN(span+2), rng.IntN(span+2)
			size := max(1+rng.IntN(30), span-before-after)
			x, y = append(x, size), append(y, (size+before+after-span)/stride+1)
			for j, v := range []int{k, stride, before, after, dil} {
				list[j] = append(list[j], v)
			}
		}
		f := randTensor(rng, e, x...)
		b := &builder{}
		in := b.input(f)
		var want []*tensor
		for _, op := range []billb.Opcode{billb.OpMaxPool, billb.OpMinPool} {
			out := b.dense(e, y...)
			b.op(op, []int{in}, []int{out}, slices.Concat(list[:]...))
			b.output(out)
			least, most := e.Range()
			z := newTensor(e, y...)
			walk(y, func(o []int) {
				v := float64(least)
				if op == billb.OpMinPool {
					v = float64(most)
				}
				walk(list[0], func(k []int) {
					at := slices.Clone(o)
					for a := range k {
						at[2+a] = o[2+a]*list[1][a] + k[a]*list[4][a] - list[2][a]
						if at[2+a] < 0 || at[2+a] >= x[2+a] {
							return
						}
					}
					if op == billb.OpMinPool {
						v = min(v, *f.at(at...))
					} else {
						v = max(v, *f.at(at...))
					}
				})
				*z.at(o...) = v
			})
			want = append(want, z)
		}
		for j, got := range b.run(t) {
			same(t, "pool", got, want[j])
		}
	}
}
