package runtime

import (
	"math/rand/v2"
	"testing"

	"github.com/billnet/billnet/runtime/billb"
)

// rowCase is a random program on rows and the instructions that do the same.
type rowCase struct {
	*rand.Rand
	b                *builder
	rows, n          int
	ids              []int // the values by their numbers, as operands of instructions
	width            []int // their elements for every row; 0: one for all
	program          []int // its integers: operations
	a, second        []int // and their operands
	inputs, constant []int
}

func newRowCase(rng *rand.Rand, rows, n int) *rowCase {
	c := &rowCase{Rand: rng, b: &builder{}, rows: rows, n: n}
	for _, w := range []int{n, n, 1} {
		c.inputs = append(c.inputs, c.b.input(randTensor(rng, F32, rows, w)))
		c.ids, c.width = append(c.ids, c.inputs[len(c.inputs)-1]), append(c.width, w)
	}
	for _, w := range []int{n, 1} {
		k := c.b.konst(randTensor(rng, F32, w))
		c.constant = append(c.constant, k)
		c.ids, c.width = append(c.ids, billb.ConstOperand(k)), append(c.width, w)
	}
	c.width[4] = 0
	return c
}

// add adds an operation of values x and y; it reports whether there is such an operation.
func (c *rowCase) add(op billb.RowOp, x, y int) bool {
	constant := func(v int) bool { return v == 3 || v == 4 }
	if constant(x) && (!op.Pair() || constant(y)) || op.Reduces() && c.width[x] != c.n {
		return false
	}
	operands, w, axes := []int{c.ids[x]}, c.width[x], []int(nil)
	switch {
	case op.Reduces():
		w, axes, y = 1, []int{1}, 0
	case op.Pair():
		operands, w = append(operands, c.ids[y]), max(w, c.width[y])
	default:
		y = 0
	}
	id := c.b.dense(F32, c.rows, w)
	c.b.op(op.Opcode(), operands, []int{id}, axes)
	c.ids, c.width = append(c.ids, id), append(c.width, w)
	c.program, c.a, c.second = append(c.program, int(op)), append(c.a, x), append(c.second, y)
	return true
}

// tame are the functions in front of one that could make NaN or infinities, whose bits and sums are nobody's promise.
var tame = map[billb.Opcode][]billb.Opcode{
	billb.OpSqrt: {billb.OpAbs}, billb.OpExp: {billb.OpSigmoid}, billb.OpLog: {billb.OpSigmoid, billb.OpExp}, billb.OpReciprocal: {billb.OpSigmoid, billb.OpExp},
}

// TestRows: a program gives the bits of its instructions, over rows of all lengths.
func TestRows(t *testing.T) {
	rng := newRand(93)
	sizes := [][2]int{{1, 2}, {7, 3}, {8, 16}, {9, 17}, {33, 64}, {100, 5}, {700, 3}, {3, 5000}, {9, 1000}}
	for i := range 132 {
		size := sizes[i%len(sizes)]
		c := newRowCase(rng, size[0], size[1])
		for tries := 0; tries < 100 && len(c.program) < 1+i%12; tries++ {
			op := billb.RowOp(rng.IntN(20))
			recent := max(0, len(c.ids)-4)
			x, y := recent+rng.IntN(len(c.ids)-recent), rng.IntN(len(c.ids))
			for _, f := range tame[op.Opcode()] {
				if n := rowNumber(f); c.add(billb.RowOp(n), x, 0) {
					x = len(c.ids) - 1
				}
			}
			if op.Opcode() == billb.OpDiv {
				y = rng.IntN(5)
			}
			c.add(op, x, y)
		}
		if len(c.program) == 0 {
			continue
		}
		last := len(c.ids) - 1
		y := c.b.dense(F32, size[0], c.width[last])
		c.b.op(billb.OpRows, c.inputs, []int{y}, append([]int{size[1]}, append(append(c.program, c.a...), c.second...)...), c.constant)
		c.b.output(y)
		c.b.output(c.ids[last])
		out := c.b.run(t)
		same(t, "rows", out[0], out[1])
	}
}

func TestRowsRejects(t *testing.T) {
	add, mean, sqrt := rowNumber(billb.OpAdd), rowNumber(billb.OpReduceMean), rowNumber(billb.OpSqrt)
	for text, f := range map[string]func(b *builder, x, y int){
		"rows of 4 elements":   func(b *builder, x, y int) { b.op(billb.OpRows, []int{x}, []int{y}, []int{4, sqrt, 0, 0}) },
		"0 operations":         func(b *builder, x, y int) { b.op(billb.OpRows, []int{x}, []int{y}, []int{3}) },
		"has operands 1 and 0": func(b *builder, x, y int) { b.op(billb.OpRows, []int{x}, []int{y}, []int{3, add, 1, 0}) },
		"has operands 0 and 2": func(b *builder, x, y int) { b.op(billb.OpRows, []int{x}, []int{y}, []int{3, add, 0, 2}) },
		"reduces one element":  func(b *builder, x, y int) { b.op(billb.OpRows, []int{x}, []int{y}, []int{3, mean, mean, 0, 1, 0, 0}) },
		"expected 2 elements":  func(b *builder, x, y int) { b.op(billb.OpRows, []int{x}, []int{y}, []int{3, mean, 0, 0}) },
		"for every of 2 rows": func(b *builder, x, y int) {
			b.op(billb.OpRows, []int{x, b.input(newTensor(F32, 3))}, []int{y}, []int{3, add, 0, 1})
		},
		"expected f32 of one": func(b *builder, x, y int) {
			b.op(billb.OpRows, []int{x}, []int{y}, []int{3, add, 0, 1}, []int{b.konst(newTensor(F32, 2))})
		},
		"has constants only": func(b *builder, x, y int) {
			b.op(billb.OpRows, []int{x}, []int{y}, []int{3, sqrt, 1, 0}, []int{b.konst(scalarOf(F32, 2))})
		},
		"expected [f32]": func(b *builder, x, y int) {
			b.op(billb.OpRows, []int{b.input(newTensor(F64, 2, 3))}, []int{y}, []int{3, sqrt, 0, 0})
		},
		"x is missing": func(b *builder, _, y int) { b.op(billb.OpRows, nil, []int{y}, []int{3, sqrt, 0, 0}) },
	} {
		b := &builder{}
		x, y := b.input(newTensor(F32, 2, 3)), b.dense(F32, 2, 3)
		f(b, x, y)
		b.output(y)
		b.mustFail(t, text)
	}
}

func rowNumber(code billb.Opcode) int {
	op, ok := billb.RowOpOf(code)
	if !ok {
		panic(code)
	}
	return int(op)
}
