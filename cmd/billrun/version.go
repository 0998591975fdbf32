package main

import (
	"fmt"
	goruntime "runtime"
	"runtime/debug"
	"strings"

	"github.com/billnet/billnet/runtime/kernels"
)

// release is the version that the linker may set: -ldflags "-X main.release=v1.2.3".
var release string

// version is the release, else what the Go command knows about the module.
func version() string {
	if release != "" {
		return release
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "(devel)"
}

// versionCmd shows the version.
type versionCmd struct{}

func declareVersion(*flags) runner { return versionCmd{} }

func (versionCmd) Run(e *env) error {
	var isas []string
	for _, isa := range []kernels.ISA{kernels.Generic, kernels.AVX2, kernels.AVX512} {
		if kernels.Available(isa) {
			isas = append(isas, isa.String())
		}
	}
	fmt.Fprintf(e.stdout, "billrun %s %s/%s %s, kernels %s\n", version(), goruntime.GOOS, goruntime.GOARCH, goruntime.Version(), strings.Join(isas, " "))
	return nil
}
