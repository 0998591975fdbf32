// Package golden holds small models with recorded inputs and outputs, and the
// texts that the compiler makes of them: the IR after every pass, ledgers and
// command-line sessions.
//
//	models/             ONNX files of a few KB, clips and outputs recorded from ONNX
//	                    Runtime, and generate.py, which writes them all
//	testdata/ir/        the IR after every pass that changed it
//	testdata/outputs/   outputs for the clips, to the last bit
//	testdata/*.txtar    scripts over billc and billrun together
//	script/             what these scripts share with those of cmd/billc
//
// "go test ./tests/golden ./cmd/billc -update" rewrites the texts that differ. A
// text proves a shape and not that the result is right, so a rewrite of the IR is
// grounded: the old and the new text are both evaluated, on the clips and on
// random inputs, and -update refuses when any result differs.
package golden
