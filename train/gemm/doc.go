// Package gemm multiplies float32 matrices for the training engine.
//
// One of the matrices need not exist in memory: the rows of the right operand
// are named by their offsets in a buffer, so that a convolution over a padded
// input is a matrix product whose row (channel, tap) is the input shifted by
// that tap ("implicit im2col"). There are two kernels:
//
//	tile  y[i][j]  = sum over k of w[k][i] * x[off[k]+at[j]]  i < 8 rows, j < 48 columns
//	dot   s[i][k]  = sum over p of y[yoff[i]+p] * x[off[k]+p] i < 4 rows, k < 6 columns
//
// Columns and positions come in octets, 8 next to each other, and octets may have
// places of their own in x: tile takes them always, dotAt is the dot that does.
//
// The first serves forward passes and input gradients, the second weight
// gradients. Each has a portable form in Go and, on amd64, forms for AVX2 with
// FMA and for AVX-512 that are chosen once by the CPU's features. The assembly
// is written by internal/asmgen; build tag purego leaves it out.
//
// A tile's sum runs over k in order. Where all products and sums are integers
// below 2^24, or all weights are -1 and +1, every form gives the same bits.
package gemm
