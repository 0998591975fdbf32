// Command asmgen writes the amd64 assembly of package kernels.
//
// It is a module of its own so that the compiler does not depend on the assembler library. Run it with
// "go -C runtime/kernels/asmgen run . -dir ..".
package main

import (
	"bytes"
	"flag"
	"fmt"
	"go/format"
	"log"
	"os"
	"path/filepath"

	"github.com/mmcloughlin/avo/attr"
	"github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/gotypes"
	"github.com/mmcloughlin/avo/ir"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/pass"
	"github.com/mmcloughlin/avo/printer"
)

// families are the kernel families: one assembly file and one file of declarations each.
var families = []struct {
	name string
	gen  func(*gen)
}{
	{"cpu", genCPU},
	{"bitconv", genBitConv},
	{"intconv", genIntConv},
	{"planes", genPlanes},
}

// gen builds the functions of a file.
type gen struct {
	*build.Context
	labels int
}

// function begins a function with the given signature; note is its comment, a contract in a sentence.
func (g *gen) function(name, signature, note string) {
	g.Function(name)
	g.Attributes(attr.NOSPLIT)
	g.SignatureExpr(signature)
	g.Doc(note)
	g.Pragma("noescape")
}

// label makes a label that is unique in the file.
func (g *gen) label(s string) string {
	g.labels++
	return fmt.Sprintf("%s%d", s, g.labels)
}

// arg is the memory that holds an argument.
func (g *gen) arg(c gotypes.Component) operand.Mem {
	b, err := c.Resolve()
	if err != nil {
		panic(err)
	}
	return b.Addr
}

// step is an immediate added to an address.
func step(n int) operand.Constant { return operand.I32(n) }

// ret ends a function that has used wide registers.
func (g *gen) ret() {
	g.VZEROUPPER()
	g.RET()
}

func main() {
	dir := flag.String("dir", "..", "directory to write to")
	flag.Parse()
	if err := run(*dir); err != nil {
		fmt.Fprintln(os.Stderr, "asmgen:", err)
		os.Exit(1)
	}
}

func run(dir string) error {
	for _, f := range families {
		g := &gen{Context: build.NewContext()}
		g.ConstraintExpr("amd64,!purego")
		f.gen(g)
		file, err := g.Result()
		if err != nil {
			build.LogError(log.New(os.Stderr, "", 0), err, 0)
			return fmt.Errorf("%s: %w", f.name, err)
		}
		if err := pass.Compile.Execute(file); err != nil {
			return fmt.Errorf("%s: %w", f.name, err)
		}
		cfg := printer.Config{Argv: []string{"asmgen"}, Pkg: "kernels"}
		for ext, p := range map[string]printer.Printer{"s": printer.NewGoAsm(cfg), "go": printer.NewStubs(cfg)} {
			if err := write(filepath.Join(dir, f.name+"_amd64."+ext), p, file, ext == "go"); err != nil {
				return err
			}
		}
	}
	return nil
}

// write prints a file under a temporary name and renames it.
func write(name string, p printer.Printer, file *ir.File, isGo bool) error {
	b, err := p.Print(file)
	if err != nil {
		return err
	}
	if isGo {
		if b, err = format.Source(b); err != nil {
			return err
		}
	}
	b = append(bytes.TrimRight(b, "\n"), '\n')
	if err := os.WriteFile(name+".tmp", b, 0o644); err != nil {
		return err
	}
	return os.Rename(name+".tmp", name)
}
