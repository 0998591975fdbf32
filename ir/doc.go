// Package ir is the intermediate representation of the BILLNET compiler: the
// types, the operations, the text form's printer, the verifier and the
// reference interpreter.
//
// A Module holds functions. A Func is a list of Nodes in order; every Node
// applies one Op to Values and defines new Values (static single assignment,
// no control flow). Recurrent state is an ordinary value, so nothing changes
// behind the reader's back.
//
// Every value has a Type: an element type and a static shape. Besides floats
// and integers there are three element types of binary networks: bit (a set bit
// means 1, a clear one 0), sbit (a set bit means +1, a clear one -1) and tern
// ({-1, 0, +1}).
//
// There are three levels, each a set of legal operations that Verify checks:
//
//	source  what the imported model says: float operations after ONNX
//	logic   bits, integer accumulators, thresholds, gates, recurrent cells
//	packed  kernels with their layouts, ready for code generation
//
// An operation is one literal in one file (op_conv.go, op_threshold.go ...)
// that gives its name, documentation with its equation, operands, results,
// typed attributes, inference of the result types, evaluation and an example.
// The printer, the parser, the verifier and the documentation are generic over
// that literal. Go code names an operation by its handle: n.Op == ir.Conv.
//
// The literal also states facts: what kind of operation it is, whether its
// results are elements of its operands, in which direction they go when an
// operand grows (Node.Slope), its multiply-accumulates, and what an element of a
// result reads of each axis of each operand (Node.Reads): the same index, a
// window, all of it. Passes, code generation and training ask these rather than
// keep lists of operations; tests check them by evaluation.
//
// The interpreter (Eval) is the truth: every pass and every kernel is tested
// against it. It is written to be read, not to be fast.
package ir
