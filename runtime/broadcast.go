package runtime

// walker visits the rows of a tensor together with the rows of operands that
// broadcast to it: a row is a run along the (merged) last axis.
type walker struct {
	shape   []int   // merged axes of the result
	strides [][]int // of every operand along them
	n       int     // elements of a row
	inner   []int   // stride of every operand within a row
	rows    int
}

// maxWalk is the largest number of operands of one walker.
const maxWalk = 5

// broadcasting makes a walker over y for dense operands that broadcast to it.
func (p *prep) broadcasting(y *operand, xs ...*operand) *walker {
	p.dense(y)
	lists := make([][]int, len(xs), len(xs)+1)
	for i, x := range xs {
		s, ok := broadcast(p.dense(x).shape, y.shape)
		if !ok {
			p.fail("%s does not broadcast to %s", x, y)
		}
		lists[i] = s
	}
	shape, lists := merge(y.shape, append(lists, strides(y.shape))...)
	last := len(shape) - 1
	w := &walker{shape: shape, strides: lists[:len(xs)], n: shape[last], rows: product(shape[:last])}
	for _, l := range w.strides {
		w.inner = append(w.inner, l[last])
	}
	if y.n == 0 {
		w.rows = 0
	}
	return w
}

// step is a step that calls f for every row r with the operands' offsets. The
// row of the result is elements r*n to (r+1)*n.
func (w *walker) step(cost int, f func(m *memory, r int, at []int)) step {
	return ranged(w.rows, mulSat(w.n, cost), func(m *memory, lo, hi int) {
		var at [maxWalk]int
		for r := lo; r < hi; r++ {
			clear(at[:])
			q := r
			for a := len(w.shape) - 2; a >= 0; a-- {
				i := q % w.shape[a]
				q /= w.shape[a]
				for k, s := range w.strides {
					at[k] += i * s[a]
				}
			}
			f(m, r, at[:len(w.strides)])
		}
	})
}
