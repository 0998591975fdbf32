// Command asmgen writes the amd64 assembly of the packages that have some.
//
//	go -C internal/asmgen run .             # of all of them
//	go -C internal/asmgen run . train/vec   # of one; "go generate ./train/vec" does this
//
// It is a module of its own so that the compiler does not depend on the assembler library.
package main

import (
	"flag"
	"fmt"
	"os"
	"slices"

	"github.com/billnet/billnet/internal/asmgen/asm"
	"github.com/billnet/billnet/internal/asmgen/gemm"
	"github.com/billnet/billnet/internal/asmgen/kernels"
	"github.com/billnet/billnet/internal/asmgen/vec"
)

// files are the generated files: each an assembly file and one of declarations.
var files = []struct {
	dir, name string
	gen       func(*asm.Gen)
}{
	{"runtime/kernels", "cpu", kernels.CPU},
	{"runtime/kernels", "bitconv", kernels.BitConv},
	{"runtime/kernels", "bitdot", kernels.BitDot},
	{"runtime/kernels", "signs", kernels.Signs},
	{"runtime/kernels", "levels", kernels.Levels},
	{"runtime/kernels", "intconv", kernels.IntConv},
	{"runtime/kernels", "planes", kernels.Planes},
	{"runtime/kernels", "dot", kernels.Dot},
	{"runtime/kernels", "dotfew", kernels.DotFew},
	{"runtime/kernels", "vec", kernels.Vec},
	{"runtime/kernels", "turn", kernels.Turn},
	{"runtime/kernels", "depth", kernels.Depth},
	{"runtime/kernels", "planeconv", kernels.PlaneConv},
	{"train/gemm", "kernels", gemm.Kernels},
	{"train/vec", "kernels", vec.Kernels},
}

func main() {
	root := flag.String("root", "../..", "root of the repository, or of a copy of the files")
	flag.Parse()
	if err := run(*root, flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "asmgen:", err)
		os.Exit(1)
	}
}

// run writes the files of the named packages, or of all.
func run(root string, dirs []string) error {
	written := 0
	for _, f := range files {
		if len(dirs) > 0 && !slices.Contains(dirs, f.dir) {
			continue
		}
		if err := asm.Write(root, f.dir, f.name, f.gen); err != nil {
			return err
		}
		written++
	}
	if written == 0 {
		return fmt.Errorf("no assembly is generated for %q", dirs)
	}
	return nil
}
