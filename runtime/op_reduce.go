package runtime

import (
	"math"
	"slices"

	"github.com/billnet/billnet/runtime/billb"
	"github.com/billnet/billnet/runtime/kernels"
)

// A reduction is a fold over axes. Every result is one accumulator that takes its
// elements in row-major order.
var reductions = []billb.Opcode{billb.OpReduceSum, billb.OpReduceMean, billb.OpReduceMax, billb.OpReduceMin, billb.OpReduceProd}

func init() {
	for _, op := range reductions {
		executes(op, func(p *prep) step { return prepareReduce(p, op) })
	}
}

// reduced splits the axes of x into those that stay and those that are reduced.
type reduced struct {
	kept *strided // element 0 of every result's elements
	over *strided // offsets of a result's elements
	n    int      // elements of a result
}

// reducing reads the axes and checks y's shape.
func (p *prep) reducing(x, y *operand, axes []int) *reduced {
	var kept, over, keptStride, overStride, with []int
	own := strides(x.shape)
	for a, d := range x.shape {
		if slices.Contains(axes, a) {
			over, overStride, with = append(over, d), append(overStride, own[a]), append(with, 1)
		} else {
			kept, keptStride, with = append(kept, d), append(keptStride, own[a]), append(with, d)
		}
	}
	for i, a := range axes {
		if p.axis(x, a); i > 0 && a <= axes[i-1] {
			p.fail("axes %v do not ascend", axes)
		}
	}
	if !slices.Equal(y.shape, kept) && !slices.Equal(y.shape, with) {
		p.fail("%s, expected shape %s or %s", y, billb.ShapeString(kept), billb.ShapeString(with))
	}
	return &reduced{kept: newStrided(kept, keptStride, 0), over: newStrided(over, overStride, 0), n: billb.Product(over)}
}

// first is the offset of result i's first element.
func (r *reduced) first(i int) int {
	last := len(r.kept.shape) - 1
	n := r.kept.shape[last]
	return r.kept.row(i/n) + i%n*r.kept.stride[last]
}

// rows calls f for the runs of elements of a result: n elements from at on,
// step apart.
func (r *reduced) rows(first int, f func(at, step, n int)) {
	if r.n == 0 {
		return
	}
	last := len(r.over.shape) - 1
	for row := range r.over.rows() {
		f(first+r.over.row(row), r.over.stride[last], r.over.shape[last])
	}
}

func prepareReduce(p *prep, op billb.Opcode) step {
	x, y := p.dense(p.in(0)), p.dense(p.out(0))
	red := p.reducing(x, y, params[billb.Reduce](p).Axes)
	counts := op == billb.OpReduceSum && !x.elem.IsFloat() && (y.elem == I32 || y.elem == I64)
	if x.elem != y.elem && !counts || op == billb.OpReduceMean && !x.elem.IsFloat() {
		p.fail("%s and %s: %s is not defined for them", x, y, op)
	}
	work := max(red.n, 1)
	switch x.elem {
	case F32:
		set := p.set
		return ranged(y.n, work, func(m *memory, lo, hi int) {
			reduceSingle(set, op, view[float32](y, m), view[float32](x, m), red, lo, hi)
		})
	case F64:
		return ranged(y.n, work, func(m *memory, lo, hi int) {
			foldAll(op, view[float64](y, m), view[float64](x, m), red, lo, hi, math.Inf(1))
		})
	}
	least, most := x.elem.Range()
	return ranged(y.n, mulSat(work, 4), func(m *memory, lo, hi int) {
		for i := lo; i < hi; i++ {
			acc := firstOf(op, least, most)
			red.rows(red.first(i), func(at, step, n int) {
				if op == billb.OpReduceSum && step == 1 {
					if sum, ok := sumRun(x, m, at, n); ok {
						acc += sum
						return
					}
				}
				var v [chunk]int64
				for j := 0; j < n; j += chunk {
					c := min(chunk, n-j)
					acc = fold(op, acc, pickInts(v[:c], x, m, at+j*step, step), 0, 1, c)
				}
			})
			v := [1]int64{acc}
			storeInts(y, m, i, v[:])
		}
	})
}

// sumRun is the sum of n elements side by side, of a type that has its own loop.
func sumRun(x *operand, m *memory, at, n int) (sum int64, ok bool) {
	switch x.elem {
	case I16:
		return sumOf(view[int16](x, m)[at:][:n]), true
	case I32:
		return sumOf(view[int32](x, m)[at:][:n]), true
	}
	return 0, false
}

func sumOf[T Number](x []T) int64 {
	sum := int64(0)
	for _, v := range x {
		sum += int64(v)
	}
	return sum
}

// firstOf is where a reduction starts.
func firstOf[T Number](op billb.Opcode, least, most T) T {
	switch op {
	case billb.OpReduceMax:
		return least
	case billb.OpReduceMin:
		return most
	case billb.OpReduceProd:
		return 1
	}
	return 0
}

// folds are the vector kernels of the reductions.
var folds = map[billb.Opcode]kernels.Operator{
	billb.OpReduceSum: kernels.Add, billb.OpReduceMean: kernels.Add, billb.OpReduceMax: kernels.Max, billb.OpReduceMin: kernels.Min, billb.OpReduceProd: kernels.Mul,
}

// foldRows is how many results of sums along rows are computed at a time: none waits for another's addition. foldWidth is how many that
// lie beside one another are, which should stay in cache.
const (
	foldRows  = 8
	foldWidth = 1 << 12
)

// reduceSingle computes results lo to hi of float32. Results whose elements lie beside one another are computed together, as are a few
// whose elements are rows; every one still takes its elements in order.
func reduceSingle(set *kernels.Set, op billb.Opcode, y, x []float32, red *reduced, lo, hi int) {
	kept := len(red.kept.shape) - 1
	beside, width := red.kept.stride[kept], red.kept.shape[kept]
	sums := op == billb.OpReduceSum || op == billb.OpReduceMean
	rows := sums && len(red.over.shape) == 1 && red.over.stride[0] == 1 && red.n > 0
	for i := lo; i < hi; {
		n := min(width-i%width, hi-i, foldWidth)
		switch {
		case beside == 1 && n >= foldRows:
			foldBeside(set, op, y[i:i+n], x, red, red.first(i))
		case rows && n >= foldRows:
			n = foldRows
			foldSums((*[foldRows]float32)(y[i:]), x[red.first(i):], beside, red.n)
		default:
			foldAll(op, y, x, red, i, i+1, float32(math.Inf(1)))
			i++
			continue
		}
		if op == billb.OpReduceMean {
			set.Map(kernels.Over, y[i:i+n], y[i:i+n], float32(red.n), 0)
		}
		i += n
	}
}

// foldBeside folds the elements of results that lie beside one another, the first of them at an offset.
func foldBeside(set *kernels.Set, op billb.Opcode, y, x []float32, red *reduced, first int) {
	start := firstOf(op, float32(math.Inf(-1)), float32(math.Inf(1)))
	for i := range y {
		y[i] = start
	}
	red.rows(first, func(at, step, n int) {
		for range n {
			set.Combine(folds[op], y, y, x[at:at+len(y)])
			at += step
		}
	})
}

// foldSums adds up rows of n elements, step apart.
func foldSums(y *[foldRows]float32, x []float32, step, n int) {
	a, b, c, d := x[:n], x[step:][:n], x[2*step:][:n], x[3*step:][:n]
	e, f, g, h := x[4*step:][:n], x[5*step:][:n], x[6*step:][:n], x[7*step:][:n]
	var s, t, u, v, s1, t1, u1, v1 float32
	for i := range a {
		s += a[i]
		t += b[i]
		u += c[i]
		v += d[i]
		s1 += e[i]
		t1 += f[i]
		u1 += g[i]
		v1 += h[i]
	}
	*y = [foldRows]float32{s, t, u, v, s1, t1, u1, v1}
}

// foldAll computes results lo to hi of floats.
func foldAll[T float](op billb.Opcode, y, x []T, red *reduced, lo, hi int, inf T) {
	for i := lo; i < hi; i++ {
		acc := firstOf(op, -inf, inf)
		red.rows(red.first(i), func(at, step, n int) { acc = fold(op, acc, x, at, step, n) })
		if op == billb.OpReduceMean {
			acc /= T(red.n)
		}
		y[i] = acc
	}
}

// fold takes n elements from at on, step apart, into an accumulator.
func fold[T Number](op billb.Opcode, acc T, x []T, at, step, n int) T {
	switch op {
	case billb.OpReduceMax:
		for range n {
			acc = max(acc, x[at])
			at += step
		}
	case billb.OpReduceMin:
		for range n {
			acc = min(acc, x[at])
			at += step
		}
	case billb.OpReduceProd:
		for range n {
			acc *= x[at]
			at += step
		}
	default:
		for range n {
			acc += x[at]
			at += step
		}
	}
	return acc
}

var _ = executes(billb.OpArgMax, func(p *prep) step {
	x, y := p.dense(p.in(0)), p.dense(p.out(0), I64, I32)
	v := params[billb.ArgMax](p)
	red := p.reducing(x, y, []int{v.Axis})
	if red.n == 0 && y.n > 0 {
		p.fail("%s has no elements to choose from", x)
	}
	inner := billb.Product(x.shape[v.Axis+1:])
	return ranged(y.n, mulSat(red.n, 4), func(m *memory, lo, hi int) {
		for i := lo; i < hi; i++ {
			first := red.first(i)
			var best int
			switch x.elem {
			case F32:
				best = argMax(view[float32](x, m), first, inner, red.n, v.SelectLast)
			case F64:
				best = argMax(view[float64](x, m), first, inner, red.n, v.SelectLast)
			default:
				best = argMaxInt(x, m, first, inner, red.n, v.SelectLast)
			}
			index := [1]int64{int64(best)}
			storeInts(y, m, i, index[:])
		}
	})
})

func argMax[T float](x []T, first, step, n int, last bool) int {
	best := 0
	for k := 1; k < n; k++ {
		v, b := x[first+k*step], x[first+best*step]
		if v > b || v != v && b == b || last && (v == b || v != v && b != b) {
			best = k
		}
	}
	return best
}

func argMaxInt(x *operand, m *memory, first, step, n int, last bool) int {
	best := 0
	for k := 1; k < n; k++ {
		if v, b := intAt(x, m, first+k*step), intAt(x, m, first+best*step); v > b || last && v == b {
			best = k
		}
	}
	return best
}
