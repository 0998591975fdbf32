// Package c writes a compiled network as C99 for microcontrollers: a header, the
// code, the weights, a build file and a self-test. The code allocates nothing and
// needs nothing of the C library but memcpy, memmove and memset; all its state lies
// in memory that the caller gives.
//
// It starts from the image of a program, as bytecode has it, and chooses layouts of
// its own: a map of planes becomes rows of positions with the channels of a position
// together, bits in words of 32. Maps are computed row by row, a function a layer,
// and everything else by loops over dense tensors. Kernels that layers share are C
// files in the folder kernels, of which the output has what its layers use.
//
// kinds.go has the table of instructions. maps.go and conv.go write layers over
// maps; elementwise.go, moves.go, reduce.go, product.go, steps.go and blstm.go those
// over dense tensors; stream.go what is carried from frame to frame. An instruction that no function stands for is an
// *UnsupportedError.
package c
