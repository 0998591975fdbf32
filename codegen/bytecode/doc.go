// Package bytecode writes a packed module down as a .billb image: one
// instruction a node, constants in their canonical form, and a memory plan that
// lets buffers share the arena when they are not alive together.
//
// emit.go holds the table from operations to instructions, plan.go the memory
// plan. What an instruction means is said by package runtime, which is the
// machine's specification.
package bytecode
