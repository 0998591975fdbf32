package runtime

import "github.com/billnet/billnet/runtime/billb"

// executors are how operations are computed: for each a function that checks the
// operands' kinds and shapes, the constants and the parameters of an instruction,
// and returns what executes it. It calls fail for what does not fit.
var executors = map[billb.Opcode]func(p *prep) step{}

// executes registers how an operation is computed.
//
//go:noinline
func executes(op billb.Opcode, prepare func(p *prep) step) bool {
	if executors[op] != nil {
		panic("runtime: two executors of " + op.String())
	}
	executors[op] = prepare
	return true
}
