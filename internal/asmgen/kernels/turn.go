package kernels

import (
	"github.com/billnet/billnet/internal/asmgen/asm"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// Turn generates the transposition of eight rows of 32-bit elements.
func Turn(a *asm.Gen) {
	g := gen{a}
	g.Func("turnAVX2", "func(dst, src []float32, to, from, n int)", "See Set.turn; AVX2.")
	dst, src, to, from, left := g.GP64(), g.GP64(), g.GP64(), g.GP64(), g.GP64()
	g.Load(g.Param("dst").Base(), dst)
	g.Load(g.Param("src").Base(), src)
	g.Load(g.Param("to"), to)
	g.Load(g.Param("from"), from)
	g.Load(g.Param("n"), left)
	g.SHLQ(Imm(2), to)
	g.SHLQ(Imm(2), from)
	loop, end := g.Unique("block"), g.Unique("end")
	g.Label(loop)
	g.CMPQ(left, Imm(8))
	g.JLT(LabelRef(end))
	x := make([]reg.VecVirtual, 8)
	row := g.GP64()
	g.MOVQ(src, row)
	for i := range 4 { // rows i and i+4, half of each in a register
		high := g.GP64()
		g.LEAQ(Mem{Base: row, Index: from, Scale: 4}, high)
		for h := range 2 {
			x[4*h+i] = g.YMM()
			g.VMOVUPS(Mem{Base: row, Disp: 16 * h}, x[4*h+i].AsX())
			g.VINSERTF128(Imm(1), Mem{Base: high, Disp: 16 * h}, x[4*h+i], x[4*h+i])
		}
		if i < 3 {
			g.ADDQ(from, row)
		}
	}
	g.MOVQ(dst, row)
	for h := range 2 { // four columns by four columns
		q := x[4*h : 4*h+4]
		low, high := [2]reg.VecVirtual{}, [2]reg.VecVirtual{}
		for k := range 2 {
			low[k], high[k] = g.YMM(), g.YMM()
			g.VUNPCKLPS(q[2*k+1], q[2*k], low[k])
			g.VUNPCKHPS(q[2*k+1], q[2*k], high[k])
		}
		for _, pair := range [][2]reg.VecVirtual{low, high} {
			for _, half := range []uint64{0x44, 0xEE} {
				y := g.YMM()
				g.VSHUFPS(Imm(half), pair[1], pair[0], y)
				g.VMOVUPS(y, Mem{Base: row})
				g.ADDQ(to, row)
			}
		}
	}
	g.LEAQ(Mem{Base: dst, Index: to, Scale: 8}, dst)
	g.ADDQ(Imm(32), src)
	g.SUBQ(Imm(8), left)
	g.JMP(LabelRef(loop))
	g.Label(end)
	g.Ret()
}
