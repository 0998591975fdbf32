package kernels

import (
	"github.com/billnet/billnet/internal/asmgen/asm"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// BitDot generates the convolution of bits with 64 output channels along the register.
func BitDot(a *asm.Gen) {
	g := gen{a}
	g.bitDot(g.nibbles())
	g.bitTurn()
}

// bitRun is how many bytes can be counted in a byte: eight bits each.
const bitRun = 31

// bitDot looks up the counts of weight nibbles in the two tables of a cell, at four positions, and adds them in bytes until
// these could overflow.
func (g gen) bitDot(nibble Mem) {
	g.Func("bitDotAVX2", "func(acc []int16, src []byte, offs []int32, nb int, w []byte)", "See Set.bitDot; AVX2, cells of two tables of 16 counts.")
	acc, src, offs, taps, w := g.GP64(), g.GP64(), g.GP64(), g.GP64(), g.GP64()
	g.Load(g.Param("acc").Base(), acc)
	g.Load(g.Param("src").Base(), src)
	g.Load(g.Param("offs").Base(), offs)
	g.Load(g.Param("offs").Len(), taps)
	g.Load(g.Param("w").Base(), w)
	room, left := g.GP64(), g.GP64()
	var at [4]reg.GPVirtual
	var sum [4][2]reg.VecVirtual
	for p := range at {
		at[p] = g.GP64()
		for v := range sum[p] {
			sum[p][v] = g.YMM()
			g.VPXOR(sum[p][v], sum[p][v], sum[p][v])
		}
	}
	g.MOVQ(I32(bitRun), room)
	tap, run, cell, full, next := g.Unique("tap"), g.Unique("run"), g.Unique("cell"), g.Unique("full"), g.Unique("next")
	g.Label(tap)
	for p := range at {
		g.MOVLQSX(Mem{Base: offs, Disp: 4 * p}, at[p])
		g.ADDQ(src, at[p])
	}
	g.Load(g.Param("nb"), left)
	g.Label(run) // as many cells as there is room for
	n, i := g.GP64(), g.GP64()
	g.MOVQ(left, n)
	g.CMPQ(n, room)
	g.CMOVQGT(room, n)
	g.SUBQ(n, left)
	g.SUBQ(n, room)
	g.SHLQ(Imm(5), n)
	g.XORQ(i, i)
	g.Label(cell)
	var idx [2][2]reg.VecVirtual // of a vector of outputs: the low nibbles, the high ones
	for v := range idx {
		idx[v] = [2]reg.VecVirtual{g.YMM(), g.YMM()}
		g.VMOVDQU(Mem{Base: w, Index: i, Scale: 2, Disp: 32 * v}, idx[v][0])
		g.VPSRLW(Imm(4), idx[v][0], idx[v][1])
		g.VPAND(nibble, idx[v][0], idx[v][0])
		g.VPAND(nibble, idx[v][1], idx[v][1])
	}
	for p := range at {
		for half := range 2 {
			t := g.YMM()
			g.VBROADCASTI128(Mem{Base: at[p], Index: i, Scale: 1, Disp: 16 * half}, t)
			for v := range idx {
				u := g.YMM()
				g.VPSHUFB(idx[v][half], t, u)
				g.VPADDB(u, sum[p][v], sum[p][v])
			}
		}
	}
	g.ADDQ(Imm(32), i)
	g.CMPQ(i, n)
	g.JLT(LabelRef(cell))
	g.LEAQ(Mem{Base: w, Index: n, Scale: 2}, w)
	for p := range at {
		g.ADDQ(n, at[p])
	}
	g.TESTQ(room, room)
	g.JZ(LabelRef(full))
	g.Label(next) // the tap is done: there was room for all of it
	g.ADDQ(Imm(16), offs)
	g.SUBQ(Imm(4), taps)
	g.JG(LabelRef(tap))
	g.Label(full)
	for p := range at {
		for v := range 2 {
			zero := g.YMM()
			g.VPXOR(zero, zero, zero)
			for half := range 2 {
				words, m := g.YMM(), Mem{Base: acc, Disp: 128*p + 64*v + 32*half}
				if half == 0 {
					g.VPUNPCKLBW(zero, sum[p][v], words)
				} else {
					g.VPUNPCKHBW(zero, sum[p][v], words)
				}
				g.VPADDW(m, words, words)
				g.VMOVDQU(words, m)
			}
			g.VPXOR(sum[p][v], sum[p][v], sum[p][v])
		}
	}
	g.MOVQ(I32(bitRun), room)
	g.TESTQ(left, left)
	g.JNZ(LabelRef(run))
	g.TESTQ(taps, taps)
	g.JG(LabelRef(next))
	g.Ret()
}

// bitTurn transposes blocks of eight outputs by four positions.
func (g gen) bitTurn() {
	g.Func("bitTurnAVX2", "func(dst []int32, stride int, acc []int16, base *[4]int32, shift uint)", "See Set.bitTurn; AVX2.")
	dst, stride, acc, p, n := g.GP64(), g.GP64(), g.GP64(), g.GP64(), g.GP64()
	g.Load(g.Param("dst").Base(), dst)
	g.Load(g.Param("stride"), stride)
	g.SHLQ(Imm(2), stride)
	g.Load(g.Param("acc").Base(), acc)
	g.Load(g.Param("base"), p)
	base, shift := g.YMM(), g.XMM()
	g.VBROADCASTI128(Mem{Base: p}, base)
	g.Load(g.Param("shift"), p)
	g.VMOVQ(p, shift)
	g.MOVQ(I32(8), n)
	loop := g.Unique("outputs")
	g.Label(loop)
	var x [4]reg.VecVirtual
	for i := range x {
		x[i] = g.XMM()
		g.VMOVDQU(Mem{Base: acc, Disp: 128 * i}, x[i])
	}
	for half := range 2 {
		a, b := g.XMM(), g.XMM()
		if half == 0 {
			g.VPUNPCKLWD(x[1], x[0], a)
			g.VPUNPCKLWD(x[3], x[2], b)
		} else {
			g.VPUNPCKHWD(x[1], x[0], a)
			g.VPUNPCKHWD(x[3], x[2], b)
		}
		for pair := range 2 {
			four, wide := g.XMM(), g.YMM()
			if pair == 0 {
				g.VPUNPCKLDQ(b, a, four)
			} else {
				g.VPUNPCKHDQ(b, a, four)
			}
			g.VPMOVSXWD(four, wide)
			g.VPSLLD(shift, wide, wide)
			g.VPSUBD(wide, base, wide)
			g.VMOVDQU(wide.AsX(), Mem{Base: dst})
			g.VEXTRACTI128(Imm(1), wide, Mem{Base: dst, Index: stride, Scale: 1})
			g.LEAQ(Mem{Base: dst, Index: stride, Scale: 2}, dst)
		}
	}
	g.ADDQ(Imm(16), acc)
	g.DECQ(n)
	g.JNZ(LabelRef(loop))
	g.Ret()
}
