// Package onnx reads ONNX models into the compiler's intermediate
// representation, and writes modules of its source and logic levels as ONNX.
//
// Reading works in two steps. Decode turns bytes into a Model: the graph with its
// names, operator versions, attributes and tensors, every reference checked,
// every size compared with the bytes there are before anything is allocated.
// Import then maps that graph, operator by operator, onto ir.
//
// Decoding is shared with the onnx-go library, which reads the graph proper
// (nodes, edges, plain attributes) and is handed only that: a reduced copy of
// the model in which every value has a unique, non-empty name and which holds
// no tensors, types or sub-graphs (see record.go). Everything else is decoded
// here, from our own messages of the same wire format (package onnxpb).
//
// Export goes the other way: one operator for each operation that came from one,
// and for the operations on bits the arithmetic that the passes recognise as
// them. Operators lists what is read.
package onnx
