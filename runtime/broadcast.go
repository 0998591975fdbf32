package runtime

import "github.com/billnet/billnet/runtime/billb"

// walker visits a tensor in runs along its last axis, together with operands
// that broadcast to it. Axes that one loop can walk are merged, and long runs
// are cut into pieces, so that pieces can be shared among threads.
type walker struct {
	shape   []int   // merged axes of the result
	strides [][]int // of every operand along them
	n       int     // elements of a row
	inner   []int   // stride of every operand within a row
	cuts    int     // pieces of a row
	pieces  int
}

const (
	maxWalk = temps   // operands of a walker
	maxRun  = 1 << 12 // elements of a piece
)

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
	w := &walker{shape: shape, strides: lists[:len(xs)], n: shape[last]}
	for _, l := range w.strides {
		w.inner = append(w.inner, l[last])
	}
	if y.n > 0 {
		w.cuts = (w.n + maxRun - 1) / maxRun
		w.pieces = billb.Product(shape[:last]) * w.cuts
	}
	return w
}

// run is a piece: elements first, first+1, ... of the result, and where the
// operands' elements begin.
type run struct {
	first, n int
	at       [maxWalk]int
}

// step is a step that calls f for every piece.
func (w *walker) step(cost int, f func(m *memory, r run)) step {
	return ranged(w.pieces, mulSat(min(w.n, maxRun), cost), func(m *memory, lo, hi int) {
		var r run
		for p := lo; p < hi; p++ {
			row, cut := p/w.cuts, p%w.cuts*maxRun
			r.first, r.n = row*w.n+cut, min(maxRun, w.n-cut)
			for k, inner := range w.inner {
				r.at[k] = cut * inner
			}
			for a := len(w.shape) - 2; a >= 0; a-- {
				i := row % w.shape[a]
				row /= w.shape[a]
				for k, s := range w.strides {
					r.at[k] += i * s[a]
				}
			}
			f(m, r)
		}
	})
}

// pick is n elements of v from at on, step apart: v itself where they lie
// together, else copied to tmp.
func pick[T any](v []T, at, step, n int, tmp []T) []T {
	if step == 1 {
		return v[at : at+n]
	}
	dst := tmp[:n]
	if step == 0 {
		x := v[at]
		for i := range dst {
			dst[i] = x
		}
		return dst
	}
	for i := range dst {
		dst[i] = v[at]
		at += step
	}
	return dst
}

// pickInts and pickFloats are n elements of an operand of any type, converted,
// from at on, step apart.
func pickInts(dst []int64, o *operand, m *memory, at, step int) []int64 {
	switch step {
	case 1:
		loadInts(dst, o, m, at)
	case 0:
		loadInts(dst[:1], o, m, at)
		for i := range dst {
			dst[i] = dst[0]
		}
	default:
		for i := range dst {
			loadInts(dst[i:i+1], o, m, at)
			at += step
		}
	}
	return dst
}

func pickFloats(dst []float64, o *operand, m *memory, at, step int) []float64 {
	switch step {
	case 1:
		loadFloats(dst, o, m, at)
	case 0:
		loadFloats(dst[:1], o, m, at)
		for i := range dst {
			dst[i] = dst[0]
		}
	default:
		for i := range dst {
			loadFloats(dst[i:i+1], o, m, at)
			at += step
		}
	}
	return dst
}
