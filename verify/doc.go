// Package verify compares models with one another: a source with what was
// compiled from it, two artifacts, or the module before and after a pass.
//
// What is compared is an Evaluator: something that takes tensors and gives
// tensors, and that can show the values of its layers where it has any. A Module
// is evaluated by the reference interpreter, a Program by the runtime. Compare
// runs two of them on the same inputs, names the first output element that
// differs and then the first layer. Bisect finds the first pass of a pipeline
// after which a model gives something else. CheckCertificate compares every
// threshold of an artifact with the source's own float expression.
//
// Integers and bits are compared exactly, floats within a bound that is absolute
// up to 1 and relative above.
package verify
