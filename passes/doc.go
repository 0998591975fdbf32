// Package passes turns an imported float module into a packed one that a code
// generator can write down instruction by instruction.
//
// Every pass is one literal in one file and declares its class. An exact pass
// may not change one bit of an integer or bit value and keeps floats within a
// stated bound. An ideal pass replaces a float result that depends on the order
// of a sum by the result over the real numbers, and reports the margins. A
// lossy pass may change outputs; it runs only when asked for.
//
// pipeline.go is the ordered list with the reason for each ordering. Run applies
// a pipeline: it verifies the module after every pass, prints it where asked,
// and can evaluate it before and after every pass (translation validation); a
// pass that fails leaves a reproducer behind.
package passes
