package kernels

import (
	"github.com/billnet/billnet/internal/asmgen/asm"
	"github.com/mmcloughlin/avo/attr"
	"github.com/mmcloughlin/avo/reg"
)

// CPU generates what asks the CPU for its features.
func CPU(g *asm.Gen) {
	g.Function("cpuid")
	g.Attributes(attr.NOSPLIT)
	g.SignatureExpr("func(leaf, sub uint32) (a, b, c, d uint32)")
	g.Doc("cpuid runs the CPUID instruction.")
	g.Load(g.Param("leaf"), reg.EAX)
	g.Load(g.Param("sub"), reg.ECX)
	g.CPUID()
	g.Store(reg.EAX, g.Return("a"))
	g.Store(reg.EBX, g.Return("b"))
	g.Store(reg.ECX, g.Return("c"))
	g.Store(reg.EDX, g.Return("d"))
	g.RET()

	g.Function("xgetbv")
	g.Attributes(attr.NOSPLIT)
	g.SignatureExpr("func() (a, d uint32)")
	g.Doc("xgetbv reads which register states the operating system saves.")
	g.XORL(reg.ECX, reg.ECX)
	g.XGETBV()
	g.Store(reg.EAX, g.Return("a"))
	g.Store(reg.EDX, g.Return("d"))
	g.RET()
}
