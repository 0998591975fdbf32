package runtime

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"reflect"
	"runtime/debug"
	"runtime/metrics"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/billnet/billnet/runtime/billb"
	"github.com/billnet/billnet/runtime/kernels"
)

// What a hostile file may take.
const (
	hostileMemory  = 256 << 20        // bytes that loading allocates, in all
	hostileTime    = 10 * time.Second // of loading and running
	hostileArena   = 1 << 22          // the limit that the files are loaded with
	hostileWork    = 1 << 21          // of a program that is run
	hostileScratch = 1 << 24          // bytes, likewise
)

// TestHostile loads programs that nobody means well with: valid ones changed in
// their parts or in bytes, with the checksum sealed again, and random ones. What
// loads is run in parts, once in one and then in three that run in another order,
// in memory between pages that may not be touched. Nothing may panic, hang, take
// much memory, or depend on how the work was shared, on the kernels or on what
// memory held before.
//
// BILLNET_LONG=1 tries many more; BILLNET_HOSTILE=N says how many, and
// BILLNET_SEED=N where to begin.
func TestHostile(t *testing.T) {
	n, first := 4000, 0
	if os.Getenv("BILLNET_LONG") != "" {
		n = 300000
	}
	for name, to := range map[string]*int{"BILLNET_HOSTILE": &n, "BILLNET_SEED": &first} {
		if s := os.Getenv(name); s != "" {
			v, err := strconv.Atoi(s)
			if err != nil {
				t.Fatalf("%s=%s: %v", name, s, err)
			}
			*to = v
		}
	}
	h := newHunt(t)
	begin := time.Now()
	for i := range n {
		if h.try(t, uint64(first+i)); t.Failed() {
			return
		}
	}
	t.Logf("%d programs, %.0f a second: %d were loaded, %d run, %d of them ended with an error; at most %d KB were allocated for one (seed %d)",
		n, float64(n)/time.Since(begin).Seconds(), h.loaded, h.ran, h.faults, h.most>>10, h.mostSeed)
	if h.ran < n/50 {
		t.Errorf("%d of %d programs ran: the test does not reach far", h.ran, n)
	}
}

// FuzzHostile tries seeds that the fuzzer chooses.
func FuzzHostile(f *testing.F) {
	h := newHunt(f)
	for i := range uint64(16) {
		f.Add(i)
	}
	f.Fuzz(func(t *testing.T, seed uint64) { h.try(t, seed) })
}

// hunt tries programs.
type hunt struct {
	files  [][]byte // valid programs
	isas   []kernels.ISA
	memory guarded

	loaded, ran, faults int
	most                uint64
	mostSeed            uint64

	since atomic.Int64 // when the present program was begun; 0: there is none
	seed  atomic.Uint64
}

func newHunt(t testing.TB) *hunt {
	h := &hunt{}
	for _, b := range append(append(opSamples(), kernelSamples()...), smallNet(), smallNet()) {
		h.files = append(h.files, encode(t, &b.img))
	}
	for isa := kernels.Generic; isa <= kernels.AVX512; isa++ {
		if kernels.Available(isa) {
			h.isas = append(h.isas, isa)
		}
	}
	stop := make(chan struct{})
	t.Cleanup(func() { close(stop); h.memory.free() })
	go h.watch(stop)
	return h
}

// watch ends the test when a program takes too long.
func (h *hunt) watch(stop chan struct{}) {
	for {
		select {
		case <-stop:
			return
		case <-time.After(time.Second):
			if s := h.since.Load(); s != 0 && time.Since(time.Unix(0, s)) > hostileTime {
				panic(fmt.Sprintf("seed %d takes more than %v", h.seed.Load(), hostileTime))
			}
		}
	}
}

// try makes, loads and runs the program of a seed.
func (h *hunt) try(t testing.TB, seed uint64) {
	h.seed.Store(seed)
	h.since.Store(time.Now().UnixNano())
	defer h.since.Store(0)
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if v := recover(); v != nil {
			t.Errorf("seed %d: panic: %v\n%s", seed, v, debug.Stack())
		}
	}()
	file := h.file(newRand(seed))
	if file == nil {
		return
	}
	before := allocated()
	prog, err := Loader{MaxArena: hostileArena, ISA: h.isas[seed%uint64(len(h.isas))].String()}.LoadBytes(file)
	if n := allocated() - before; n > h.most {
		if h.most, h.mostSeed = n, seed; n > hostileMemory {
			t.Errorf("seed %d: a file of %d bytes takes %d bytes to load", seed, len(file), n)
		}
	}
	if err != nil {
		kinds := []error{ErrNotModel, ErrVersion, ErrTruncated, ErrChecksum, ErrFormat, ErrLimit}
		if !errorsIsOne(err, kinds) {
			t.Errorf("seed %d: loading gave an error of no kind: %v", seed, err)
		}
		return
	}
	h.loaded++
	if seed%16 == 0 {
		h.checkCharges(t, seed, prog)
	}
	h.compare(t, seed, prog)
}

// checkCharges checks that preparing takes no more memory than it counts, but for
// what it gives up at once.
func (h *hunt) checkCharges(t testing.TB, seed uint64, prog *Program) {
	t.Helper()
	consts := &constants{img: prog.img, dense: map[int][]byte{}}
	for i := range prog.img.Code {
		in := &prog.img.Code[i]
		charged, before := consts.charged, allocated()
		if _, err := prepare(prog.img, in, kernels.Select(prog.best), consts); err != nil {
			t.Errorf("seed %d: %v", seed, err)
			return
		}
		const slack = 1 << 20 // the count of allocations is made in pieces
		if took, most := int(allocated()-before), 4*(consts.charged-charged)+slack; took > most {
			t.Errorf("seed %d: preparing takes %d bytes and counts %d: %s", seed, took, consts.charged-charged, prog.img.Text(in))
		}
	}
}

func errorsIsOne(err error, kinds []error) bool {
	for _, k := range kinds {
		if errors.Is(err, k) {
			return true
		}
	}
	return false
}

// compare runs a program in several ways.
func (h *hunt) compare(t testing.TB, seed uint64, prog *Program) {
	t.Helper()
	code, err := prog.prepared(prog.best)
	if err != nil {
		t.Errorf("seed %d: %v", seed, err)
		return
	}
	if !small(code.steps) {
		return
	}
	h.ran++
	inputs := hostileInputs(newRand(seed^1), prog)
	want, err := h.run(t, prog, code, inputs, 1, false, 0x5a)
	if err != nil {
		h.faults++
	}
	ways := []struct {
		isa     kernels.ISA
		parts   int
		reverse bool
	}{{prog.best, 3, true}}
	if seed%4 == 0 {
		ways = append(ways, struct {
			isa     kernels.ISA
			parts   int
			reverse bool
		}{h.isas[(seed/4)%uint64(len(h.isas))], 2, seed%8 == 0})
	}
	for _, w := range ways {
		code, prepErr := prog.prepared(w.isa)
		if prepErr != nil {
			t.Errorf("seed %d: %v was refused for %v: %v", seed, prog.Name(), w.isa, prepErr)
			return
		}
		got, gotErr := h.run(t, prog, code, inputs, w.parts, w.reverse, 0xa5)
		if (err == nil) != (gotErr == nil) {
			t.Errorf("seed %d: in one part %v, in %d parts on %v %v", seed, err, w.parts, w.isa, gotErr)
			return
		}
		if err != nil {
			continue
		}
		for i, p := range prog.Outputs() {
			if d := difference(p.Elem, want[i], got[i]); d != "" {
				t.Errorf("seed %d: output %d differs in %d parts on %v: %s\n%s", seed, i, w.parts, w.isa, d, listing(prog))
				return
			}
		}
	}
}

// listing is a program's instructions.
func listing(prog *Program) string {
	var s strings.Builder
	for i, in := range prog.Instructions() {
		fmt.Fprintf(&s, "%3d %s\n", i, in.Text)
	}
	return s.String()
}

// small reports whether a program is quickly run.
func small(steps []step) bool {
	total := 0
	for i := range steps {
		if total = addSat(total, steps[i].work+1000); total > hostileWork {
			return false
		}
		if s := steps[i].scratch; s != nil && s(3) > hostileScratch {
			return false
		}
	}
	return true
}

// run executes a program in a number of parts one after the other, in memory that
// held something before; in more than one with its inputs and outputs in memory that is lent.
func (h *hunt) run(t testing.TB, prog *Program, code *prepared, inputs [][]byte, parts int, reverse bool, garbage byte) ([][]byte, error) {
	t.Helper()
	steps := code.steps
	scratch := 0
	for i := range steps {
		if f := steps[i].scratch; f != nil {
			scratch = max(scratch, f(1), f(parts))
		}
	}
	h.memory.atEnd = reverse
	shared := memory{arena: h.memory.reuse(t, 0, prog.img.Arena), scratch: h.memory.reuse(t, 1, scratch), fault: &fault{}}
	shared.lent = make([][]byte, 1+len(prog.img.Inputs)+len(prog.img.Outputs))
	fill(shared.arena, garbage)
	fill(shared.scratch, garbage)
	m := make([]memory, parts)
	for i := range m {
		m[i] = shared
		m[i].temp = h.memory.reuse(t, 2+i, temps*chunk*8)
	}
	for i := range prog.img.Inputs {
		to := prog.port(&prog.img.Inputs[i], shared.arena)
		if parts > 1 && len(to) > 0 {
			to = h.memory.reuse(t, 2+parts+i, len(to))
			shared.lent[1+i] = to
		}
		copy(to, inputs[i])
	}
	for i, port := range code.ports {
		n := len(prog.port(&prog.img.Outputs[i], shared.arena))
		if parts > 1 && port > len(inputs) && n > 0 {
			shared.lent[port] = h.memory.reuse(t, 2+parts+port, n)
			fill(shared.lent[port], garbage)
		}
	}
	for i := range steps {
		for _, stage := range steps[i].stages {
			for k := range parts {
				if reverse {
					k = parts - 1 - k
				}
				stage(&m[k], k, parts)
			}
		}
		if err := shared.fault.err.Load(); err != nil {
			return nil, *err
		}
	}
	var out [][]byte
	for i := range prog.img.Outputs {
		from := prog.port(&prog.img.Outputs[i], shared.arena)
		if lent := shared.lent[code.ports[i]]; lent != nil {
			from = lent
		}
		out = append(out, bytes.Clone(from))
	}
	return out, nil
}

func fill(b []byte, v byte) {
	for i := range b {
		b[i] = v
	}
}

// difference says where two values first differ, "" when they do not; one NaN is
// like another.
func difference(e Elem, a, b []byte) string {
	if bytes.Equal(a, b) {
		return ""
	}
	x, y := tensorOf(e, []int{len(a) / e.Width()}, a), tensorOf(e, []int{len(b) / e.Width()}, b)
	for i, v := range x.v {
		if w := y.v[i]; math.Float64bits(v) != math.Float64bits(w) && !(v != v && w != w) {
			return fmt.Sprintf("element %d is %v and %v", i, v, w)
		}
	}
	return ""
}

// allocated is the number of bytes that were allocated so far.
func allocated() uint64 {
	s := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(s)
	return s[0].Value.Uint64()
}

// hostileInputs are numbers of all kinds for a program.
func hostileInputs(rng *rand.Rand, prog *Program) [][]byte {
	var list [][]byte
	for _, p := range prog.Inputs() {
		x := newTensor(p.Elem, p.Shape...)
		for i := range x.v {
			switch {
			case !p.Elem.IsFloat():
				lo, hi := p.Elem.Range()
				v := int64(rng.IntN(7) - 2)
				if rng.IntN(8) == 0 {
					v = int64(rng.Uint64())
				}
				v = max(lo, min(hi, v))
				if p.Elem == SBit && v <= 0 {
					v = -1
				}
				x.v[i] = float64(v)
			case rng.IntN(16) == 0:
				x.v[i] = []float64{math.NaN(), math.Inf(1), math.Inf(-1), math.Copysign(0, -1), 1e30, -1e-30}[rng.IntN(6)]
			default:
				x.v[i] = float64(rng.IntN(9)-4) / 2
			}
		}
		list = append(list, x.bytes())
	}
	return list
}

// file makes the program of a generator; nil where its form is wrong.
func (h *hunt) file(rng *rand.Rand) []byte {
	from := h.files[rng.IntN(len(h.files))]
	switch rng.IntN(10) {
	case 0:
		return changedBytes(rng, from)
	case 1, 2:
		img := randomProgram(rng)
		file, err := img.Encode()
		if err != nil {
			return nil
		}
		return file
	}
	img, err := billb.Decode(from)
	if err != nil {
		panic(err)
	}
	for range 1 + rng.IntN(4) {
		mutate(rng, img)
	}
	if rng.IntN(8) > 0 {
		mend(rng, img)
	}
	file, err := img.Encode()
	if err != nil {
		return nil
	}
	return file
}

// changedBytes changes bytes behind the header, and seals the file again.
func changedBytes(rng *rand.Rand, from []byte) []byte {
	file := bytes.Clone(from)
	for range 1 + rng.IntN(3) {
		i := billb.HeaderSize + rng.IntN(len(file)-billb.HeaderSize)
		if rng.IntN(2) == 0 {
			file[i] ^= 1 << rng.IntN(8)
		} else {
			file[i] = byte(rng.Uint32())
		}
	}
	if rng.IntN(8) == 0 {
		file = file[:billb.HeaderSize+rng.IntN(len(file)-billb.HeaderSize)]
	}
	billb.Seal(file)
	return file
}

// mutate changes one thing about an image.
func mutate(rng *rand.Rand, img *billb.Image) {
	number := func(old int) int {
		switch rng.IntN(6) {
		case 0:
			return old + 1
		case 1:
			return old - 1
		case 2:
			return 0
		case 3:
			return -old
		case 4:
			return rng.IntN(10)
		}
		return []int{-1, 2 * old, old / 2, 64, 1 << 20, 1<<31 - 1, -1 << 31}[rng.IntN(7)]
	}
	pick := func(list []int) {
		if len(list) > 0 {
			i := rng.IntN(len(list))
			list[i] = number(list[i])
		}
	}
	in := &img.Code[rng.IntN(len(img.Code))]
	b := &img.Buffers[rng.IntN(len(img.Buffers))]
	switch rng.IntN(13) {
	case 0:
		pick(in.In)
	case 1:
		pick(in.Out)
	case 2:
		pick(in.Const)
	case 3, 4:
		in.Params = changed(in.Params, number, rng)
	case 5, 6: // a size, in all places that agree
		if len(b.Shape) > 0 {
			i := rng.IntN(len(b.Shape))
			changeSize(rng, img, b.Shape[i], number(b.Shape[i]))
		}
	case 7, 8: // a geometry
		g := &b.Geom
		v := []*int{&g.HT, &g.HH, &g.HW, &g.PT, &g.PH, &g.PW}[rng.IntN(6)]
		*v = number(*v)
	case 9:
		b.Offset = img.Buffers[rng.IntN(len(img.Buffers))].Offset + 64*max(0, rng.IntN(4)-2)
	case 10:
		b.Elem = Elem(rng.IntN(15))
	case 11:
		in.Op = img.Code[rng.IntN(len(img.Code))].Op
	case 12:
		i, j := rng.IntN(len(img.Code)), rng.IntN(len(img.Code))
		img.Code[i], img.Code[j] = img.Code[j], img.Code[i]
	}
}

// changeSize changes a size wherever it stands, now and then not: of buffers,
// ports and constants.
func changeSize(rng *rand.Rand, img *billb.Image, old, size int) {
	change := func(shape []int) bool {
		any := false
		for i, d := range shape {
			if d == old && rng.IntN(8) > 0 {
				shape[i], any = size, true
			}
		}
		return any
	}
	for i := range img.Buffers {
		b := &img.Buffers[i]
		if change(b.Shape) && b.Planes {
			b.Geom.C, b.Geom.T, b.Geom.H, b.Geom.W = b.Shape[1], b.Shape[2], b.Shape[3], b.Shape[4]
		}
	}
	for i := range img.Consts {
		k := &img.Consts[i]
		if change(k.Shape) {
			if n, err := k.Size(); err == nil && n < 1<<16 {
				k.Data = append(bytes.Clone(k.Data), make([]byte, n)...)[:n]
			}
		}
	}
}

// mend makes the parts of a program fit together that most changes would leave
// apart: ports are like their buffers, buffers lie in the arena, and now and then
// each has memory of its own.
func mend(rng *rand.Rand, img *billb.Image) {
	apart := rng.IntN(2) == 0
	arena := 0
	for i := range img.Buffers {
		b := &img.Buffers[i]
		size, err := b.Size()
		if err != nil {
			return
		}
		if apart {
			b.Offset = arena
		}
		arena = max(arena, b.Offset+roundUp(size, align))
	}
	img.Arena = arena
	for _, ports := range [][]Port{img.Inputs, img.Outputs} {
		for i := range ports {
			if b := ports[i].Buffer; b >= 0 && b < len(img.Buffers) {
				ports[i].Elem, ports[i].Shape = img.Buffers[b].Elem, img.Buffers[b].Shape
			}
		}
	}
}

// changed is a copy of parameters with one integer changed; the file can hold it
// unless its form is wrong.
func changed(p billb.Params, number func(int) int, rng *rand.Rand) billb.Params {
	if p == nil {
		return nil
	}
	var leaves []reflect.Value
	var visit func(v reflect.Value)
	visit = func(v reflect.Value) {
		switch v.Kind() {
		case reflect.Struct:
			for i := range v.NumField() {
				visit(v.Field(i))
			}
		case reflect.Array, reflect.Slice:
			for i := range v.Len() {
				visit(v.Index(i))
			}
		default:
			leaves = append(leaves, v)
		}
	}
	visit(reflect.ValueOf(p).Elem())
	if len(leaves) == 0 {
		return p
	}
	switch v := leaves[rng.IntN(len(leaves))]; v.Kind() {
	case reflect.Int:
		v.SetInt(int64(number(int(v.Int()))))
	case reflect.Bool:
		v.SetBool(!v.Bool())
	case reflect.Float64:
		v.SetFloat(-v.Float())
	}
	return p
}

// randomProgram is a few operations on operands of kinds and shapes that fit now
// and then.
func randomProgram(rng *rand.Rand) *billb.Image {
	b := &builder{}
	b.img.Name = "random"
	var made []int // buffers that hold a value
	for range 1 + rng.IntN(3) {
		randomInstr(rng, b, &made)
	}
	for _, id := range made {
		if buf := b.img.Buffers[id]; !buf.Planes && rng.IntN(2) == 0 {
			b.output(id)
		}
	}
	return &b.img
}

func randomInstr(rng *rand.Rand, b *builder, made *[]int) {
	ops := billb.Ops()
	op := ops[rng.IntN(len(ops))]
	elem := Elem(1 + rng.IntN(14))
	shape := randomShape(rng, rng.IntN(6))
	operand := func() int {
		e, s := elem, shape
		switch rng.IntN(8) {
		case 0:
			e = Elem(1 + rng.IntN(14))
		case 1, 2:
			s = randomShape(rng, rng.IntN(6))
		case 3: // broadcasts
			s = append([]int{}, shape...)
			for i := range s {
				if rng.IntN(2) == 0 {
					s[i] = 1
				}
			}
		case 4:
			if len(*made) > 0 {
				return (*made)[rng.IntN(len(*made))]
			}
		case 5:
			return billb.ConstOperand(b.konst(randTensor(rng, e, s...)))
		}
		id := b.input(randTensor(rng, e, s...))
		*made = append(*made, id)
		return id
	}
	names := func(list string, one func() int) []int {
		var ids []int
		for n := range strings.FieldsSeq(list) {
			switch {
			case strings.HasSuffix(n, "..."):
				for range rng.IntN(4) {
					ids = append(ids, one())
				}
			case strings.HasSuffix(n, "?") && rng.IntN(2) == 0:
				ids = append(ids, -1)
			default:
				ids = append(ids, one())
			}
		}
		return ids
	}
	in := billb.Instr{Op: op.Code, In: names(op.In, operand), Params: randomParams(rng, op, len(shape))}
	in.Const = names(op.Consts, func() int {
		e := []Elem{SBit, Tern, I32, Bit, F64, elem}[rng.IntN(6)]
		return b.konst(randTensor(rng, e, randomShape(rng, rng.IntN(4))...))
	})
	in.Out = names(op.Out, func() int {
		e, s := elem, shape
		if rng.IntN(3) == 0 {
			e = []Elem{Bit, SBit, Bool, I32, F32, I64}[rng.IntN(6)]
		}
		if rng.IntN(6) == 0 {
			s = randomShape(rng, len(shape))
		}
		id := b.dense(e, s...)
		if len(in.In) > 0 && rng.IntN(3) == 0 { // in place, or nearly
			if x := in.In[rng.IntN(len(in.In))]; x >= 0 {
				b.img.Buffers[id].Offset = b.img.Buffers[x].Offset
			}
		}
		*made = append(*made, id)
		return id
	})
	b.img.Code = append(b.img.Code, in)
}

func randomShape(rng *rand.Rand, rank int) []int {
	s := make([]int, rank)
	for i := range s {
		s[i] = []int{0, 1, 1, 2, 2, 3, 4, 8, 17}[rng.IntN(9)]
	}
	return s
}

// randomParams fills an operation's parameters with small numbers; lists have as
// many as a tensor of some rank has axes, or spatial axes.
func randomParams(rng *rand.Rand, op *billb.Op, rank int) billb.Params {
	if op.Params == nil {
		return nil
	}
	p := reflect.New(reflect.TypeOf(op.Params).Elem())
	n := []int{rank, max(0, rank-2), 1, 0}[rng.IntN(4)]
	var visit func(v reflect.Value)
	visit = func(v reflect.Value) {
		switch v.Kind() {
		case reflect.Struct:
			for i := range v.NumField() {
				visit(v.Field(i))
			}
		case reflect.Slice:
			v.Set(reflect.MakeSlice(v.Type(), n, n))
			fallthrough
		case reflect.Array:
			for i := range v.Len() {
				visit(v.Index(i))
			}
		case reflect.Int:
			v.SetInt(int64([]int{0, 0, 1, 1, 1, 2, 3, -1, 16}[rng.IntN(9)]))
		case reflect.Bool:
			v.SetBool(rng.IntN(2) == 0)
		case reflect.Float64:
			v.SetFloat(float64(rng.IntN(5)) / 2)
		}
	}
	visit(p.Elem())
	return p.Interface()
}
