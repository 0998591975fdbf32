// Package vec computes with float32 vectors for the training engine: the work
// that is done for every element of a feature map outside of matrix products.
//
// There are two families of kernels. The elementwise ones set y[i], or change
// it, from the elements i of other vectors and from scalars; all vectors must
// have at least the elements of y, and those beyond are left alone. The
// reductions return sums.
//
// Each kernel has a portable form in Go and, on amd64, forms for AVX2 with FMA
// and for AVX-512 that are chosen once by the CPU's features. The assembly is
// written by internal/asmgen, from a table; build tag purego leaves it
// out. It works on whole vectors; the portable form does what is left over.
//
// All forms give the same bits (but for which NaN it is): elementwise kernels
// round after every operation of their equation, from left to right and without
// fused ones, and reductions add in 16 interleaved sums, whatever the vector
// width.
package vec
