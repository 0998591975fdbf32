package runtime

import (
	"math"

	"github.com/billnet/billnet/runtime/billb"
	"github.com/billnet/billnet/runtime/kernels"
)

// rowBlock is about how many elements a program on rows works on at a time, which stay in the first cache with what it makes of
// them. At least foldRows rows are, whose sums are computed together.
const rowBlock = 1 << 11

var _ = executes(billb.OpRows, func(p *prep) step {
	x, v := p.dense(p.in(0), F32), params[billb.Rows](p)
	if x.n == 0 || x.n%v.N != 0 || len(v.Ops) == 0 {
		p.fail("%s and %d operations on rows of %d elements", x, len(v.Ops), v.N)
	}
	rows := x.n / v.N
	r := &rowProgram{set: p.set, n: v.N, block: min(rows, roundUp(rowBlock/v.N+1, foldRows)), ops: make([]rowStep, 0, len(v.Ops))}
	r.operands(p, rows)
	for i, op := range v.Ops {
		r.add(p, op, v.A[i], v.B[i])
	}
	last := &r.ops[len(r.ops)-1]
	last.y.in = p.dense(p.out(0), F32)
	if want := rows * r.width(&last.y); last.y.in.n != want {
		p.fail("%s, expected %d elements", last.y.in, want)
	}
	r.place()
	slot := roundUp(mulSat(r.room, 4), align)
	if slot > defaultLimit {
		p.fail("a block of rows needs %d bytes of scratch memory", slot)
	}
	s := stageOf(mulSat(x.n, len(r.ops)), func(m *memory, part, parts int) {
		room := as[float32](m.scratch[part*slot:][:slot])
		for lo, hi := share(rows, part, parts); lo < hi; lo += r.block {
			b := rowsAt{m: m, room: room, first: lo, rows: min(r.block, hi-lo)}
			for i := range r.ops {
				r.run(&r.ops[i], &b)
			}
		}
	})
	s.scratch = func(parts int) int { return mulSat(parts, slot) }
	return s
})

// rowProgram is a prepared program on rows of n elements, block of them at a time.
type rowProgram struct {
	set      *kernels.Set
	n, block int
	values   []*rowValue // operands by their numbers
	ops      []rowStep
	spare    int // where an operand is spread over rows
	room     int // elements of scratch memory
}

// rowSpan is how much of a row an element of a value serves.
type rowSpan int

const (
	ofAll     rowSpan = iota // one element for all rows
	ofRow                    // one for every row
	ofElement                // one for every element
)

// rowValue is an operand: that of the instruction, a constant, or one in scratch memory at an offset.
type rowValue struct {
	span rowSpan
	in   *operand
	data []float32 // of a block of rows
	at   int
	last int // the operation that reads it last
}

// rowStep is an operation of a program.
type rowStep struct {
	op   billb.RowOp
	a, b *rowValue
	y    rowValue
}

// rowsAt is a block of rows: where it begins, and the scratch memory of the part that computes it.
type rowsAt struct {
	m           *memory
	room        []float32
	first, rows int
}

// width is the elements of a value for every row.
func (r *rowProgram) width(v *rowValue) int {
	if v.span == ofElement {
		return r.n
	}
	return 1
}

// operands reads inputs and constants.
func (r *rowProgram) operands(p *prep, rows int) {
	for i := range p.instr.In {
		v := &rowValue{in: p.dense(p.in(i), F32), span: ofElement}
		if v.in.n != rows*r.n {
			v.span = ofRow
		}
		if v.in.n != rows*r.width(v) {
			p.fail("%s, expected one or %d elements for every of %d rows", v.in, r.n, rows)
		}
		r.values = append(r.values, v)
	}
	for i := range p.instr.Const {
		c := p.konst(i, F32)
		n := 0
		if c != nil {
			n = billb.Product(c.Shape)
		}
		if n != 1 && n != r.n {
			p.fail("constant %d of the program, expected f32 of one element or %d", i, r.n)
		}
		v := &rowValue{data: as[float32](p.denseData(c))[:n]}
		if n > 1 {
			v.span = ofElement
			p.charge(mulSat(r.block, n, 4))
			list := make([]float32, 0, r.block*n)
			for range r.block {
				list = append(list, v.data...)
			}
			v.data = list
		}
		r.values = append(r.values, v)
	}
}

// add checks an operation and takes it into the program.
func (r *rowProgram) add(p *prep, op billb.RowOp, a, b int) {
	if max(a, b) >= len(r.values) || !op.Pair() && b != 0 {
		p.fail("operation %d of the program has operands %d and %d, of %d there are", len(r.ops), a, b, len(r.values))
	}
	s := rowStep{op: op, a: r.values[a]}
	s.y.span, s.a.last = s.a.span, len(r.ops)
	if op.Pair() {
		s.b = r.values[b]
		s.y.span, s.b.last = max(s.a.span, s.b.span), len(r.ops)
		if o := operators[op.Opcode()]; s.a.span < s.b.span && (o.both == kernels.Add || o.both == kernels.Mul) {
			s.a, s.b = s.b, s.a
		}
	}
	if op.Reduces() {
		if s.a.span != ofElement {
			p.fail("operation %d of the program reduces one element", len(r.ops))
		}
		s.y.span = ofRow
	}
	if s.y.span == ofAll {
		p.fail("operation %d of the program has constants only", len(r.ops))
	}
	r.ops = append(r.ops, s)
	r.values = append(r.values, &r.ops[len(r.ops)-1].y)
}

// place gives results their scratch memory, which is used again where a value is no longer read.
func (r *rowProgram) place() {
	var free [ofElement + 1][]int
	take := func(v *rowValue) int {
		if list := free[v.span]; len(list) > 0 {
			free[v.span] = list[:len(list)-1]
			return list[len(list)-1]
		}
		at := r.room
		r.room += roundUp(r.block*r.width(v), align/4)
		return at
	}
	for i := range r.ops {
		s := &r.ops[i]
		for k, v := range []*rowValue{s.a, s.b} {
			if v != nil && v.in == nil && v.data == nil && v.last == i && (k == 0 || v != s.a) {
				free[v.span] = append(free[v.span], v.at)
			}
		}
		if s.y.in == nil {
			s.y.at = take(&s.y)
		}
	}
	r.spare = r.room
	r.room += r.block * r.n
}

// at is the elements of a value for a block of rows.
func (r *rowProgram) at(v *rowValue, b *rowsAt) []float32 {
	k := r.width(v)
	switch {
	case v.in != nil:
		return view[float32](v.in, b.m)[b.first*k:][:b.rows*k]
	case v.span == ofAll:
		return v.data
	case v.data != nil:
		return v.data[:b.rows*k]
	}
	return b.room[v.at:][:b.rows*k]
}

// run executes an operation for a block of rows.
func (r *rowProgram) run(s *rowStep, b *rowsAt) {
	y, a := r.at(&s.y, b), r.at(s.a, b)
	switch {
	case s.op.Reduces():
		r.reduce(s.op.Opcode(), y, a)
	case s.op.Pair():
		r.pair(s, b, y, a, r.at(s.b, b))
	default:
		r.set.Map(vectors[s.op.Opcode()], y, a, 0, 0)
	}
}

// pair combines two operands.
func (r *rowProgram) pair(s *rowStep, b *rowsAt, y, u, v []float32) {
	op := operators[s.op.Opcode()]
	single := op.ones || op.both == kernels.Sub
	switch {
	case s.a.span == s.b.span:
		r.set.Combine(op.both, y, u, v)
	case s.a.span < s.b.span:
		r.set.Combine(op.both, y, r.spread(s.a, s.y.span, b, u), v)
	case single && s.b.span == ofAll:
		r.withOne(op, y, u, v[0])
	case single:
		for i, k := range v {
			r.withOne(op, y[i*r.n:][:r.n], u[i*r.n:], k)
		}
	default:
		r.set.Combine(op.both, y, u, r.spread(s.b, s.y.span, b, v))
	}
}

// withOne combines elements with one number. x - k is x + (-k), bit for bit.
func (r *rowProgram) withOne(op operator, y, u []float32, k float32) {
	if op.both == kernels.Sub {
		op.one, k = kernels.Plus, -k
	}
	r.set.Map(op.one, y, u[:len(y)], k, 0)
}

// spread is the elements of a value repeated for a larger span.
//
//go:noinline
func (r *rowProgram) spread(v *rowValue, to rowSpan, b *rowsAt, u []float32) []float32 {
	n := b.rows
	if to == ofElement {
		n *= r.n
	}
	out := b.room[r.spare:][:n]
	per := n / len(u)
	for i, k := range u {
		part := out[i*per:][:per]
		for j := range part {
			part[j] = k
		}
	}
	return out
}

// reduce makes one element of every row.
func (r *rowProgram) reduce(op billb.Opcode, y, x []float32) {
	i := 0
	if op == billb.OpReduceSum || op == billb.OpReduceMean {
		for ; i+foldRows <= len(y); i += foldRows {
			foldSums((*[foldRows]float32)(y[i:]), x[i*r.n:], r.n, r.n)
		}
	}
	inf := float32(math.Inf(1))
	for ; i < len(y); i++ {
		y[i] = fold(op, firstOf(op, -inf, inf), x, i*r.n, 1, r.n)
	}
	if op == billb.OpReduceMean {
		r.set.Map(kernels.Over, y, y, float32(r.n), 0)
	}
}
