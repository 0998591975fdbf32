package runtime

import (
	"math"

	"github.com/billnet/billnet/runtime/billb"
)

var (
	_ = executes(billb.OpSoftmax, func(p *prep) step { return prepareSoftmax(p, false) })
	_ = executes(billb.OpLogSoftmax, func(p *prep) step { return prepareSoftmax(p, true) })
)

func prepareSoftmax(p *prep, logarithm bool) step {
	x, y := p.dense(p.in(0), F32, F64), p.dense(p.out(0))
	p.sameElem(x, y)
	p.sameShape(x, y)
	axis := p.axis(x, params[billb.Along](p).Axis)
	if y.n == 0 {
		return step{}
	}
	d, inner := x.shape[axis], billb.Product(x.shape[axis+1:])
	if set := p.set; inner == 1 && y.elem == F32 && !logarithm {
		return ranged(y.n/d, mulSat(d, 4), func(m *memory, lo, hi int) {
			src, dst := view[float32](x, m), view[float32](y, m)
			for at := lo * d; at < hi*d; at += d {
				set.Softmax(dst[at:at+d], src[at:at+d], tmp[float64](m, 0))
			}
		})
	}
	if inner > 1 && y.elem == F32 && !logarithm && d <= columnFloats {
		return p.softmaxColumns(y, x, d, inner)
	}
	return ranged(y.n/d, mulSat(d, 16), func(m *memory, lo, hi int) {
		for line := lo; line < hi; line++ {
			first := line/inner*d*inner + line%inner
			most, sum := math.Inf(-1), 0.0
			for k := range d {
				most = max(most, floatAt(x, m, first+k*inner))
			}
			for k := range d {
				sum += math.Exp(floatAt(x, m, first+k*inner) - most)
			}
			for k := range d {
				v := floatAt(x, m, first+k*inner) - most
				if logarithm {
					v -= math.Log(sum)
				} else {
					v = math.Exp(v) / sum
				}
				setFloat(y, m, first+k*inner, v)
			}
		}
	})
}

// columns is how many neighbouring lines softmaxColumns deals with at most at a time, and columnFloats the room for them.
const (
	columns      = 16
	columnFloats = 4 * chunk
)

// softmaxColumns is the softmax of lines of d elements that lie inner apart, each copied to a row and back.
func (p *prep) softmaxColumns(y, x *operand, d, inner int) step {
	most := min(columns, columnFloats/d)
	set, blocks := p.set, (inner+most-1)/most
	return ranged(y.n/(d*inner)*blocks, mulSat(d, most, 6), func(m *memory, lo, hi int) {
		src, dst := view[float32](x, m), view[float32](y, m)
		lanes, rows := tmp[float64](m, 0), as[float32](m.temp[chunk*8:])[:columnFloats]
		for b := lo; b < hi; b++ {
			first := b % blocks * most
			n := min(most, inner-first)
			first += b / blocks * d * inner
			for k := range d {
				for j, v := range src[first+k*inner:][:n] {
					rows[j*d+k] = v
				}
			}
			for j := range n {
				set.Softmax(rows[j*d:(j+1)*d], rows[j*d:(j+1)*d], lanes)
			}
			for k := range d {
				line := dst[first+k*inner:][:n]
				for j := range line {
					line[j] = rows[j*d+k]
				}
			}
		}
	})
}
