//go:build !purego

package runtime

import (
	"unsafe"

	"github.com/billnet/billnet/runtime/kernels"
)

// The inner loop on AVX2.
const (
	simdISA  = kernels.AVX2
	simdRows = 4
	simdCols = 16

	simdPanels = 4
)

// simdTile is blocking's tile for float32.
func simdTile(sums, a unsafe.Pointer, lda int, panel unsafe.Pointer, rows, k int) {
	if rows == 1 {
		tile1x16AVX2(sums, a, panel, k)
		return
	}
	tile4x16AVX2(sums, a, lda, panel, k)
}

// simdWide is one row by simdPanels panels, one after the other.
func simdWide(sums, a, panels unsafe.Pointer, k int) { tile1x64AVX2(sums, a, panels, k) }

//go:noescape
func tile4x16AVX2(sums, a unsafe.Pointer, lda int, panel unsafe.Pointer, k int)

//go:noescape
func tile1x16AVX2(sums, a, panel unsafe.Pointer, k int)

//go:noescape
func tile1x64AVX2(sums, a, panel unsafe.Pointer, k int)

// simdAddScaled adds w times src to dst; n is a positive multiple of 8.
func simdAddScaled(dst, src, w unsafe.Pointer, n int) { addScaledAVX2(dst, src, w, n) }

//go:noescape
func addScaledAVX2(dst, src, w unsafe.Pointer, n int)
