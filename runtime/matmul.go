package runtime

// The matrix product. The right operand is packed into panels of four columns,
// which the inner loop reads in sequence; two rows by four columns of sums stay
// in registers. Every sum is one accumulator that starts at 0 and runs over k
// in ascending order, with no fused multiply-add (the conversions forbid it), so
// the result is the same on every machine and for every blocking.

type float interface{ float32 | float64 }

// panelCols is the number of columns of a panel.
const panelCols = 4

// panelLen is the number of elements of the panels of a k by n matrix.
func panelLen(k, n int) int { return mulSat(k, roundUp(n, panelCols)) }

// packPanels packs panels lo to hi of the k by n matrix whose element (i,j) is
// b[i*rowStep+j*colStep]. Columns after the last are zero.
func packPanels[T float](dst, b []T, k, n, rowStep, colStep, lo, hi int) {
	for p := lo; p < hi; p++ {
		panel := dst[p*k*panelCols : (p+1)*k*panelCols]
		for j := range panelCols {
			col := p*panelCols + j
			if col >= n {
				for i := range k {
					panel[i*panelCols+j] = 0
				}
				continue
			}
			at := col * colStep
			for i := range k {
				panel[i*panelCols+j] = b[at]
				at += rowStep
			}
		}
	}
}

// multiply sets rows of y to rows of a times the columns of panels lo to hi:
// y[i*ldy+j] = sum over k of a[i*lda+k]*b[k,j].
func multiply[T float](y []T, ldy int, a []T, lda int, panels []T, rows, k, n, lo, hi int) {
	if k == 0 {
		for i := range rows {
			clear(y[i*ldy+lo*panelCols : i*ldy+min(n, hi*panelCols)])
		}
		return
	}
	for p := lo; p < hi; p++ {
		panel := panels[p*k*panelCols : (p+1)*k*panelCols]
		col := p * panelCols
		cols := min(panelCols, n-col)
		i := 0
		for ; i+2 <= rows; i += 2 {
			var s [2][panelCols]T
			tile2(&s, a[i*lda:i*lda+k], a[(i+1)*lda:(i+1)*lda+k], panel)
			copy(y[i*ldy+col:][:cols], s[0][:])
			copy(y[(i+1)*ldy+col:][:cols], s[1][:])
		}
		if i < rows {
			var s [panelCols]T
			tile1(&s, a[i*lda:i*lda+k], panel)
			copy(y[i*ldy+col:][:cols], s[:])
		}
	}
}

func tile2[T float](s *[2][panelCols]T, a, b, panel []T) {
	var s00, s01, s02, s03, s10, s11, s12, s13 T
	b = b[:len(a)]
	for i, u := range a {
		v := b[i]
		w := (*[panelCols]T)(panel)
		panel = panel[panelCols:]
		s00 += T(u * w[0])
		s10 += T(v * w[0])
		s01 += T(u * w[1])
		s11 += T(v * w[1])
		s02 += T(u * w[2])
		s12 += T(v * w[2])
		s03 += T(u * w[3])
		s13 += T(v * w[3])
	}
	s[0] = [panelCols]T{s00, s01, s02, s03}
	s[1] = [panelCols]T{s10, s11, s12, s13}
}

func tile1[T float](s *[panelCols]T, a, panel []T) {
	var s0, s1, s2, s3 T
	for _, u := range a {
		w := (*[panelCols]T)(panel)
		panel = panel[panelCols:]
		s0 += T(u * w[0])
		s1 += T(u * w[1])
		s2 += T(u * w[2])
		s3 += T(u * w[3])
	}
	*s = [panelCols]T{s0, s1, s2, s3}
}

// area hands out pieces of a step's scratch memory.
type area struct {
	p    *prep
	size int
}

// take reserves n times width bytes and returns their offset.
func (a *area) take(n, width int) int {
	if n == 0 || width == 0 {
		return a.size
	}
	if n > (defaultLimit-a.size-align)/width {
		a.p.fail("the instruction needs more than %d bytes of scratch memory", defaultLimit)
	}
	at := a.size
	a.size += roundUp(n*width, align)
	return at
}

// scratch is the size for a step.
func (a *area) scratch(int) int { return a.size }

// matrix is a right operand that is packed at load when it is a constant, else
// by the first stage of a step into scratch memory.
type matrix[T float] struct {
	x                *operand
	first            int // of the element (0,0) in x
	k, n             int
	rowStep, colStep int
	packed           []T
	at               int // offset of the panels in scratch memory
}

// newMatrix makes the right operand and reserves scratch memory if it needs any.
func newMatrix[T float](a *area, x *operand, first, k, n, rowStep, colStep int) *matrix[T] {
	r := &matrix[T]{x: x, first: first, k: k, n: n, rowStep: rowStep, colStep: colStep}
	if x.fixed != nil {
		r.packed = make([]T, panelLen(k, n))
		if k > 0 {
			packPanels(r.packed, as[T](x.fixed)[first:], k, n, rowStep, colStep, 0, r.count())
		}
	} else {
		r.at = a.take(panelLen(k, n), x.elem.Width())
	}
	return r
}

// count is the number of panels.
func (r *matrix[T]) count() int { return roundUp(r.n, panelCols) / panelCols }

// pack is a part of the first stage.
func (r *matrix[T]) pack(m *memory, part, parts int) {
	if r.packed == nil && r.k > 0 {
		lo, hi := share(r.count(), part, parts)
		packPanels(r.panels(m), view[T](r.x, m)[r.first:], r.k, r.n, r.rowStep, r.colStep, lo, hi)
	}
}

func (r *matrix[T]) panels(m *memory) []T {
	if r.packed != nil {
		return r.packed
	}
	return as[T](m.scratch[r.at:])[:panelLen(r.k, r.n)]
}
