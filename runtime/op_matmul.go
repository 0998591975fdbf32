package runtime

import (
	"slices"

	"github.com/billnet/billnet/runtime/billb"
)

var _ = executes(billb.OpMatMul, func(p *prep) step {
	switch p.out(0).elem {
	case F32:
		return prepareMatMul[float32](p)
	case F64:
		return prepareMatMul[float64](p)
	case I32, I64:
		return prepareMatMul[int64](p) // i32 sums wrap to the low bits of these
	}
	p.fail("%s, expected f32, f64, i32 or i64", p.out(0))
	return step{}
})

// unitRows and unitPanels bound a unit of work of a matrix product.
const (
	unitRows   = 16
	unitPanels = 16
)

// matMulShape is the sizes of a stack of matrix products.
type matMulShape struct {
	m, k, n int
	batch   []int // the axes before the matrices
	a, b    []int // strides of the operands in batch, in matrices
	right   int   // matrices of b
}

// newMatMulShape checks the operands a, b and the output y.
func newMatMulShape(p *prep) matMulShape {
	a, b, y := p.dense(p.in(0)), p.dense(p.in(1)), p.dense(p.out(0))
	p.sameElem(a, y)
	p.sameElem(b, y)
	if a.rank() == 0 || b.rank() == 0 {
		p.fail("%s and %s, expected at least one axis each", a, b)
	}
	as, bs := a.shape, b.shape
	if len(as) == 1 {
		as = []int{1, as[0]}
	}
	if len(bs) == 1 {
		bs = []int{bs[0], 1}
	}
	m, k, n := as[len(as)-2], as[len(as)-1], bs[len(bs)-1]
	if bs[len(bs)-2] != k {
		p.fail("%s and %s: %d columns against %d rows", a, b, k, bs[len(bs)-2])
	}
	as, bs = as[:len(as)-2], bs[:len(bs)-2]
	matrix := []int{}
	if a.rank() > 1 {
		matrix = append(matrix, m)
	}
	if b.rank() > 1 {
		matrix = append(matrix, n)
	}
	split := y.rank() - len(matrix)
	if split < 0 || !slices.Equal(y.shape[split:], matrix) {
		p.fail("%s, expected the last axes %s", y, billb.ShapeString(matrix))
	}
	batch := y.shape[:split]
	sa, okA := broadcast(as, batch)
	sb, okB := broadcast(bs, batch)
	if !okA || !okB || len(batch) != max(len(as), len(bs)) {
		p.fail("%s, expected the axes that %s and %s broadcast to", y, a, b)
	}
	return matMulShape{m, k, n, batch, sa, sb, billb.Product(bs)}
}

// matrices are the numbers of the matrices of a and b whose product is matrix i of y.
//
//go:noinline
func (sh *matMulShape) matrices(i int) (a, b int) {
	for d := len(sh.batch) - 1; d >= 0; d-- {
		at := i % sh.batch[d]
		a += at * sh.a[d]
		b += at * sh.b[d]
		i /= sh.batch[d]
	}
	return a, b
}

func prepareMatMul[T real](p *prep) step {
	a, b, y := p.in(0), p.in(1), p.out(0)
	sh := newMatMulShape(p)
	m, k, n, batch := sh.m, sh.k, sh.n, sh.batch
	if y.n == 0 {
		return step{}
	}
	mem := area{p: p}
	right := newMatrices[T](&mem, b, sh.right, 0, k, n, n, 1)
	left, out := newValues[T](&mem, a), newValues[T](&mem, y)
	s := step{work: mulSat(y.n, max(k, 1)), scratch: mem.scratch}
	if out.convert {
		s.stages = append(s.stages, func(mm *memory, part, parts int) {
			left.load(mm, part, parts)
			right.x.load(mm, part, parts)
		})
	}
	if right.packed == nil {
		s.stages = append(s.stages, right.pack)
	}
	rowUnits, panelUnits := (m+unitRows-1)/unitRows, (right.count()+unitPanels-1)/unitPanels
	s.stages = append(s.stages, func(mm *memory, part, parts int) {
		dst, x := out.view(mm), left.view(mm)
		lo, hi := share(billb.Product(batch)*rowUnits*panelUnits, part, parts)
		for u := lo; u < hi; u++ {
			i, row, panel := u/(rowUnits*panelUnits), u/panelUnits%rowUnits*unitRows, u%panelUnits*unitPanels
			atA, atB := sh.matrices(i)
			right.batchProduct(mm, atB, dst[(i*m+row)*n:], n, x[(atA*m+row)*k:], k, min(unitRows, m-row), panel, min(panel+unitPanels, right.count()))
		}
	})
	if out.convert {
		s.stages = append(s.stages, out.store)
	}
	return s
}
