// Package train trains networks written as source-level IR: an imported ONNX
// model or a text architecture.
//
// New turns the floating point constants that carry weights, biases, norms and
// thresholds into parameters, brings the rest into a canonical form with exact
// compiler passes, and builds a graph of operations with a forward and a
// backward pass each (grad_*.go, one family of gradient rules a file). Step runs
// one batch through it and updates the parameters; Module writes them back as
// constants of the source module, which compiles with no further step.
//
// # Batches
//
// A module computes one unit: the clips of axis 0 of its first input, usually
// one. The engine runs as many units as the batch needs side by side. A value
// that depends on the input exists once a unit, one that depends on weights
// only exists once; operations see the shapes of the module, so that no
// reshape or transpose has to know about batches. Where it pays, an operation
// treats all units at once: batch statistics, matrix products.
//
// # Binary operations
//
// Comparisons, steps and signs are trained straight through: the forward pass is
// exact and the backward pass uses the derivative of a Surrogate, chosen by the
// operation's Role. Bits are carried as the floats 0 and 1, signs as -1 and +1.
// OR has the gradient of a + b - a*b. A role can be made soft (SetSoft): its
// operations then compute a smooth function, which is how a network is trained
// in stages from float to binary.
//
// Latent weights are the float constants behind a sign idiom; they are the
// parameters, and the idiom stays in the graph.
//
// # Determinism
//
// A run depends on its seed and its batches alone, not on the number of threads
// or their timing: every sum has a fixed order, and the gradients of the units
// are added up in a fixed tree. Inference forward passes compute binary layers
// with the same bits as the reference interpreter: their sums are integers,
// exact in float32, and norms use ir.BatchNormScalar's order of operations.
package train
