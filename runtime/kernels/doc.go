// Package kernels computes binary and small-integer video networks on byte planes.
//
// # Layout
//
// An activation map is a set of planes (see [Geom]). A plane of bits holds 8 channels: bit j of the byte at a position
// is channel 8b+j. Rows, frames and planes are separated by zeros, so the input of a convolution tap at all positions is
// the plane itself, read at an offset. A map that a strided convolution reads is stored split by position modulo the
// stride, which makes every convolution stride 1: a list of offsets.
//
// # Binary convolution
//
// With d = popcount(x XOR w) over the taps, w's bit set for +1, the sum z of weights times activations is
//
//	z = popcount(w) - d   for activations in {0,1}
//	z = K - 2d            for activations in {-1,+1} (a set bit is +1)
//
// so a thresholded channel is d <= Le, xor a flip. A kernel counts 8 output channels at 64 positions in 8-bit lanes and
// writes the 8 compared bits as one byte plane: exactly the layout that the next layer reads.
//
// Where a float stream surrounds the convolution, its sums are wanted, and maps may be smaller than a register. [BitDot] has
// 64 output channels along the register instead, at four positions at a time: the bytes of a position lie side by side, and
// the padding is one more position. [Set.Signs] makes the bytes of a plane of eight channels of a dense map of floats.
//
// # Integer convolution
//
// With weights in {-1,+1} no product is needed. For every 4 input planes the 8 sums a±b±c±d are made once; each output
// then adds or subtracts one of them for every tap. Sums may wrap modulo 2^16 as long as the result fits.
//
// # Dense maps: bytes and float32
//
// Networks that others quantized or left in float have dense maps [N,C,T,H,W]. [Dot] convolves bytes by few-bit weights with
// 32-bit sums, [PlaneConv] float32. Both copy maps into planes with room for the padding, split by position modulo the
// stride, so that a tap is an offset again; Dot interleaves four channels there, which one instruction multiplies and adds.
// What follows a convolution element by element runs on its sums while they are in the first cache: [Set.Affine],
// [Set.Quantize], [Set.Map] and their kin, each a loop over a few hundred elements.
//
// Floats are added in one order, and products are rounded before (there is no fused multiply-add), so that all kernels give
// the same bits. The functions of [Set.Map] are polynomials within 2 units in the last place of the exact value.
//
// # Plans, kernels, sets
//
// A plan ([NewBitConv], [NewIntConv], [NewPool], ...) validates geometry and weights once, repacks the weights for its
// kernels, and then runs without allocating. A plan has stages; the parts of a stage may run concurrently, with a barrier
// between stages. Every plan writes every byte of its output map, including the zeros around it, so an output buffer
// needs no clearing.
//
// A [Set] is one choice of kernels. [Select] picks the best kernel of a table for an instruction set; all variants
// compute the same bits. Build with the tag purego to leave the assembly out.
package kernels
