package runtime

import "github.com/billnet/billnet/runtime/billb"

var _ = executes(billb.OpScatter, func(p *prep) step {
	x, rows, updates, y := p.dense(p.in(0)), p.dense(p.in(1), I64, I32), p.dense(p.in(2)), p.dense(p.out(0))
	p.sameElem(x, y)
	p.sameShape(x, y)
	p.sameElem(updates, y)
	if x.rank() == 0 || rows.rank() != 1 {
		p.fail("%s and %s, expected x with at least one axis and a list of rows", x, rows)
	}
	p.shaped(updates, append([]int{rows.n}, x.shape[1:]...)...)
	r := params[billb.Scatter](p).Reduction
	if r != billb.Replace && !x.elem.IsFloat() && !x.elem.IsInt() {
		p.fail("%s: elements of that type cannot be combined", x)
	}
	count, size := x.shape[0], billb.Product(x.shape[1:])
	s := duplicate(y, x)
	s.work = addSat(s.work, updates.n)
	// Updates come one after the other: a later one may be of the same row.
	s.stages = append(s.stages, func(m *memory, part, _ int) {
		if part != 0 {
			return
		}
		for i := range rows.n {
			row := indexAt(rows, m, i)
			if row < 0 {
				row += int64(count)
			}
			if row < 0 || row >= int64(count) {
				m.fault.set("row %d is out of range for %d of them", i, count)
				return
			}
			combineRow(m, r, y, int(row)*size, updates, i*size, size)
		}
	})
	return s
})

// combineRow combines n elements of u from j on with those of y from i on.
func combineRow(m *memory, r billb.Reduction, y *operand, i int, u *operand, j, n int) {
	if r == billb.Replace {
		w := y.elem.Width()
		copy(y.bytes(m)[i*w:(i+n)*w], u.bytes(m)[j*w:(j+n)*w])
		return
	}
	if y.elem.IsFloat() {
		a, b := tmp[float64](m, 0), tmp[float64](m, 1)
		for k := 0; k < n; k += chunk {
			c := min(chunk, n-k)
			loadFloats(a[:c], y, m, i+k)
			loadFloats(b[:c], u, m, j+k)
			combine(r, a[:c], b[:c])
			storeFloats(y, m, i+k, a[:c])
		}
		return
	}
	a, b := tmp[int64](m, 0), tmp[int64](m, 1)
	for k := 0; k < n; k += chunk {
		c := min(chunk, n-k)
		loadInts(a[:c], y, m, i+k)
		loadInts(b[:c], u, m, j+k)
		combine(r, a[:c], b[:c])
		storeInts(y, m, i+k, a[:c])
	}
}

// combine writes the combination of a and b to a. One operation of float64
// numbers that are float32, rounded to float32, is the operation of float32.
func combine[T float64 | int64](r billb.Reduction, a, b []T) {
	for i, v := range b {
		switch r {
		case billb.Add:
			a[i] += v
		case billb.Multiply:
			a[i] *= v
		case billb.Largest:
			a[i] = max(a[i], v)
		case billb.Smallest:
			a[i] = min(a[i], v)
		}
	}
}
