package runtime

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"unsafe"

	"github.com/billnet/billnet/runtime/billb"
	"github.com/billnet/billnet/runtime/kernels"
)

// step is a prepared instruction: what a session executes. It is read-only and
// shared by all sessions of a program.
type step struct {
	// stages run one after the other. Each is called for part 0 ... parts-1,
	// at the same time, and does its share; it allocates nothing.
	stages []func(m *memory, part, parts int)

	work    int                 // elementary operations, roughly: small steps run on one thread
	scratch func(parts int) int // bytes of scratch memory, nil for none
	bare    bool                // it uses no temporary vectors
	alias   bool                // the output is its first input's memory, unchanged
}

// memory is what the executors of a session work in; every part has its own,
// with the same arena and fault. The slices begin at a multiple of 64 bytes.
type memory struct {
	arena   []byte
	scratch []byte // of the step, shared by all parts
	temp    []byte // of the step, of this part only: temps vectors of chunk elements
	dot     kernels.DotBlock
	row     row
	fault   *fault
	at      position
	input   *arriving
	lent    [][]byte // by callers, for ports; shared by all parts
}

// position is where a region stands: the run of a stage, and the band.
type position struct{ run, band int }

// temps is the number of temporary vectors of a part.
const temps = 6

// tmp is temporary vector k of a part.
func tmp[T Number](m *memory, k int) []T {
	return as[T](m.temp[k*chunk*8 : (k+1)*chunk*8])[:chunk]
}

// operand is a buffer or a constant of a prepared instruction.
type operand struct {
	name   string
	elem   Elem
	shape  []int
	n      int // elements
	planes bool
	geom   kernels.Geom
	off    int   // in the arena
	home   *home // nil: there in any case
	size   int
	fixed  []byte // a constant's elements as a dense buffer has them; nil: in the arena
}

// bytes is the operand's memory. Like the other functions below that say so, it
// is not inlined into its many callers, which are to be small.
//
//go:noinline
func (o *operand) bytes(m *memory) []byte {
	if o.fixed != nil {
		return o.fixed
	}
	if o.home != nil {
		if b := m.lent[o.home.port]; b != nil {
			return b
		}
	}
	return m.arena[o.off : o.off+o.size : o.off+o.size]
}

// view is the elements of a dense operand. It is called once for a stretch of work, from hundreds of places: as a call it keeps
// programs small.
//
//go:noinline
func view[T Number](o *operand, m *memory) []T { return as[T](o.bytes(m)) }

//go:noinline
func (o *operand) String() string {
	return fmt.Sprintf("%s is %s", o.name, billb.Buffer{Elem: o.elem, Shape: o.shape, Planes: o.planes, Geom: o.geom})
}

// rank is the number of axes.
func (o *operand) rank() int { return len(o.shape) }

// prep is the view of an instruction that an opcode's prepare gets.
type prep struct {
	img    *billb.Image
	instr  *billb.Instr
	op     *billb.Op
	set    *kernels.Set
	consts *constants
}

// prepError carries what fail says from a prepare function to its caller.
type prepError struct{ error }

// charge counts memory that preparing takes: copies of constants, tables, plans. A
// small file may not take much of it by naming one thing often. It is called before
// the memory is taken.
func (p *prep) charge(bytes int) {
	c := p.consts
	if c.charged = addSat(c.charged, bytes); c.limit > 0 && c.charged > c.limit {
		p.check(billb.Errorf(ErrLimit, "the instructions up to here need more than %d bytes of packed constants and tables, the limit set for them", c.limit))
	}
}

// fail ends prepare with an error.
//
//go:noinline
func (p *prep) fail(format string, args ...any) { panic(prepError{errorf(format, args...)}) }

//go:noinline
func (p *prep) check(err error) {
	if err != nil {
		panic(prepError{err})
	}
}

// prepare checks an instruction of img, whose form is valid, and builds its
// executor. consts is that of all instructions of img.
func prepare(img *billb.Image, in *billb.Instr, set *kernels.Set, consts *constants) (s step, err error) {
	p := &prep{img: img, instr: in, op: in.Op.Op(), set: set, consts: consts}
	defer func() {
		if r := recover(); r != nil {
			e, ok := r.(prepError)
			if !ok {
				panic(r)
			}
			err = e.error
		}
	}()
	p.charge(1024 + 256*(len(in.In)+len(in.Out)+len(in.Const)))
	for _, ids := range [][]int{in.In, in.Out} {
		for _, b := range ids {
			if b >= 0 && img.Buffers[b].Planes {
				p.chargePlanes(img.Buffers[b].Geom)
			}
		}
	}
	return executors[in.Op](p), nil
}

// chargePlanes charges what plans keep of a map: masks of its frames, and where its
// planes are.
func (p *prep) chargePlanes(g kernels.Geom) {
	p.charge(addSat(mulSat(4, g.Frame(), g.PH, g.PW), mulSat(256, g.Phases(), 1+g.C/8)))
}

func operandName(names string, i int) string {
	list := strings.Fields(names)
	n := strings.TrimRight(list[min(i, len(list)-1)], "?.")
	if i >= len(list) || strings.HasSuffix(list[i], "...") {
		n = fmt.Sprintf("%s[%d]", n, i-len(list)+1)
	}
	return n
}

// in is input i, which must be there.
func (p *prep) in(i int) *operand {
	o := p.optIn(i)
	if o == nil {
		p.fail("operand %s is missing", operandName(p.op.In, i))
	}
	return o
}

// optIn is input i, nil when it is left out.
func (p *prep) optIn(i int) *operand {
	if i >= len(p.instr.In) || p.instr.In[i] == -1 {
		return nil
	}
	name := operandName(p.op.In, i)
	if id := p.instr.In[i]; id < 0 {
		return p.constant(-2-id, name)
	}
	o := p.buffer(p.instr.In[i], name)
	if h := p.consts.homes; h != nil {
		o.home = h.of[p.instr.In[i]]
	}
	return o
}

// ins is all inputs of a variadic operation.
func (p *prep) ins() []*operand {
	var list []*operand
	for i := range p.instr.In {
		list = append(list, p.in(i))
	}
	return list
}

// out is output i, which must be there.
func (p *prep) out(i int) *operand {
	o := p.optOut(i)
	if o == nil {
		p.fail("output %s is missing", operandName(p.op.Out, i))
	}
	return o
}

// optOut is output i, nil when it is left out.
func (p *prep) optOut(i int) *operand {
	if i >= len(p.instr.Out) || p.instr.Out[i] == -1 {
		return nil
	}
	o := p.buffer(p.instr.Out[i], operandName(p.op.Out, i))
	if h := p.consts.homes; h != nil {
		o.home = h.written(p.instr.Out[i])
	}
	return o
}

func (p *prep) buffer(id int, name string) *operand {
	b := p.img.Buffers[id]
	size, err := b.Size()
	p.check(err)
	return &operand{name: name, elem: b.Elem, shape: b.Shape, n: billb.Product(b.Shape), planes: b.Planes, geom: b.Geom, off: b.Offset, size: size}
}

// dense requires dense operands of one of the element types; none means any.
func (p *prep) dense(o *operand, allowed ...Elem) *operand {
	if o.planes {
		p.fail("%s, expected a dense buffer", o)
	}
	if len(allowed) > 0 && !slices.Contains(allowed, o.elem) {
		p.fail("%s, expected %v", o, allowed)
	}
	return o
}

// planes requires planes of one of the element types.
func (p *prep) planes(o *operand, allowed ...Elem) *operand {
	if !o.planes {
		p.fail("%s, expected planes", o)
	}
	if len(allowed) > 0 && !slices.Contains(allowed, o.elem) {
		p.fail("%s, expected planes of %v", o, allowed)
	}
	return o
}

// sameShape requires two operands of one shape.
func (p *prep) sameShape(a, b *operand) {
	if !slices.Equal(a.shape, b.shape) {
		p.fail("%s and %s, expected equal shapes", a, b)
	}
}

// sameElem requires two operands of one element type.
//
//go:noinline
func (p *prep) sameElem(a, b *operand) {
	if a.elem != b.elem {
		p.fail("%s and %s, expected equal element types", a, b)
	}
}

// shaped requires a shape.
func (p *prep) shaped(o *operand, shape ...int) {
	if !slices.Equal(o.shape, shape) {
		p.fail("%s, expected shape %s", o, billb.ShapeString(shape))
	}
}

// params is the parameters of an instruction whose form is valid.
func params[T any](p *prep) *T { return p.instr.Params.(*T) }

// perAxis requires a parameter with a number for every axis of o.
func (p *prep) perAxis(name string, v []int, o *operand) {
	if len(v) != o.rank() {
		p.fail("%s has %d numbers, %s, expected one for every axis", name, len(v), o)
	}
}

// axis requires an axis of o.
func (p *prep) axis(o *operand, a int) int {
	if a < 0 || a >= o.rank() {
		p.fail("axis %d, %s", a, o)
	}
	return a
}

// konst is constant operand i, nil when it is left out.
func (p *prep) konst(i int, allowed ...Elem) *billb.Const {
	if i >= len(p.instr.Const) || p.instr.Const[i] == -1 {
		return nil
	}
	c := &p.img.Consts[p.instr.Const[i]]
	if c.Form != billb.Plain {
		p.fail("constant %s has a form that only inputs may have", operandName(p.op.Consts, i))
	}
	if !slices.Contains(allowed, c.Elem) {
		p.fail("constant %s is %s%s, expected %v", operandName(p.op.Consts, i), c.Elem, billb.ShapeString(c.Shape), allowed)
	}
	return c
}

// konstOf is constant operand i with n elements, or nil.
func (p *prep) konstOf(i, n int, e Elem) *billb.Const {
	c := p.konst(i, e)
	if c != nil && billb.Product(c.Shape) != n {
		p.fail("constant %s has shape %s, expected %d elements", operandName(p.op.Consts, i), billb.ShapeString(c.Shape), n)
	}
	return c
}

// i32s is the elements of an I32 constant operand of n elements, nil when left
// out.
func (p *prep) i32s(i, n int) []int32 {
	c := p.konstOf(i, n, I32)
	if c == nil {
		return nil
	}
	p.charge(mulSat(4, n))
	v := make([]int32, n)
	for j := range v {
		v[j] = int32(binary.LittleEndian.Uint32(c.Data[4*j:]))
	}
	return v
}

// constants expands constants into the form of dense buffers, once each.
type constants struct {
	img     *billb.Image
	dense   map[int][]byte // nil: let go of, but charged for
	held    int            // bytes in dense
	sparing bool           // lets go of what is in dense from time to time
	charged int            // bytes, by all instructions so far
	limit   int            // bytes; 0: none
	homes   *homes         // of the values so far; nil: all are in the arena
}

// spare lets go of what the instructions so far have read, where that is much and
// they themselves do not last.
func (c *constants) spare() {
	if !c.sparing || c.held < 1<<24 {
		return
	}
	for id := range c.dense {
		c.dense[id] = nil
	}
	c.held = 0
}

// constant is a constant as an operand.
func (p *prep) constant(id int, name string) *operand {
	k := &p.img.Consts[id]
	c := p.consts
	data, seen := c.dense[id]
	if data == nil {
		charged := c.charged
		if data = p.denseData(k); seen {
			c.charged = charged
		}
		c.dense[id] = data
		c.held += len(data)
	}
	return &operand{name: name, elem: k.Elem, shape: k.Shape, n: billb.Product(k.Shape), size: len(data), fixed: data}
}

// denseData is a constant as a dense buffer holds it.
func (p *prep) denseData(c *billb.Const) []byte {
	if c.Form == billb.Plain && !c.Elem.IsLogic() && aligned(c) {
		return c.Data
	}
	p.charge(mulSat(billb.Product(c.Shape), c.Elem.Width()))
	return denseData(c)
}

// aligned reports whether the data of a constant, which are no bits, serve as they
// are.
func aligned(c *billb.Const) bool {
	return littleEndian && len(c.Data) > 0 && uintptr(unsafe.Pointer(unsafe.SliceData(c.Data)))%uintptr(c.Elem.Width()) == 0
}

// convert is integers in another width.
func convert[T int16 | int32](v []int64) []T {
	out := make([]T, len(v))
	for i, x := range v {
		out[i] = T(x)
	}
	return out
}

// denseData is a copy of a constant as a dense buffer holds it.
func denseData(c *billb.Const) []byte {
	n := billb.Product(c.Shape)
	width := c.Elem.Width()
	out := []byte{}
	switch {
	case n == 0:
	case c.Form == billb.Bytes && width == 2:
		out = Bytes(convert[int16](c.Ints()))
	case c.Form == billb.Bytes && width == 4:
		out = Bytes(convert[int32](c.Ints()))
	case c.Form == billb.Bytes:
		out = Bytes(c.Ints())
	case c.Form != billb.Plain:
		out = Bytes(c.Floats())
	case c.Elem == Bit:
		out = make([]byte, n)
		for i := range out {
			out[i] = c.Data[i/8] >> (i % 8) & 1
		}
	case c.Elem == SBit:
		out = make([]byte, n)
		for i := range out {
			out[i] = c.Data[i/8]>>(i%8)&1*2 - 1
		}
	case c.Elem == Tern:
		out = make([]byte, n)
		half := len(c.Data) / 2
		for i := range out {
			if c.Data[half+i/8]>>(i%8)&1 == 1 {
				out[i] = c.Data[i/8]>>(i%8)&1*2 - 1
			}
		}
	default:
		out = Bytes(make([]uint64, (len(c.Data)+7)/8))[:len(c.Data)]
		copy(out, c.Data)
		if !littleEndian {
			for i := 0; i < len(out); i += width {
				slices.Reverse(out[i : i+width])
			}
		}
	}
	return out
}

var littleEndian = binary.NativeEndian.Uint16([]byte{1, 0}) == 1

// stageOf is a step of one stage.
//
//go:noinline
func stageOf(work int, f func(m *memory, part, parts int)) step {
	return step{stages: []func(*memory, int, int){f}, work: work}
}

// ranged is a step of n independent pieces of work that cost about cost
// operations each; f does pieces lo to hi.
//
//go:noinline
func ranged(n, cost int, f func(m *memory, lo, hi int)) step {
	return stageOf(mulSat(n, cost), func(m *memory, part, parts int) {
		if lo, hi := share(n, part, parts); lo < hi {
			f(m, lo, hi)
		}
	})
}

// share is the range of n pieces that belongs to a part.
//
//go:noinline
func share(n, part, parts int) (lo, hi int) {
	return int(int64(n) * int64(part) / int64(parts)), int(int64(n) * int64(part+1) / int64(parts))
}

// mulSat multiplies and saturates.
//
//go:noinline
func mulSat(v ...int) int {
	const most = 1<<31 - 1
	n := 1
	for _, x := range v {
		if x > 0 && n > most/x {
			n = most
		} else {
			n *= x
		}
	}
	return n
}

// addSat adds and saturates.
//
//go:noinline
func addSat(a, b int) int { return int(min(int64(a)+int64(b), 1<<31-1)) }

// plan is what the kernels package plans.
type plan interface {
	Stages() int
	Scratch(parts int) int
	Run(stage, part, parts int, dst, src, scratch []byte)
}

// planStep is a step that runs a plan from x to y.
func planStep(pl plan, work int, y, x *operand) step {
	s := step{work: work, scratch: pl.Scratch, bare: true}
	for i := range pl.Stages() {
		s.stages = append(s.stages, func(m *memory, part, parts int) {
			pl.Run(i, part, parts, y.bytes(m), x.bytes(m), m.scratch)
		})
	}
	return s
}
