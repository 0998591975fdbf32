package kernels

import (
	"github.com/billnet/billnet/internal/asmgen/asm"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// Depth generates the convolution of eight channels that lie side by side, each by weights of its own: products are rounded before they
// are added, in the order of the terms.
func Depth(a *asm.Gen) {
	g := gen{a}
	g.Func("depthAVX2", "func(dst, src []float32, step int, offs []int32, w []float32, bias *[8]float32)", "See Set.depth; AVX2.")
	dst, left, src, stride := g.GP64(), g.GP64(), g.GP64(), g.GP64()
	offs, terms, w, bias := g.GP64(), g.GP64(), g.GP64(), g.GP64()
	g.Load(g.Param("dst").Base(), dst)
	g.Load(g.Param("dst").Len(), left)
	g.Load(g.Param("src").Base(), src)
	g.Load(g.Param("step"), stride)
	g.Load(g.Param("offs").Base(), offs)
	g.Load(g.Param("offs").Len(), terms)
	g.Load(g.Param("w").Base(), w)
	g.Load(g.Param("bias"), bias)
	g.SHLQ(Imm(2), stride)
	triple := g.GP64()
	g.LEAQ(Mem{Base: stride, Index: stride, Scale: 2}, triple)
	for _, n := range []int{4, 1} { // positions
		loop, end, next := g.Unique("positions"), g.Unique("end"), g.Unique("term")
		g.Label(loop)
		g.CMPQ(left, Imm(uint64(8*n)))
		g.JLT(LabelRef(end))
		sums := make([]reg.VecVirtual, n)
		for i := range sums {
			sums[i] = g.YMM()
			g.VXORPS(sums[i], sums[i], sums[i])
		}
		j, at, row := g.GP64(), g.GP64(), g.GP64()
		g.XORQ(j, j)
		g.MOVQ(w, row)
		g.Label(next)
		g.MOVLQSX(Mem{Base: offs, Index: j, Scale: 4}, at)
		g.ADDQ(src, at)
		v := g.YMM()
		g.VMOVUPS(Mem{Base: row}, v)
		for i, m := range []Mem{{Base: at}, {Base: at, Index: stride, Scale: 1}, {Base: at, Index: stride, Scale: 2}, {Base: at, Index: triple, Scale: 1}}[:n] {
			p := g.YMM()
			g.VMULPS(m, v, p)
			g.VADDPS(p, sums[i], sums[i])
		}
		g.ADDQ(Imm(32), row)
		g.INCQ(j)
		g.CMPQ(j, terms)
		g.JLT(LabelRef(next))
		for i := range sums {
			g.VADDPS(Mem{Base: bias}, sums[i], sums[i])
			g.VMOVUPS(sums[i], Mem{Base: dst, Disp: 32 * i})
			g.ADDQ(stride, src)
		}
		g.ADDQ(Imm(uint64(32*n)), dst)
		g.SUBQ(Imm(uint64(8*n)), left)
		g.JMP(LabelRef(loop))
		g.Label(end)
	}
	g.Ret()
}
