// Package bytecode writes a packed module down as a .billb image: instructions,
// constants in their canonical form, and a memory plan that lets buffers share
// the arena when they are not alive together.
//
// Most operations are one instruction: planes.go and dense.go hold the tables of
// those, emit.go reads them. The others are expanded, in terms of simpler
// operations and instructions, by a function of the table in expand.go; the
// functions stand by family in elementwise.go, layout.go, float.go, integer.go
// and recurrent.go. generate.go makes buffers and constants of values, plan.go
// places them. What an instruction means is said by package runtime, which is the
// machine's specification.
package bytecode
