package runtime

import (
	"cmp"
	"slices"

	"github.com/billnet/billnet/runtime/billb"
)

var _ = executes(billb.OpTopK, func(p *prep) step {
	x, y, indices := p.dense(p.in(0)), p.dense(p.out(0)), p.dense(p.out(1), I64)
	p.sameElem(x, y)
	p.sameShape(y, indices)
	v := params[billb.TopK](p)
	if !x.elem.IsFloat() && !x.elem.IsInt() {
		p.fail("%s, expected a float or integer type", x)
	}
	axis := p.axis(x, v.Axis)
	size := x.shape[axis]
	k := 0
	if y.rank() == x.rank() {
		k = y.shape[axis]
	}
	want := slices.Clone(x.shape)
	want[axis] = k
	if p.shaped(y, want...); k > size {
		p.fail("%s, expected at most the %d elements along axis %d of x", y, size, axis)
	}
	inner := billb.Product(x.shape[axis+1:])
	rows := billb.Product(x.shape[:axis]) * inner
	if y.n == 0 {
		return step{}
	}
	perPart := (size*4 + 63) &^ 63
	s := stageOf(mulSat(rows, size, 16), func(m *memory, part, parts int) {
		order := as[int32](m.scratch[part*perPart : (part+1)*perPart])[:size]
		lo, hi := share(rows, part, parts)
		for row := lo; row < hi; row++ {
			first, into := row/inner*size*inner+row%inner, row/inner*k*inner+row%inner
			for i := range order {
				order[i] = int32(i)
			}
			rank(x, m, order, first, inner, v.Largest)
			for i, from := range order[:k] {
				copyElement(y, into+i*inner, x, first+int(from)*inner, m)
				view[int64](indices, m)[into+i*inner] = int64(from)
			}
		}
	})
	s.scratch = func(parts int) int { return mulSat(parts, perPart) }
	return s
})

// rank sorts the positions in order by the elements first + position*step.
func rank(x *operand, m *memory, order []int32, first, step int, largest bool) {
	switch x.elem {
	case F32:
		rankFloats(view[float32](x, m), order, first, step, largest)
	case F64:
		rankFloats(view[float64](x, m), order, first, step, largest)
	default:
		slices.SortFunc(order, func(i, j int32) int {
			a, b := intAt(x, m, first+int(i)*step), intAt(x, m, first+int(j)*step)
			if largest {
				a, b = b, a
			}
			return cmp.Or(cmp.Compare(a, b), cmp.Compare(i, j))
		})
	}
}

func rankFloats[T float](x []T, order []int32, first, step int, largest bool) {
	slices.SortFunc(order, func(i, j int32) int {
		a, b := x[first+int(i)*step], x[first+int(j)*step]
		if largest {
			a, b = b, a
		}
		return cmp.Or(compareFloats(a, b), cmp.Compare(i, j))
	})
}

// compareFloats orders numbers; NaN is larger than everything.
func compareFloats[T float](a, b T) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	case a == b:
		return 0
	}
	return -cmp.Compare(a, b) // which has NaN below everything
}

// copyElement copies element j of x to element i of y, of the same type.
func copyElement(y *operand, i int, x *operand, j int, m *memory) {
	w := x.elem.Width()
	copy(y.bytes(m)[i*w:(i+1)*w], x.bytes(m)[j*w:(j+1)*w])
}
