package runtime

import (
	"math"

	"github.com/billnet/billnet/runtime/billb"
	"github.com/billnet/billnet/runtime/kernels"
)

var (
	_ = executes(billb.OpMaxPool, func(p *prep) step { return preparePool(p, poolMax) })
	_ = executes(billb.OpMinPool, func(p *prep) step { return preparePool(p, poolMin) })
	_ = executes(billb.OpAveragePool, func(p *prep) step { return preparePool(p, poolAverage) })
)

type poolKind int

const (
	poolMax poolKind = iota
	poolMin
	poolAverage
)

func preparePool(p *prep, kind poolKind) step {
	x, y := p.dense(p.in(0)), p.dense(p.out(0))
	p.sameElem(x, y)
	var v *billb.Pool
	padded := false
	if kind == poolAverage {
		p.dense(y, F32, F64)
		average := params[billb.AveragePool](p)
		v, padded = &average.Pool, average.CountIncludePad
	} else {
		v = params[billb.Pool](p)
	}
	w := p.newWindow(x, y, v.Kernel, &v.Window)
	if x.shape[0] != y.shape[0] || x.shape[1] != y.shape[1] {
		p.fail("%s and %s, expected equal batches and channels", x, y)
	}
	work := mulSat(billb.Product(w.out[:]), w.kernel[0], w.kernel[1], w.kernel[2])
	switch y.elem {
	case F32:
		return p.poolSingle(w, kind, padded, y, x, work)
	case F64:
		return ranged(x.shape[0]*x.shape[1], work, func(m *memory, lo, hi int) {
			poolMaps(w, kind, padded, view[float64](y, m), view[float64](x, m), lo, hi, math.Inf(-1), math.Inf(1))
		})
	case U8, I8:
		return p.poolBytes(w, kind, y, x, work)
	}
	return poolInts(p, w, kind, y, x, work)
}

// poolInts pools integers, bools and logic types in int64: every part converts
// one map after the other into its scratch memory, and the result back.
func poolInts(p *prep, w *window, kind poolKind, y, x *operand, work int) step {
	least, most := x.elem.Range()
	in, out, _ := w.sizes()
	slot := roundUp(mulSat(addSat(in, out), 8), align)
	if slot > defaultLimit {
		p.fail("the maps of a channel need %d bytes of scratch memory", slot)
	}
	maps := x.shape[0] * x.shape[1]
	s := stageOf(mulSat(maps, work), func(m *memory, part, parts int) {
		both := as[int64](m.scratch[part*slot:])[:in+out]
		src, dst := both[:in], both[in:]
		lo, hi := share(maps, part, parts)
		for i := lo; i < hi; i++ {
			loadInts(src, x, m, i*in)
			first, last := least, most
			if x.elem == U64 {
				// In the order of int64, which begins at the other end of the sign bit.
				flipSigns(src)
				first, last = least^math.MinInt64, most^math.MinInt64
			}
			poolMaps(w, kind, false, dst, src, 0, 1, first, last)
			if x.elem == U64 {
				flipSigns(dst)
			}
			storeInts(y, m, i*out, dst)
		}
	})
	s.scratch = func(parts int) int { return mulSat(parts, slot) }
	return s
}

func flipSigns(v []int64) {
	for i := range v {
		v[i] ^= math.MinInt64
	}
}

// poolMaps pools maps lo to hi, an output row at a time: every tap is taken into
// the whole row, in row-major order of the taps.
func poolMaps[T Number](w *window, kind poolKind, padded bool, y, x []T, lo, hi int, least, most T) {
	in, out, _ := w.sizes()
	first := startOf(kind, least, most)
	for i := lo; i < hi; i++ {
		src := x[i*in : (i+1)*in]
		for r := range w.out[0] * w.out[1] {
			ot, oh := r/w.out[1], r%w.out[1]
			dst := y[i*out+r*w.out[2]:][:w.out[2]]
			for j := range dst {
				dst[j] = first
			}
			t0, t1 := w.inside(0, ot)
			h0, h1 := w.inside(1, oh)
			for kt := t0; kt < t1; kt++ {
				t := ot*w.stride[0] + kt*w.dil[0] - w.pad[0]
				for kh := h0; kh < h1; kh++ {
					h := oh*w.stride[1] + kh*w.dil[1] - w.pad[1]
					poolRow(w, kind, dst, src[(t*w.in[1]+h)*w.in[2]:][:w.in[2]])
				}
			}
			if kind == poolAverage {
				for ow := range dst {
					w0, w1 := w.inside(2, ow)
					count := (t1 - t0) * (h1 - h0) * (w1 - w0)
					if padded {
						count = w.within(0, ot) * w.within(1, oh) * w.within(2, ow)
					}
					if count > 0 {
						dst[ow] /= T(count)
					}
				}
			}
		}
	}
}

// startOf is where a pooling starts.
func startOf[T Number](kind poolKind, least, most T) T {
	switch kind {
	case poolMax:
		return least
	case poolMin:
		return most
	}
	return 0
}

// poolRow takes the taps of one input row into an output row.
func poolRow[T Number](w *window, kind poolKind, dst, src []T) {
	step := w.stride[2]
	// The taps that are inside for some output.
	first := max(0, (w.pad[2]-(len(dst)-1)*step)/w.dil[2])
	end := min(w.kernel[2], (w.pad[2]+len(src)-1)/w.dil[2]+1)
	for kw := first; kw < end; kw++ {
		shift := kw*w.dil[2] - w.pad[2]
		lo, hi := 0, len(dst) // outputs for which the tap is inside
		if shift < 0 {
			lo = min(hi, (-shift+step-1)/step)
		}
		if last := len(src) - 1 - shift; last < 0 {
			continue
		} else {
			hi = min(hi, last/step+1)
		}
		if lo >= hi {
			continue
		}
		row, from := dst[lo:hi], src[lo*step+shift:]
		switch kind {
		case poolMax:
			for j := range row {
				row[j] = max(row[j], from[j*step])
			}
		case poolMin:
			for j := range row {
				row[j] = min(row[j], from[j*step])
			}
		default:
			for j := range row {
				row[j] += from[j*step]
			}
		}
	}
}

// poolSingle pools float32: with channels side by side, or by rows where these serve better: of few channels, and of large windows
// whose largest elements results that lie in long rows share.
func (p *prep) poolSingle(w *window, kind poolKind, padded bool, y, x *operand, work int) step {
	if y.n == 0 {
		return step{}
	}
	var counts []float32
	if kind == poolAverage {
		p.charge(4 * billb.Product(w.out[:]))
		counts = w.counts(padded)
	}
	taps := mulSat(w.kernel[:]...)
	shared := kind != poolAverage && taps > lanesShared && w.stride[2] == 1 && w.out[2] > lanesWidth
	if p.set.ISA() == kernels.Generic || x.shape[1] < lanesChannels || taps > lanesTaps || shared {
		if s, ok := p.poolRows(w, kind, counts, y, x, work); ok {
			return s
		}
	}
	plan, err := kernels.NewDepthPool(p.set, kernels.DotShape{
		Batch: x.shape[0], Groups: x.shape[1], In: x.shape[1], Out: x.shape[1],
		Size: w.in, Result: w.out, Kernel: w.kernel, Stride: w.stride, Pad: w.pad, Dil: w.dil,
	}, poolOperators[kind], counts)
	if err == nil && plan.Scratch(1) > defaultLimit {
		err = errorf("%s, which needs %d bytes of scratch memory, at most %d are used", x, plan.Scratch(1), defaultLimit)
	}
	if err != nil {
		p.check(billb.Errorf(ErrLimit, "%w", err))
	}
	s := stageOf(mulSat(y.n, taps), func(m *memory, part, parts int) {
		lo, hi := share(plan.Units(), part, parts)
		for u := lo; u < hi; u++ {
			plan.Run(u, part, view[float32](y, m), view[float32](x, m), m.scratch)
		}
	})
	s.scratch = plan.Scratch
	return s
}

// Limits of channels side by side: the fewest; the most taps; those that long rows could share, and what is not yet a long row.
const (
	lanesChannels = 6
	lanesTaps     = 64
	lanesShared   = 16
	lanesWidth    = 16
)

// counts is the number of taps of every position; 1 where there is none.
func (w *window) counts(padded bool) []float32 {
	var counts []float32
	for ot := range w.out[0] {
		for oh := range w.out[1] {
			for ow := range w.out[2] {
				n := 1
				for a, q := range []int{ot, oh, ow} {
					lo, hi := w.inside(a, q)
					if padded {
						lo, hi = 0, w.within(a, q)
					}
					n *= hi - lo
				}
				counts = append(counts, float32(max(n, 1)))
			}
		}
	}
	return counts
}

// rowPool pools float32 in whole rows, padded by what adds nothing and up to whole registers, and split by position modulo the stride,
// so that a tap is a run of one of the pieces. The largest and smallest elements are taken of the rows under an output row first, which
// are split once then; sums keep the order of the taps.
type rowPool struct {
	*window
	kind   poolKind
	set    *kernels.Set
	op     kernels.Operator
	first  float32   // adds nothing
	counts []float32 // of sums, what every position is divided by
	width  int       // of a row of results, rounded up
	length int       // of a padded row
}

// poolOperators are the vector kernels of the poolings.
var poolOperators = [...]kernels.Operator{poolMax: kernels.Max, poolMin: kernels.Min, poolAverage: kernels.Add}

// The temporary vectors of a rowPool: a padded row, its pieces, results.
const (
	poolRow32 = 4 * chunk
	poolSums  = 2 * poolRow32
)

// poolRows is a pooling by rows; false where they are too long.
func (p *prep) poolRows(w *window, kind poolKind, counts []float32, y, x *operand, work int) (step, bool) {
	in, out, _ := w.sizes()
	r := &rowPool{window: w, kind: kind, set: p.set, op: poolOperators[kind], counts: counts, width: roundUp(w.out[2], 16)}
	r.first = startOf(kind, float32(math.Inf(-1)), float32(math.Inf(1)))
	r.length = max(addSat(mulSat(r.width-1, w.stride[2]), mulSat(w.kernel[2]-1, w.dil[2]))+1, addSat(w.pad[2], roundUp(w.in[2], 16)))
	if r.length+w.stride[2] > poolRow32 || r.width > poolRow32 {
		return step{}, false
	}
	rows := w.out[0] * w.out[1]
	return ranged(x.shape[0]*x.shape[1]*rows, work/rows, func(m *memory, lo, hi int) {
		src, dst := view[float32](x, m), view[float32](y, m)
		buffers := as[float32](m.temp)
		r.fill(buffers[:r.length])
		for u := lo; u < hi; u++ {
			i, row := u/rows, u%rows
			r.pool(dst[i*out+row*w.out[2]:][:w.out[2]], src, i*in, row, buffers)
		}
	}), true
}

func (r *rowPool) fill(v []float32) {
	for i := range v {
		v[i] = r.first
	}
}

// pool computes a row of the results of the map that begins at an element of src.
func (r *rowPool) pool(dst, src []float32, at, result int, buffers []float32) {
	row, pieces, sums := buffers[:r.length], buffers[poolRow32:], buffers[poolSums:][:r.width]
	r.fill(sums)
	n := r.in[2]
	wide := roundUp(n, 16)
	taps := 0
	r.taps(result, func(from int) {
		from += at
		if taps == 0 || r.kind == poolAverage {
			copy(row[r.pad[2]:], src[from:from+n])
		} else { // whole registers where the map has them
			n := min(wide, len(src)-from)
			r.set.Combine(r.op, row[r.pad[2]:][:n], row[r.pad[2]:][:n], src[from:from+n])
		}
		taps++
		if r.kind == poolAverage {
			r.take(sums, row, pieces)
		}
	})
	if taps > 0 && r.kind != poolAverage {
		r.fill(row[r.pad[2]+n:])
		r.take(sums, row, pieces)
	}
	copy(dst, sums)
	if r.counts != nil {
		r.set.Combine(kernels.Div, dst, dst, r.counts[result*len(dst):][:len(dst)])
	}
}

// take takes the taps of a padded row.
func (r *rowPool) take(sums, row, pieces []float32) {
	step, size := r.stride[2], 0
	if step > 1 {
		size = (len(row) + step - 1) / step
		splitRow(pieces, row, step, size)
	}
	for kw := range r.kernel[2] {
		at, from := kw*r.dil[2], row
		if step > 1 {
			from, at = pieces[at%step*size:], at/step
		}
		r.set.Combine(r.op, sums, sums, from[at:])
	}
}

// splitRow writes elements i, i+step, ... of a row at i*size.
func splitRow(pieces, src []float32, step, size int) {
	if step == 2 {
		even, odd := pieces[:size], pieces[size:][:len(src)/2]
		for i := range odd {
			even[i], odd[i] = src[2*i], src[2*i+1]
		}
		if len(src)%2 == 1 {
			even[size-1] = src[len(src)-1]
		}
		return
	}
	for i := range min(step, len(src)) {
		piece := pieces[i*size:]
		for j, at := 0, i; at < len(src); at += step {
			piece[j] = src[at]
			j++
		}
	}
}

// within is the number of taps that do not lie behind the padding after.
//
//go:noinline
func (w *window) within(a, p int) int {
	start := p*w.stride[a] - w.pad[a]
	return min(w.kernel[a], (w.in[a]+w.after[a]-1-start)/w.dil[a]+1)
}
