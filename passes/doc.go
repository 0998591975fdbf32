// Package passes runs transformations of a module and says what a pass is.
//
// A Pass is one literal and declares its class. An exact pass may not change one bit
// of an integer or bit value and keeps floats within a stated bound. An ideal pass
// replaces a float result that depends on the order of a sum by the result over the
// real numbers, and reports the margins. A lossy pass may change outputs; it runs
// only when asked for.
//
// Run applies steps, passes with options, in order: it verifies the module after every
// pass, prints it where asked, and can evaluate it before and after every pass
// (translation validation). A pass that fails leaves a reproducer behind, which Reduce
// makes small.
//
// Most passes are a few rules for Context.Rewrite, which looks at every node until no rule
// fires. A Registry holds the passes that the text of a pipeline names; a program that
// brings its own registers them with the one of package pipeline, which knows the
// compiler's:
//
//	passes             the engine: knows no pass
//	passes/analysis    what values are; knows no pass either
//	passes/hardcell    recurrent cells written out
//	passes/report      ledger, certificates and other accounts
//	passes/exact       float to bits and integers
//	passes/lossy       factorize, binarize, gates, quantize
//	passes/packed      widths and layouts
//	passes/pipeline    all of them, in order
package passes
