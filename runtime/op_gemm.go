package runtime

import "github.com/billnet/billnet/runtime/billb"

var _ = executes(billb.OpGemm, func(p *prep) step {
	if p.out(0).elem == F64 {
		return prepareGemm[float64](p)
	}
	return prepareGemm[float32](p)
})

// gemmShape is the operands and sizes of a product: y is m by n, the sums are of k products, and element (i,j) of the right matrix is
// element i*rowStep + j*colStep of b.
type gemmShape struct {
	a, b, c, y                *operand
	bias                      *strided // of c; nil: none
	m, k, n, rowStep, colStep int
}

func newGemmShape(p *prep, v *billb.Gemm) *gemmShape {
	a, b, c, y := p.dense(p.in(0)), p.dense(p.in(1)), p.optIn(2), p.dense(p.out(0), F32, F64)
	p.sameElem(a, y)
	p.sameElem(b, y)
	if a.rank() != 2 || b.rank() != 2 {
		p.fail("%s and %s, expected matrices", a, b)
	}
	m, k := a.shape[0], a.shape[1]
	if v.TransA {
		m, k = k, m
	}
	rows, n, rowStep, colStep := b.shape[0], b.shape[1], b.shape[1], 1
	if v.TransB {
		rows, n, rowStep, colStep = n, rows, 1, b.shape[1]
	}
	if rows != k {
		p.fail("%s and %s: %d columns against %d rows", a, b, k, rows)
	}
	p.shaped(y, m, n)
	g := &gemmShape{a: a, b: b, c: c, y: y, m: m, k: k, n: n, rowStep: rowStep, colStep: colStep}
	if c != nil {
		p.sameElem(p.dense(c), y)
		s, ok := broadcast(c.shape, y.shape)
		if !ok {
			p.fail("%s does not broadcast to %s", c, y)
		}
		g.bias = &strided{shape: y.shape, stride: s}
	}
	return g
}

func prepareGemm[T float](p *prep) step {
	v := params[billb.Gemm](p)
	g := newGemmShape(p, v)
	a, c, y, bias, m, k, n := g.a, g.c, g.y, g.bias, g.m, g.k, g.n
	if y.n == 0 {
		return step{}
	}
	mem := area{p: p}
	right := newMatrix[T](&mem, g.b, 0, k, n, g.rowStep, g.colStep)
	left := -1 // offset of the transpose of a in scratch memory
	if v.TransA {
		left = mem.take(a.size, 1)
	}
	alpha, beta := T(v.Alpha), T(v.Beta)
	s := step{work: mulSat(m, n, k), scratch: mem.scratch}
	if left >= 0 || right.packed == nil {
		s.stages = append(s.stages, func(mm *memory, part, parts int) {
			right.pack(mm, part, parts)
			if left >= 0 {
				lo, hi := share(m, part, parts)
				src, dst := view[T](a, mm), as[T](mm.scratch[left:][:a.size])
				for i := lo; i < hi; i++ {
					for j := range k {
						dst[i*k+j] = src[j*m+i]
					}
				}
			}
		})
	}
	s.stages = append(s.stages, func(mm *memory, part, parts int) {
		x, dst := view[T](a, mm), view[T](y, mm)
		if left >= 0 {
			x = as[T](mm.scratch[left:][:a.size])
		}
		// Wide results are shared by columns, tall ones by rows.
		r0, r1, p0, p1 := 0, m, 0, right.count()
		if m >= n {
			r0, r1 = share(m, part, parts)
		} else {
			p0, p1 = share(right.count(), part, parts)
		}
		if r0 == r1 || p0 == p1 {
			return
		}
		right.product(mm, dst[r0*n:], n, x[r0*k:], k, r1-r0, p0, p1)
		c0, c1 := p0*right.cols, min(n, p1*right.cols)
		for i := r0; i < r1; i++ {
			row := dst[i*n+c0 : i*n+c1]
			if alpha != 1 {
				for j := range row {
					row[j] *= alpha
				}
			}
			if bias != nil {
				cv, at := view[T](c, mm), i*bias.stride[0]+c0*bias.stride[1]
				for j := range row {
					row[j] += T(beta * cv[at])
					at += bias.stride[1]
				}
			}
		}
	})
	return s
}
