// Command billrun runs a compiled model, a .billb file, on clips or tensors,
// checks it against recorded outputs and measures its speed.
//
// It links the runtime and the clip reader only: it knows nothing of ONNX or of
// the compiler. "billrun --help" shows the commands; every command has its own
// help with examples. Package runner has the exit codes.
package main

import (
	"os"

	"github.com/billnet/billnet/internal/release"
	"github.com/billnet/billnet/internal/runner"
	"github.com/billnet/billnet/runtime/kernels"
)

func main() { os.Exit(program().Main()) }

func program() *runner.Program {
	p := runner.ForFiles("billrun", load)
	p.Version, p.Commit = release.Version(), release.Commit()
	p.Kernels, p.Machine = kernels.Names(), kernels.Machine()
	return p
}
