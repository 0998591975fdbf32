package runtime

import "github.com/billnet/billnet/runtime/billb"

var (
	_ = executes(billb.OpExpand, func(p *prep) step {
		x, y := p.dense(p.in(0)), p.dense(p.out(0))
		p.sameElem(x, y)
		s, ok := broadcast(x.shape, y.shape)
		if !ok {
			p.fail("%s does not broadcast to %s", x, y)
		}
		return p.reorder(y, x, newStrided(y.shape, s, 0))
	})
	_ = executes(billb.OpTile, func(p *prep) step {
		x, y := p.dense(p.in(0)), p.dense(p.out(0))
		p.sameElem(x, y)
		if x.rank() != y.rank() {
			p.fail("%s and %s, expected as many axes", x, y)
		}
		if x.n == 0 && y.n > 0 {
			p.fail("%s has no elements to repeat", x)
		}
		return indexed(p, y, x, nil, func(a, i int) int { return i % x.shape[a] })
	})
	_ = executes(billb.OpPad, func(p *prep) step {
		x, value, y := p.dense(p.in(0)), p.optIn(1), p.dense(p.out(0))
		p.sameElem(x, y)
		if x.rank() != y.rank() {
			p.fail("%s and %s, expected as many axes", x, y)
		}
		v := params[billb.Pad](p)
		p.perAxis("before", v.Before, x)
		if value != nil {
			if p.sameElem(p.dense(value), y); value.n != 1 {
				p.fail("%s, expected one element", value)
			}
		} else if v.Mode == billb.PadConstant && y.elem == SBit {
			p.fail("%s has no 0 to pad with: expected value", y)
		}
		first, left := make([]int, x.rank()), make([]int, x.rank())
		for a, d := range x.shape {
			before := v.Before[a]
			after := y.shape[a] - d - before
			first[a] = max(0, -before)
			if left[a] = d - first[a] - max(0, -after); left[a] <= 0 && y.n > 0 && v.Mode != billb.PadConstant {
				p.fail("%s leaves no elements of axis %d to pad with", x, a)
			}
		}
		return indexed(p, y, x, value, func(a, i int) int {
			from := padSource(v.Mode, i-max(v.Before[a], 0), left[a])
			if from >= 0 {
				from += first[a]
			}
			return from
		})
	})
)

// padSource is the index that position i of an axis of d elements is taken
// from, -1 for the padding value.
func padSource(mode billb.PadMode, i, d int) int {
	if i >= 0 && i < d {
		return i
	}
	switch mode {
	case billb.PadReflect:
		if d == 1 {
			return 0
		}
		period := 2 * (d - 1)
		i = (i%period + period) % period
		return min(i, period-i)
	case billb.PadEdge:
		return min(max(i, 0), d-1)
	case billb.PadWrap:
		return (i%d + d) % d
	}
	return -1
}

// indexed is a step that takes index from(a, i) of x along every axis a for
// index i of y; -1 takes value, or 0.
func indexed(p *prep, y, x, value *operand, from func(a, i int) int) step {
	if y.n == 0 {
		return step{}
	}
	table, outside := make([][]int32, y.rank()), false
	for a, n := range y.shape {
		p.charge(mulSat(n, 32)) // runs of one element, at most
		table[a] = make([]int32, n)
		for i := range table[a] {
			j := from(a, i)
			if j >= x.shape[a] || j < -1 {
				p.fail("%s and %s: axis %d does not fit", x, y, a)
			}
			table[a][i] = int32(j)
			outside = outside || j < 0
		}
	}
	if y.rank() == 0 {
		return move(y, x)
	}
	width, own, last := y.elem.Width(), strides(x.shape), y.rank()-1
	inner := width // bytes of trailing axes that stay as they are, which move together
	for last > 0 && isWhole(table[last], x.shape[last]) {
		inner *= x.shape[last]
		last--
	}
	n, runs := y.shape[last], runsOf(table[last])
	rows, apart := []int32{0}, 0 // of the axis in front, which one loop walks
	if last > 0 {
		last--
		rows, apart = table[last], own[last]*width
	}
	plane := len(rows) * n * inner
	return ranged(y.n*width/plane, plane, func(m *memory, lo, hi int) {
		src, dst, fill := x.bytes(m), y.bytes(m), make([]byte, 8)[:width]
		if value != nil {
			fill = value.bytes(m)[:width]
		}
		if outside {
			repeat(dst[lo*plane:hi*plane], fill)
		}
		for r := lo; r < hi; r++ {
			q, base := r, 0
			for a := last - 1; a >= 0; a-- {
				j := int(table[a][q%y.shape[a]])
				q /= y.shape[a]
				if j < 0 || base < 0 {
					base = -1
				} else {
					base += j * own[a] * width
				}
			}
			for i, j := range rows {
				if base < 0 || j < 0 {
					continue
				}
				row, at := dst[r*plane+i*n*inner:], base+int(j)*apart
				for _, u := range runs {
					switch to := row[u.to*inner:][:u.n*inner]; {
					case len(to) == 1:
						to[0] = src[at+u.from]
					case len(to) == 2:
						*(*[2]byte)(to) = *(*[2]byte)(src[at+u.from*inner:])
					case len(to) == 4:
						*(*[4]byte)(to) = *(*[4]byte)(src[at+u.from*inner:])
					default:
						copy(to, src[at+u.from*inner:])
					}
				}
			}
		}
	})
}

// repeat fills b with copies of a pattern.
func repeat(b, pattern []byte) {
	for n := copy(b, pattern); n < len(b); n *= 2 {
		copy(b[n:], b[:n])
	}
}

// indexRun is n elements that lie side by side in the result and in the source.
type indexRun struct{ to, from, n int }

// runsOf are the runs of a table of indices, without those that are none of the source.
func runsOf(table []int32) (runs []indexRun) {
	for i, j := range table {
		switch k := len(runs) - 1; {
		case j < 0:
		case k >= 0 && i == runs[k].to+runs[k].n && int(j) == runs[k].from+runs[k].n:
			runs[k].n++
		default:
			runs = append(runs, indexRun{i, int(j), 1})
		}
	}
	return runs
}

// isWhole reports that an axis of d elements is taken as it is.
func isWhole(table []int32, d int) bool {
	for i, j := range table {
		if int(j) != i {
			return false
		}
	}
	return len(table) == d
}

var _ = executes(billb.OpGatherElements, func(p *prep) step {
	x, index, y := p.dense(p.in(0)), p.dense(p.in(1), I32, I64), p.dense(p.out(0))
	p.sameElem(x, y)
	p.sameShape(index, y)
	axis := p.axis(x, params[billb.Along](p).Axis)
	if x.rank() != y.rank() {
		p.fail("%s and %s, expected as many axes", x, y)
	}
	for a, n := range y.shape {
		if a != axis && n > x.shape[a] {
			p.fail("%s and %s: axis %d does not fit", x, y, a)
		}
	}
	if y.n == 0 {
		return step{}
	}
	own, size, width := strides(x.shape), x.shape[axis], x.elem.Width()
	return ranged(y.n, 8, func(m *memory, lo, hi int) {
		src, dst := x.bytes(m), y.bytes(m)
		for r := lo; r < hi; r++ {
			i := indexAt(index, m, r)
			if i < 0 {
				i += int64(size)
			}
			if i < 0 || i >= int64(size) {
				m.fault.set("index element %d is out of range for an axis of %d", r, size)
				return
			}
			at, q := int(i)*own[axis], r
			for a := len(own) - 1; a >= 0; a-- {
				if a != axis {
					at += q % y.shape[a] * own[a]
				}
				q /= y.shape[a]
			}
			copy(dst[r*width:(r+1)*width], src[at*width:])
		}
	})
})

var _ = executes(billb.OpJoin, func(p *prep) step {
	pos, neg, y := p.dense(p.in(0), Bit), p.dense(p.in(1), Bit), p.dense(p.out(0), Tern)
	p.sameShape(pos, y)
	p.sameShape(neg, y)
	return ranged(y.n, 1, func(m *memory, lo, hi int) {
		a, b, dst := pos.bytes(m)[lo:hi], neg.bytes(m)[lo:hi], y.bytes(m)[lo:hi]
		for i, v := range a {
			dst[i] = v - b[i]
		}
	})
})
