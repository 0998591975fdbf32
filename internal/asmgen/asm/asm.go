// Package asm holds what the generators of this module share: functions, labels
// and vector widths on top of avo, and the writing of the files.
package asm

import (
	"bytes"
	"fmt"
	"go/format"
	"log"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/mmcloughlin/avo/attr"
	"github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/gotypes"
	"github.com/mmcloughlin/avo/ir"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/pass"
	"github.com/mmcloughlin/avo/printer"
	"github.com/mmcloughlin/avo/reg"
)

// Gen builds the functions of a file.
type Gen struct {
	*build.Context
	labels int
}

// Func begins a function with the given signature; doc is its comment, a contract in a sentence.
func (g *Gen) Func(name, signature, doc string) {
	g.Function(name)
	g.Attributes(attr.NOSPLIT)
	g.SignatureExpr(signature)
	g.Doc(doc)
	g.Pragma("noescape")
}

// Unique makes a label that is unique in the file.
func (g *Gen) Unique(s string) string {
	g.labels++
	return fmt.Sprintf("%s%d", s, g.labels)
}

// Arg is the memory that holds an argument.
func (g *Gen) Arg(c gotypes.Component) operand.Mem {
	b, err := c.Resolve()
	if err != nil {
		panic(err)
	}
	return b.Addr
}

// Ret ends a function that has used wide registers.
func (g *Gen) Ret() {
	g.VZEROUPPER()
	g.RET()
}

// ISA is the vector width that a kernel is written for.
type ISA struct {
	*Gen
	Name  string // as it ends the names of functions
	Bytes int    // of a register
}

// AVX2 and AVX512 are the two widths.
func (g *Gen) AVX2() ISA   { return ISA{g, "AVX2", 32} }
func (g *Gen) AVX512() ISA { return ISA{g, "AVX512", 64} }

// Wide reports AVX-512.
func (v ISA) Wide() bool { return v.Bytes == 64 }

// Lanes is the number of float32 elements of a register.
func (v ISA) Lanes() int { return v.Bytes / 4 }

// Vec is a new full register.
func (v ISA) Vec() reg.VecVirtual {
	if v.Wide() {
		return v.ZMM()
	}
	return v.YMM()
}

// Zero is a new register of float32 zeros.
func (v ISA) Zero() reg.VecVirtual {
	r := v.Vec()
	if v.Wide() {
		v.VPXORD(r, r, r)
	} else {
		v.VXORPS(r, r, r)
	}
	return r
}

// Write generates a file of package dir (its last element names it): name_amd64.s
// and its declarations in name_amd64.go, below root.
func Write(root, dir, name string, gen func(*Gen)) error {
	g := &Gen{Context: build.NewContext()}
	g.ConstraintExpr("amd64,!purego")
	gen(g)
	file, err := g.Result()
	if err != nil {
		build.LogError(log.New(os.Stderr, "", 0), err, 0)
		return fmt.Errorf("%s/%s: %w", dir, name, err)
	}
	if err := pass.Compile.Execute(file); err != nil {
		return fmt.Errorf("%s/%s: %w", dir, name, err)
	}
	if err := onlyVEX(file); err != nil {
		return fmt.Errorf("%s/%s: %w", dir, name, err)
	}
	cfg := printer.Config{Argv: []string{"asmgen"}, Pkg: filepath.Base(dir)}
	base := filepath.Join(root, filepath.FromSlash(dir), name+"_amd64")
	if err := printTo(base+".s", printer.NewGoAsm(cfg), file); err != nil {
		return err
	}
	return printTo(base+".go", printer.NewStubs(cfg), file)
}

// onlyVEX refuses instructions of SSE in the old encoding, as Load and Store of a float argument are: with wide registers in use, each
// waits for hundreds of cycles. Use Arg with an instruction of AVX instead.
func onlyVEX(file *ir.File) error {
	for _, f := range file.Functions() {
		for _, i := range f.Instructions() {
			if slices.ContainsFunc(i.ISA, func(s string) bool { return strings.HasPrefix(s, "SSE") }) {
				return fmt.Errorf("%s: %s is not of AVX", f.Name, i.Opcode)
			}
		}
	}
	return nil
}

// printTo writes one form of a file under a temporary name and renames it.
func printTo(name string, p printer.Printer, file *ir.File) error {
	b, err := p.Print(file)
	if err != nil {
		return err
	}
	if filepath.Ext(name) == ".go" {
		if b, err = format.Source(b); err != nil {
			return err
		}
	}
	b = append(bytes.TrimRight(b, "\n"), '\n')
	if err := os.MkdirAll(filepath.Dir(name), 0o777); err != nil {
		return err
	}
	if err := os.WriteFile(name+".tmp", b, 0o644); err != nil {
		return err
	}
	return os.Rename(name+".tmp", name)
}
