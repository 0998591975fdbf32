// Command billrun runs a compiled model, a .billb file, on clips or tensors,
// checks it against recorded outputs and measures its speed.
//
// It links the runtime and the clip reader only: it knows nothing of ONNX or of
// the compiler. "billrun --help" shows the commands; every command has its own
// help with examples. Package runner has the exit codes.
package main

import (
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/billnet/billnet/internal/release"
	"github.com/billnet/billnet/internal/runner"
	"github.com/billnet/billnet/runtime/kernels"
)

func main() { os.Exit(program().Main()) }

func program() *runner.Program {
	p := runner.ForFiles("billrun", load)
	p.Version, p.Commit = release.Version(), release.Commit()
	p.Kernels, p.Machine, p.Limits = kernels.Names(), kernels.Machine(), limits
	return p
}

// limits measures the kernels of an instruction set, or of the best of this
// machine.
func limits(name string) ([]runner.Limit, error) {
	isa := kernels.Best()
	if name != "best" {
		var err error
		if isa, err = kernels.ParseISA(name); err != nil {
			return nil, err
		}
		if !kernels.Available(isa) {
			return nil, fmt.Errorf("kernels for %s: this machine has %s", name, strings.Join(kernels.Machine(), " and "))
		}
	}
	var list []runner.Limit
	for _, l := range kernels.Select(isa).Limits(50 * time.Millisecond) {
		list = append(list, runner.Limit(l))
	}
	return list, nil
}
