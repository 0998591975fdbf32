package runtime

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/billnet/billnet/runtime/billb"
	"github.com/billnet/billnet/runtime/kernels"
)

// tensor is a value of the naive references: numbers in row-major order.
type tensor struct {
	elem  Elem
	shape []int
	v     []float64
}

func newTensor(e Elem, shape ...int) *tensor {
	return &tensor{e, shape, make([]float64, billb.Product(shape))}
}

func randTensor(rng *rand.Rand, e Elem, shape ...int) *tensor {
	t := newTensor(e, shape...)
	for i := range t.v {
		switch {
		case e.IsFloat():
			t.v[i] = float64(float32(rng.NormFloat64()))
		case e == SBit:
			t.v[i] = float64(2*rng.IntN(2) - 1)
		case e == Tern:
			t.v[i] = float64(rng.IntN(3) - 1)
		case e.IsTruth():
			t.v[i] = float64(rng.IntN(2))
		default:
			lo, hi := e.Range()
			lo, hi = max(lo, -1000), min(hi, 1000)
			t.v[i] = float64(lo + rng.Int64N(hi-lo+1))
		}
	}
	return t
}

// at is the element at an index.
func (t *tensor) at(idx ...int) *float64 {
	o := 0
	for a, i := range idx {
		o = o*t.shape[a] + i
	}
	return &t.v[o]
}

// bytes is the tensor as a dense buffer holds it.
func (t *tensor) bytes() []byte {
	n := len(t.v)
	o := &operand{elem: t.elem, n: n, fixed: Bytes(make([]uint64, n+1))}
	for i := 0; i < n; i += chunk {
		src := t.v[i:min(n, i+chunk)]
		if t.elem.IsFloat() {
			storeFloats(o, nil, i, src)
			continue
		}
		ints := make([]int64, len(src))
		for j, v := range src {
			ints[j] = int64(v)
		}
		storeInts(o, nil, i, ints)
	}
	return o.fixed[:n*t.elem.Width()]
}

func tensorOf(e Elem, shape []int, b []byte) *tensor {
	t := newTensor(e, shape...)
	if len(t.v) == 0 {
		return t
	}
	aligned := Bytes(make([]uint64, len(b)/8+1))
	copy(aligned, b)
	loadFloats(t.v, &operand{elem: e, n: len(t.v), fixed: aligned}, nil, 0)
	return t
}

// constant is the tensor as a canonical constant.
func (t *tensor) constant() billb.Const {
	c := billb.Const{Elem: t.elem, Shape: t.shape}
	switch t.elem {
	case Bit, SBit, Tern:
		half := (len(t.v) + 7) / 8
		c.Data = make([]byte, half)
		if t.elem == Tern {
			c.Data = make([]byte, 2*half)
		}
		for i, v := range t.v {
			if v > 0 {
				c.Data[i/8] |= 1 << (i % 8)
			}
			if t.elem == Tern && v != 0 {
				c.Data[half+i/8] |= 1 << (i % 8)
			}
		}
	default:
		c.Data = t.bytes()
	}
	return c
}

// builder makes images for tests; every buffer has its own memory.
type builder struct {
	img    billb.Image
	inputs []*tensor
}

func (b *builder) buffer(buf billb.Buffer) int {
	size, err := buf.Size()
	if err != nil {
		panic(err)
	}
	buf.Offset = b.img.Arena
	b.img.Arena += roundUp(size, align)
	b.img.Buffers = append(b.img.Buffers, buf)
	return len(b.img.Buffers) - 1
}

func (b *builder) dense(e Elem, shape ...int) int {
	return b.buffer(billb.Buffer{Elem: e, Shape: slices.Clone(shape)})
}

func (b *builder) planes(e Elem, g kernels.Geom) int {
	return b.buffer(billb.Buffer{Elem: e, Shape: []int{1, g.C, g.T, g.H, g.W}, Planes: true, Geom: g})
}

func (b *builder) input(t *tensor) int {
	id := b.dense(t.elem, t.shape...)
	b.img.Inputs = append(b.img.Inputs, Port{Name: fmt.Sprintf("in%d", len(b.inputs)), Elem: t.elem, Shape: t.shape, Buffer: id})
	b.inputs = append(b.inputs, t)
	return id
}

func (b *builder) output(id int) {
	buf := b.img.Buffers[id]
	b.img.Outputs = append(b.img.Outputs, Port{Name: fmt.Sprintf("out%d", len(b.img.Outputs)), Elem: buf.Elem, Shape: buf.Shape, Buffer: id})
}

func (b *builder) konst(t *tensor) int {
	b.img.Consts = append(b.img.Consts, t.constant())
	return len(b.img.Consts) - 1
}

func (b *builder) op(op billb.Opcode, in, out []int, ints []int, rest ...any) {
	i := billb.Instr{Op: op, In: in, Out: out, Name: fmt.Sprintf("n%d", len(b.img.Code))}
	var numbers []int64
	for _, v := range ints {
		numbers = append(numbers, int64(v))
	}
	var floats []float64
	for _, r := range rest {
		switch v := r.(type) {
		case []float64:
			floats = v
		case []int:
			i.Const = v
		}
	}
	var err error
	if i.Params, err = billb.NewParams(op, numbers, floats); err != nil {
		panic(fmt.Sprintf("%s: %v", op, err))
	}
	b.img.Code = append(b.img.Code, i)
}

// toPlanes adds a relayout of a dense buffer, fromPlanes one back.
func (b *builder) toPlanes(id int, g kernels.Geom) int {
	p := b.planes(b.img.Buffers[id].Elem, g)
	b.op(billb.OpRelayout, []int{id}, []int{p}, nil)
	return p
}

func (b *builder) fromPlanes(id int) int {
	buf := b.img.Buffers[id]
	d := b.dense(buf.Elem, buf.Shape...)
	b.op(billb.OpRelayout, []int{id}, []int{d}, nil)
	return d
}

// run loads the program from its file and runs it for every instruction set
// that this machine has, with one thread and three, with memory between guard
// pages and filled with different garbage: all runs must agree. It checks that
// whatever is not an element of the plane buffers is zero at the end.
func (b *builder) run(t testing.TB) []*tensor {
	t.Helper()
	file, err := b.img.Encode()
	if err != nil {
		t.Fatal(err)
	}
	prog, err := LoadBytes(file)
	if err != nil {
		t.Fatal(err)
	}
	var first [][]byte
	garbage := byte(0x5a)
	for _, isa := range kernels.ISAs() {
		if !kernels.Available(isa) {
			continue
		}
		for _, threads := range []int{1, 3} {
			garbage = garbage*3 + 1
			guard := &guarded{atEnd: threads == 1}
			s, err := prog.newSession(Options{Threads: threads, ISA: isa.String()}, func(n int) []byte {
				mem := guard.alloc(t, n)
				for i := range mem {
					mem[i] = garbage
				}
				return mem
			})
			if err != nil {
				t.Fatal(err)
			}
			out := b.runSession(t, s)
			b.checkZeros(t, s)
			s.Close()
			guard.free()
			if first == nil {
				first = out
			}
			for i := range out {
				if !bytes.Equal(out[i], first[i]) {
					t.Fatalf("output %d differs between instruction sets, thread counts or what memory held before (%v, %d threads)", i, isa, threads)
				}
			}
		}
	}
	var list []*tensor
	for i, p := range b.img.Outputs {
		list = append(list, tensorOf(p.Elem, p.Shape, first[i]))
	}
	return list
}

// session is one of the program, which the end of the test closes.
func (b *builder) session(t testing.TB) *Session {
	t.Helper()
	prog, err := LoadBytes(encode(t, &b.img))
	if err != nil {
		t.Fatal(err)
	}
	s, err := prog.NewSession(Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

func (b *builder) runSession(t testing.TB, s *Session) [][]byte {
	t.Helper()
	var in, out [][]byte
	for _, x := range b.inputs {
		in = append(in, x.bytes())
	}
	for _, p := range b.img.Outputs {
		out = append(out, make([]byte, billb.Product(p.Shape)*p.Elem.Width()))
	}
	if err := s.Run(in, out); err != nil {
		t.Fatal(err)
	}
	return out
}

// checkZeros checks the invariant of planes in every plane buffer.
func (b *builder) checkZeros(t testing.TB, s *Session) {
	t.Helper()
	for id, buf := range b.img.Buffers {
		if !buf.Planes {
			continue
		}
		size, _ := buf.Size()
		mem := slices.Clone(s.m[0].arena[buf.Offset : buf.Offset+size])
		e, _ := buf.Elem.Plane()
		g := buf.Geom
		for c := range g.C {
			for tt := range g.T {
				for h := range g.H {
					for w := range g.W {
						off, bit := g.Index(e, c, tt, h, w)
						if e == kernels.Bit {
							mem[off] &^= 1 << bit
						} else {
							clear(mem[off : off+e.Size()])
						}
					}
				}
			}
		}
		for i, v := range mem {
			if v != 0 {
				t.Fatalf("buffer %d (%s): byte %d is %#x, expected 0 outside the elements", id, buf, i, v)
			}
		}
	}
}

// same fails when two tensors are not equal bit for bit.
func same(t testing.TB, what string, got, want *tensor) {
	t.Helper()
	if got.elem != want.elem || !slices.Equal(got.shape, want.shape) {
		t.Fatalf("%s: got %s%v, expected %s%v", what, got.elem, got.shape, want.elem, want.shape)
	}
	for i := range want.v {
		if math.Float64bits(got.v[i]) != math.Float64bits(want.v[i]) && !(got.v[i] != got.v[i] && want.v[i] != want.v[i]) {
			t.Fatalf("%s: element %d of %s%v is %v, expected %v", what, i, got.elem, got.shape, got.v[i], want.v[i])
		}
	}
}

// walk calls f for every index of a shape.
func walk(shape []int, f func(idx []int)) {
	if billb.Product(shape) == 0 {
		return
	}
	idx := make([]int, len(shape))
	for {
		f(idx)
		a := len(shape) - 1
		for ; a >= 0; a-- {
			if idx[a]++; idx[a] < shape[a] {
				break
			}
			idx[a] = 0
		}
		if a < 0 {
			return
		}
	}
}

// mustFail checks that loading fails with a message that holds text.
func (b *builder) mustFail(t testing.TB, text string) {
	t.Helper()
	file, err := b.img.Encode()
	if err == nil {
		_, err = LoadBytes(file)
	}
	if err == nil || !bytes.Contains([]byte(err.Error()), []byte(text)) {
		t.Errorf("loading gave %v, expected an error with %q", err, text)
	}
	if err := Check(&b.img); err == nil || !bytes.Contains([]byte(err.Error()), []byte(text)) {
		t.Errorf("checking gave %v, expected an error with %q", err, text)
	}
}

func newRand(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 1)) }
