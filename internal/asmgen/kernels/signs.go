package kernels

import (
	"github.com/billnet/billnet/internal/asmgen/asm"
	"github.com/mmcloughlin/avo/attr"
	. "github.com/mmcloughlin/avo/operand"
)

// Signs generates the comparison of eight channels, whose bits make a byte.
func Signs(a *asm.Gen) {
	g := gen{a}
	g.signs("signsAVX2", 0x1D)    // >=, false for NaN
	g.signs("signsNaNAVX2", 0x15) // not <, true for NaN
}

func (g gen) signs(name string, predicate uint64) {
	g.Func(name, "func(dst []byte, src []float32, stride int, least *[8]float32, flip *[8]uint32)", "See Set.signs; AVX2.")
	dst, left, src, stride := g.GP64(), g.GP64(), g.GP64(), g.GP64()
	g.Load(g.Param("dst").Base(), dst)
	g.Load(g.Param("dst").Len(), left)
	g.Load(g.Param("src").Base(), src)
	g.Load(g.Param("stride"), stride)
	g.SHLQ(Imm(2), stride)
	leasts, flips := g.GP64(), g.GP64()
	g.Load(g.Param("least"), leasts)
	g.Load(g.Param("flip"), flips)
	loop, end := g.Unique("positions"), g.Unique("end")
	g.Label(loop)
	g.CMPQ(left, Imm(8))
	g.JLT(LabelRef(end))
	row, bits := g.GP64(), g.YMM()
	g.MOVQ(src, row)
	g.VPXOR(bits, bits, bits)
	for c := range 8 {
		x, least := g.YMM(), g.YMM()
		g.VBROADCASTSS(Mem{Base: flips, Disp: 4 * c}, x)
		g.VXORPS(Mem{Base: row}, x, x)
		g.VBROADCASTSS(Mem{Base: leasts, Disp: 4 * c}, least)
		g.VCMPPS(Imm(predicate), least, x, x)
		g.VPAND(g.dword(1<<c), x, x)
		g.VPOR(x, bits, bits)
		if c < 7 {
			g.ADDQ(stride, row)
		}
	}
	high := g.XMM()
	g.VEXTRACTI128(Imm(1), bits, high)
	g.VPACKSSDW(high, bits.AsX(), high)
	g.VPACKUSWB(high, high, high)
	g.VMOVQ(high, Mem{Base: dst})
	g.ADDQ(Imm(8), dst)
	g.ADDQ(Imm(32), src)
	g.SUBQ(Imm(8), left)
	g.JMP(LabelRef(loop))
	g.Label(end)
	g.Ret()
}

// dword is a constant in every double word of a register.
func (g gen) dword(v uint32) Mem {
	m := g.StaticGlobal(g.Unique("dword"))
	g.DataAttributes(attr.RODATA | attr.NOPTR)
	for i := range 8 {
		g.AddDatum(4*i, U32(v))
	}
	return m
}
