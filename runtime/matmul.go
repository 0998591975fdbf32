package runtime

import (
	"unsafe"

	"github.com/billnet/billnet/runtime/kernels"
)

// The matrix product. The right operand is packed into panels of a few columns,
// which the inner loop reads in sequence while the sums of a few rows by these
// columns stay in registers. Every sum is one accumulator that starts at 0 and
// runs over k in ascending order, with no fused multiply-add (the conversions
// forbid it), so that the result is the same on every machine and for every
// blocking.

type float interface{ float32 | float64 }

// real is what the inner loop computes with; integers wrap.
type real interface{ float32 | float64 | int64 }

// blocking is one implementation of the inner loop: the size of its tiles of
// sums, in assembly (float32 only) or not.
type blocking[T real] struct {
	rows, cols int
	simd       bool
}

// maxTile is the largest number of sums of a tile.
const maxTile = 64

// blockingFor is the best inner loop for a set of kernels.
func blockingFor[T real](set *kernels.Set) *blocking[T] {
	if _, single := any(T(0)).(float32); single && set.ISA().Includes(simdISA) {
		return &blocking[T]{rows: simdRows, cols: simdCols, simd: true}
	}
	return &blocking[T]{rows: 2, cols: 4}
}

// tile sets sums[i*cols+j] to the products of rows rows of a, lda elements
// apart and k long, with the columns of a panel of k by cols; rows is b.rows or
// 1, and k at least 1.
func (b *blocking[T]) tile(sums *[maxTile]T, a []T, lda int, panel []T, rows, k int) {
	_, _ = a[(rows-1)*lda+k-1], panel[b.cols*k-1]
	switch {
	case b.simd:
		simdTile(unsafe.Pointer(sums), unsafe.Pointer(&a[0]), lda, unsafe.Pointer(&panel[0]), rows, k)
	case rows == 1:
		tile1x4(sums, a, panel, k)
	default:
		tile2x4(sums, a, lda, panel, k)
	}
}

// addScaled adds w times src to dst, which is as long.
func (b *blocking[T]) addScaled(dst, src []T, w T) {
	src = src[:len(dst)]
	if n := len(dst) &^ 7; b.simd && n > 0 {
		simdAddScaled(unsafe.Pointer(&dst[0]), unsafe.Pointer(&src[0]), unsafe.Pointer(&w), n)
		dst, src = dst[n:], src[n:]
	}
	for i, v := range src {
		dst[i] += T(w * v)
	}
}

// panels is the number of panels of n columns.
//
//go:noinline
func (b *blocking[T]) panels(n int) int { return (n + b.cols - 1) / b.cols }

// panelLen is the number of elements of the panels of a k by n matrix.
//
//go:noinline
func (b *blocking[T]) panelLen(k, n int) int { return k * roundUp(n, b.cols) }

// pack packs panels lo to hi of the k by n matrix whose element (i,j) is
// src[i*rowStep+j*colStep]. Columns after the last are zero.
func (b *blocking[T]) pack(dst, src []T, k, n, rowStep, colStep, lo, hi int) {
	for p := lo; p < hi; p++ {
		panel := dst[p*k*b.cols : (p+1)*k*b.cols]
		for j := range b.cols {
			col := p*b.cols + j
			if col >= n {
				for i := range k {
					panel[i*b.cols+j] = 0
				}
				continue
			}
			at := col * colStep
			for i := range k {
				panel[i*b.cols+j] = src[at]
				at += rowStep
			}
		}
	}
}

// multiply sets columns of rows of y to the rows of a times panels lo to hi:
// y[i*ldy+j] = sum over k of a[i*lda+k]*b[k,j], where panels begins with panel
// lo.
func (b *blocking[T]) multiply(y []T, ldy int, a []T, lda int, panels []T, rows, k, n, lo, hi int) {
	if k == 0 {
		for i := range rows {
			clear(y[i*ldy+lo*b.cols : i*ldy+min(n, hi*b.cols)])
		}
		return
	}
	var sums [maxTile]T
	whole := rows - rows%b.rows
	for p := lo; p < hi && whole > 0; p++ {
		panel := panels[(p-lo)*k*b.cols : (p-lo+1)*k*b.cols]
		col := p * b.cols
		cols := min(b.cols, n-col)
		for i := 0; i < whole; i += b.rows {
			b.tile(&sums, a[i*lda:], lda, panel, b.rows, k)
			for r := range b.rows {
				copy(y[(i+r)*ldy+col:][:cols], sums[r*b.cols:])
			}
		}
	}
	for i := whole; i < rows; i++ {
		for p := lo; p < hi; {
			panel, count := panels[(p-lo)*k*b.cols:], 1
			if b.simd && p+simdPanels <= hi {
				count = simdPanels
			}
			b.row(&sums, a[i*lda:], panel, count, k)
			copy(y[i*ldy+p*b.cols:i*ldy+min(n, (p+count)*b.cols)], sums[:])
			p += count
		}
	}
}

// row sets sums to the products of a row of a with the columns of a panel, or of simdPanels of them: none of so many sums waits for
// another.
func (b *blocking[T]) row(sums *[maxTile]T, a, panels []T, count, k int) {
	if count == 1 {
		b.tile(sums, a, 0, panels, 1, k)
		return
	}
	_, _ = a[k-1], panels[count*b.cols*k-1]
	simdWide(unsafe.Pointer(sums), unsafe.Pointer(&a[0]), unsafe.Pointer(&panels[0]), k)
}

func tile2x4[T real](sums *[maxTile]T, a []T, lda int, panel []T, k int) {
	var s00, s01, s02, s03, s10, s11, s12, s13 T
	b := a[lda : lda+k]
	for i, u := range a[:k] {
		v := b[i]
		w := (*[4]T)(panel)
		panel = panel[4:]
		s00 += T(u * w[0])
		s10 += T(v * w[0])
		s01 += T(u * w[1])
		s11 += T(v * w[1])
		s02 += T(u * w[2])
		s12 += T(v * w[2])
		s03 += T(u * w[3])
		s13 += T(v * w[3])
	}
	*(*[8]T)(sums[:]) = [8]T{s00, s01, s02, s03, s10, s11, s12, s13}
}

func tile1x4[T real](sums *[maxTile]T, a []T, panel []T, k int) {
	var s0, s1, s2, s3 T
	for _, u := range a[:k] {
		w := (*[4]T)(panel)
		panel = panel[4:]
		s0 += T(u * w[0])
		s1 += T(u * w[1])
		s2 += T(u * w[2])
		s3 += T(u * w[3])
	}
	*(*[4]T)(sums[:]) = [4]T{s0, s1, s2, s3}
}

// matrix is a right operand that is packed at load when it is a constant, else
// by the first stage of a step into scratch memory.
type matrix[T real] struct {
	*blocking[T]
	x                *values[T]
	first            int // of the element (0,0) in x
	k, n             int
	rowStep, colStep int
	batches          int // as many matrices, one after the other in x
	packed           []T
	at               int // offset of the panels in scratch memory
}

// newMatrix makes the right operand and reserves scratch memory if it needs any.
func newMatrix[T real](mem *area, x *operand, first, k, n, rowStep, colStep int) *matrix[T] {
	return newMatrices[T](mem, x, 1, first, k, n, rowStep, colStep)
}

func newMatrices[T real](mem *area, x *operand, batches, first, k, n, rowStep, colStep int) *matrix[T] {
	r := &matrix[T]{blocking: blockingFor[T](mem.p.set), x: newValues[T](mem, x), batches: batches, first: first, k: k, n: n, rowStep: rowStep, colStep: colStep}
	if x.fixed != nil {
		mem.p.charge(mulSat(batches, r.panelLen(k, n), sizeOf[T]()))
		r.packed = make([]T, batches*r.panelLen(k, n))
		r.packRange(r.packed, r.x.view(nil), 0, batches*r.count())
		r.x = &values[T]{} // its elements are not kept twice
	} else {
		r.at = mem.take(mulSat(batches, r.panelLen(k, n)), sizeOf[T]())
	}
	return r
}

// packRange packs panels lo to hi of all matrices together.
func (r *matrix[T]) packRange(dst, src []T, lo, hi int) {
	for lo < hi && r.k > 0 {
		b, first := lo/r.count(), lo%r.count()
		n := min(r.count()-first, hi-lo)
		r.blocking.pack(dst[b*r.panelLen(r.k, r.n):], src[r.first+b*r.k*r.n:], r.k, r.n, r.rowStep, r.colStep, first, first+n)
		lo += n
	}
}

// count is the number of panels.
func (r *matrix[T]) count() int { return r.panels(r.n) }

// pack is a part of the first stage.
func (r *matrix[T]) pack(m *memory, part, parts int) {
	if r.packed == nil {
		lo, hi := share(r.batches*r.count(), part, parts)
		r.packRange(r.data(m), r.x.view(m), lo, hi)
	}
}

func (r *matrix[T]) data(m *memory) []T {
	if r.packed != nil {
		return r.packed
	}
	return as[T](m.scratch[r.at:])[:r.batches*r.panelLen(r.k, r.n)]
}

// product sets rows of y to rows of a times panels lo to hi of the matrix.
func (r *matrix[T]) product(m *memory, y []T, ldy int, a []T, lda, rows, lo, hi int) {
	r.batchProduct(m, 0, y, ldy, a, lda, rows, lo, hi)
}

func (r *matrix[T]) batchProduct(m *memory, batch int, y []T, ldy int, a []T, lda, rows, lo, hi int) {
	r.multiply(y, ldy, a, lda, r.data(m)[batch*r.panelLen(r.k, r.n)+lo*r.k*r.cols:], rows, r.k, r.n, lo, hi)
}
