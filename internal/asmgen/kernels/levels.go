package kernels

import (
	"github.com/billnet/billnet/internal/asmgen/asm"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// Levels generates the counting of thresholds.
func Levels(a *asm.Gen) {
	g := gen{a}
	g.Func("levelsAVX2", "func(dst []byte, z, t, flip []int32, stride, count, step int, base byte)", "See Set.levels; AVX2.")
	dst, left, z, t, flip := g.GP64(), g.GP64(), g.GP64(), g.GP64(), g.GP64()
	stride, count, step := g.GP64(), g.GP64(), g.GP64()
	g.Load(g.Param("dst").Base(), dst)
	g.Load(g.Param("dst").Len(), left)
	g.Load(g.Param("z").Base(), z)
	g.Load(g.Param("t").Base(), t)
	g.Load(g.Param("flip").Base(), flip)
	g.Load(g.Param("stride"), stride)
	g.Load(g.Param("count"), count)
	g.Load(g.Param("step"), step)
	g.SHLQ(Imm(2), stride)
	base := g.XMM()
	g.VPBROADCASTB(g.Arg(g.Param("base")), base)
	along, end := g.Unique("along"), g.Unique("end")
	g.TESTQ(step, step)
	g.JNZ(LabelRef(along))
	turned, least := g.YMM(), g.YMM()
	g.VPBROADCASTD(Mem{Base: flip}, turned)
	g.levels(dst, left, z, t, stride, count, base, end, false, func(v [2]reg.VecVirtual) {
		for i := range v {
			g.VPXOR(turned, v[i], v[i])
		}
	}, func(at reg.GPVirtual) [2]Op {
		g.VPBROADCASTD(Mem{Base: at}, least)
		return [2]Op{least, least}
	})
	g.Label(along)
	g.levels(dst, left, z, t, stride, count, base, end, true, func(v [2]reg.VecVirtual) {
		for i := range v {
			g.VPXOR(Mem{Base: flip, Disp: 32 * i}, v[i], v[i])
		}
		g.ADDQ(Imm(64), flip)
	}, func(at reg.GPVirtual) [2]Op {
		return [2]Op{Mem{Base: at}, Mem{Base: at, Disp: 32}}
	})
	g.Label(end)
	g.Ret()
}

// levels emits the loop over blocks of sixteen elements: turn exclusive-ors them, and threshold is the operands of the one at an
// address, which moves along with the elements or does not.
func (g gen) levels(dst, left, z, t, stride, count reg.GPVirtual, base reg.VecVirtual, end string, along bool, turn func(v [2]reg.VecVirtual), threshold func(at reg.GPVirtual) [2]Op) {
	loop, next, done := g.Unique("block"), g.Unique("threshold"), g.Unique("counted")
	g.Label(loop)
	g.CMPQ(left, Imm(16))
	g.JLT(LabelRef(end))
	var v, n [2]reg.VecVirtual
	for i := range v {
		v[i], n[i] = g.YMM(), g.YMM()
		g.VMOVDQU(Mem{Base: z, Disp: 32 * i}, v[i])
		g.VPXOR(n[i], n[i], n[i])
	}
	turn(v)
	at, k := g.GP64(), g.GP64()
	g.MOVQ(t, at)
	g.MOVQ(count, k)
	g.Label(next)
	g.DECQ(k)
	g.JLT(LabelRef(done))
	for i, least := range threshold(at) {
		above := g.YMM()
		g.VPCMPGTD(least, v[i], above)
		g.VPSUBD(above, n[i], n[i])
	}
	g.ADDQ(stride, at)
	g.JMP(LabelRef(next))
	g.Label(done)
	// Words in the order of the elements, then bytes.
	words, high := g.YMM(), g.XMM()
	g.VPACKSSDW(n[1], n[0], words)
	g.VPERMQ(Imm(0b11011000), words, words)
	g.VEXTRACTI128(Imm(1), words, high)
	g.VPACKUSWB(high, words.AsX(), high)
	g.VPADDB(base, high, high)
	g.VMOVDQU(high, Mem{Base: dst})
	g.ADDQ(Imm(16), dst)
	g.ADDQ(Imm(64), z)
	if along {
		g.ADDQ(Imm(64), t)
	}
	g.SUBQ(Imm(16), left)
	g.JMP(LabelRef(loop))
}
