//go:build !purego

package runtime

import "github.com/billnet/billnet/runtime/kernels"

// blocking32 is the inner loop for float32 on AVX2, nil for the generic set.
func blocking32(set *kernels.Set) *blocking[float32] {
	if set.ISA() < kernels.AVX2 {
		return nil
	}
	return &blocking[float32]{
		rows: 4, cols: 16,
		tile: func(sums, a []float32, lda int, panel []float32, k int) {
			_, _, _ = sums[63], a[3*lda+k-1], panel[16*k-1]
			tile4x16AVX2(&sums[0], &a[0], lda, &panel[0], k)
		},
		row: func(sums, a, panel []float32, k int) {
			_, _, _ = sums[15], a[k-1], panel[16*k-1]
			tile1x16AVX2(&sums[0], &a[0], &panel[0], k)
		},
	}
}

// tile4x16AVX2 and tile1x16AVX2 are blocking's tile and row; k is at least 1.
//
//go:noescape
func tile4x16AVX2(sums, a *float32, lda int, panel *float32, k int)

//go:noescape
func tile1x16AVX2(sums, a, panel *float32, k int)
