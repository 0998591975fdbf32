// Package gosrc turns a compiled model into the source of a Go package.
//
// The package that comes out stands alone: it imports the standard library
// only, it may lie anywhere, and it has a small interface:
//
//	m := gesture.New()
//	err := m.Run(clip, logits)
//
// What it executes is the runtime's own source. The runtime and its kernels
// embed their files; a library cuts these into declarations, keeps those that
// the model's instructions reach, gives them names that are not exported, and
// writes them as files of the new package (library.go, copy.go, assembly.go).
// The instructions themselves, with all shapes, offsets, strides and constants,
// become literals, and weights a file that is embedded (program.go). There is no
// decoder, and no opcode that the model does not use. Weights stay packed, a bit
// each: what kernels of an instruction set want is many times larger, and takes
// milliseconds to make.
//
// Where it pays, an instruction gets code that is made for it (special.go):
// integer convolutions are unrolled, with their weights as instructions
// (unroll.go), pointwise ones that follow run tile by tile behind them, and pools
// and the input's relayout are straight loops (narrow.go). That code is for
// AVX-512; on other machines, and for all other instructions, the runtime's
// kernels serve. Both give the same bits.
package gosrc
