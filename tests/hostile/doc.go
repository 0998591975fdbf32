// Package hostile makes models that nobody would write, and tries what the
// compiler does with them.
//
// A mutant is a well-formed ONNX model (Seeds) with a few of its numbers, types,
// names or edges changed (Mutate), so that it gets past the decoder and reaches
// the import, the passes and the code generator. Try compiles one: it may give a
// program or an error, and neither a panic, nor an error that speaks of a fault of
// the compiler, nor take more than MaxBytes or longer than MaxTime.
//
// "go test ./tests/hostile" tries a few hundred mutants of each run's own;
// BILLNET_MUTANTS=1000000 sets how many, BILLNET_MUTANT=N repeats number N.
package hostile
