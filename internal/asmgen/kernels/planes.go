package kernels

import (
	"fmt"

	"github.com/billnet/billnet/internal/asmgen/asm"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// Planes generates what moves or combines whole planes: pools, gates, conversions, counts.
func Planes(a *asm.Gen) {
	g := gen{a}
	order := g.order()
	for _, v := range g.isas() {
		v.pool()
		v.gate()
		for _, from := range []int{2, 4} {
			for _, to := range []int{1, 2, 4} {
				if from != to {
					v.convert(from, to, order)
				}
			}
		}
	}
	g.countBlocksAVX2()
	g.countBlocksAVX512()
	g.split2BlocksAVX2()
}

func (v isa) pool() {
	v.Func("pool"+v.Name, "func(dst, src, mask []byte, offs []int32, pre, post uint8)", "See Set.pool.")
	dst, src, mask, left, offs, taps := v.GP64(), v.GP64(), v.GP64(), v.GP64(), v.GP64(), v.GP64()
	v.Load(v.Param("dst").Base(), dst)
	v.Load(v.Param("src").Base(), src)
	v.Load(v.Param("mask").Base(), mask)
	v.Load(v.Param("mask").Len(), left)
	v.Load(v.Param("offs").Base(), offs)
	v.Load(v.Param("offs").Len(), taps)
	pre, post := v.Vec(), v.Vec()
	v.broadcast(1, v.Arg(v.Param("pre")), pre)
	v.broadcast(1, v.Arg(v.Param("post")), post)
	v.eachBlock(left, 1, func(int) {
		j, off := v.GP64(), v.GP64()
		acc := make([]reg.VecVirtual, 64/v.Bytes)
		for i := range acc {
			acc[i] = v.Vec()
			v.xor(acc[i], acc[i], acc[i])
		}
		v.XORQ(j, j)
		loop := v.Unique("taps")
		v.Label(loop)
		v.MOVLQSX(Mem{Base: offs, Index: j, Scale: 4}, off)
		for i := range acc {
			t := v.Vec()
			v.xor(Mem{Base: src, Index: off, Scale: 1, Disp: v.Bytes * i}, pre, t)
			v.or(t, acc[i], acc[i])
		}
		v.INCQ(j)
		v.CMPQ(j, taps)
		v.JLT(LabelRef(loop))
		for i := range acc {
			v.xor(post, acc[i], acc[i])
			v.and(Mem{Base: mask, Disp: v.Bytes * i}, acc[i], acc[i])
			v.move(acc[i], Mem{Base: dst, Disp: v.Bytes * i})
		}
		v.ADDQ(step(64), dst)
		v.ADDQ(step(64), mask)
		v.ADDQ(step(64), src)
	})
}

func (v isa) gate() {
	v.Func("gate"+v.Name, "func(dst, f, x []byte, fx, f1, x1 uint8)", "See Set.gate.")
	dst, f, x, left := v.GP64(), v.GP64(), v.GP64(), v.GP64()
	v.Load(v.Param("dst").Base(), dst)
	v.Load(v.Param("dst").Len(), left)
	v.Load(v.Param("f").Base(), f)
	v.Load(v.Param("x").Base(), x)
	fx, f1, x1 := v.Vec(), v.Vec(), v.Vec()
	for i, r := range []reg.VecVirtual{fx, f1, x1} {
		v.broadcast(1, v.Arg(v.Param([]string{"fx", "f1", "x1"}[i])), r)
	}
	v.eachBlock(left, 1, func(int) {
		for i := range 64 / v.Bytes {
			a, b := v.Vec(), v.Vec()
			v.load(Mem{Base: x, Disp: v.Bytes * i}, a)
			v.and(a, fx, b)
			v.xor(b, f1, b)
			v.and(Mem{Base: f, Disp: v.Bytes * i}, b, b)
			v.and(a, x1, a)
			v.xor(a, b, b)
			v.move(b, Mem{Base: dst, Disp: v.Bytes * i})
		}
		v.ADDQ(step(64), dst)
		v.ADDQ(step(64), f)
		v.ADDQ(step(64), x)
	})
}

// convert writes from-byte integers as to-byte ones. AVX2 packs with saturation, which is exact for values that fit.
func (v isa) convert(from, to int, order Mem) {
	v.Func(fmt.Sprintf("convert%dTo%d%s", bitsOf(from), bitsOf(to), v.Name), "func(dst, src, mask []byte, add int32)", "See Set.convert.")
	dst, src, mask, left := v.GP64(), v.GP64(), v.GP64(), v.GP64()
	v.Load(v.Param("dst").Base(), dst)
	v.Load(v.Param("src").Base(), src)
	v.Load(v.Param("mask").Base(), mask)
	v.Load(v.Param("mask").Len(), left)
	size := max(from, to) // arithmetic is as wide as the wider
	add := v.Vec()
	word, low := v.GP32(), v.XMM()
	v.Load(v.Param("add"), word)
	v.VMOVD(word, low)
	v.broadcast(size, low, add)
	per := v.Bytes / size
	value := func(i int) reg.VecVirtual {
		x, m := v.Vec(), v.Vec()
		if from == 2 && size == 4 {
			v.VPMOVSXWD(Mem{Base: src, Disp: per * i * from}, x)
		} else {
			v.load(Mem{Base: src, Disp: per * i * from}, x)
		}
		v.add(size, add, x, x)
		v.maskOf(size, Mem{Base: mask, Disp: per * i}, m)
		v.and(m, x, x)
		return x
	}
	v.eachBlock(left, 1, func(int) {
		switch {
		case to == size:
			for i := range 64 / per {
				v.move(value(i), Mem{Base: dst, Disp: per * i * to})
			}
		case v.Wide():
			for i := range 64 / per {
				at := Mem{Base: dst, Disp: per * i * to}
				switch x := value(i); {
				case from == 2:
					v.VPMOVWB(x, at)
				case to == 2:
					v.VPMOVDW(x, at)
				default:
					v.VPMOVDB(x, at)
				}
			}
		case from == 4 && to == 1:
			for i := 0; i < 8; i += 4 {
				x := []reg.VecVirtual{value(i), value(i + 1), value(i + 2), value(i + 3)}
				t := v.YMM()
				v.VPACKSSDW(x[1], x[0], x[0])
				v.VPACKSSDW(x[3], x[2], x[2])
				v.VPACKSSWB(x[2], x[0], x[0])
				v.VMOVDQU(order, t)
				v.VPERMD(x[0], t, x[0])
				v.VMOVDQU(x[0], Mem{Base: dst, Disp: 8 * i})
			}
		default:
			for i := 0; i < 64/per; i += 2 {
				a, b := value(i), value(i+1)
				if from == 2 {
					v.VPACKSSWB(b, a, a)
				} else {
					v.VPACKSSDW(b, a, a)
				}
				v.VPERMQ(Imm(0xD8), a, a)
				v.VMOVDQU(a, Mem{Base: dst, Disp: per * i * to})
			}
		}
		v.ADDQ(step(64*to), dst)
		v.ADDQ(step(64), mask)
		v.ADDQ(step(64*from), src)
	})
}

const countSignature = "func(n *[8]int32, src []byte)"

// counters are 8 sums in general registers.
func (g gen) counters() (n [8]reg.GPVirtual) {
	for j := range n {
		n[j] = g.GP64()
		g.XORQ(n[j], n[j])
	}
	return n
}

func (g gen) addCounters(n [8]reg.GPVirtual) {
	p := g.GP64()
	g.Load(g.Param("n"), p)
	for j := range n {
		g.ADDL(n[j].As32(), Mem{Base: p, Disp: 4 * j})
	}
}

func (g gen) countBlocksAVX2() {
	g.Func("countBlocksAVX2", countSignature, "countBlocksAVX2 adds to n[j] the number of set bits j; len(src) is a multiple of 64.")
	src, end, t := g.GP64(), g.GP64(), g.GP64()
	g.Load(g.Param("src").Base(), src)
	g.Load(g.Param("src").Len(), end)
	g.ADDQ(src, end)
	n := g.counters()
	loop, done := g.Unique("blocks"), g.Unique("done")
	g.Label(loop)
	g.CMPQ(src, end)
	g.JEQ(LabelRef(done))
	for i := range 2 {
		x := g.YMM()
		g.VMOVDQU(Mem{Base: src, Disp: 32 * i}, x)
		for j := 7; j >= 0; j-- {
			g.VPMOVMSKB(x, t.As32())
			g.POPCNTL(t.As32(), t.As32())
			g.ADDL(t.As32(), n[j].As32())
			if j > 0 {
				g.VPADDB(x, x, x)
			}
		}
	}
	g.ADDQ(step(64), src)
	g.JMP(LabelRef(loop))
	g.Label(done)
	g.addCounters(n)
	g.Ret()
}

func (g gen) countBlocksAVX512() {
	g.Func("countBlocksAVX512", countSignature, "countBlocksAVX512 adds to n[j] the number of set bits j; len(src) is a multiple of 64.")
	src, end, t := g.GP64(), g.GP64(), g.GP64()
	g.Load(g.Param("src").Base(), src)
	g.Load(g.Param("src").Len(), end)
	g.ADDQ(src, end)
	n := g.counters()
	bit := make([]reg.VecVirtual, 8)
	for j := range bit {
		bit[j] = g.ZMM()
		g.MOVL(U32(1<<j), t.As32())
		g.VPBROADCASTB(t.As32(), bit[j])
	}
	loop, done := g.Unique("blocks"), g.Unique("done")
	g.Label(loop)
	g.CMPQ(src, end)
	g.JEQ(LabelRef(done))
	x := g.ZMM()
	g.VMOVDQU64(Mem{Base: src}, x)
	for j := range bit {
		k := g.K()
		g.VPTESTMB(bit[j], x, k)
		g.KMOVQ(k, t)
		g.POPCNTQ(t, t)
		g.ADDQ(t, n[j])
	}
	g.ADDQ(step(64), src)
	g.JMP(LabelRef(loop))
	g.Label(done)
	g.addCounters(n)
	g.Ret()
}

func (g gen) split2BlocksAVX2() {
	g.Func("split2BlocksAVX2", "func(even, odd, src []byte)", "split2BlocksAVX2 separates even from odd bytes; len(src) is a multiple of 64.")
	even, odd, src, left := g.GP64(), g.GP64(), g.GP64(), g.GP64()
	g.Load(g.Param("even").Base(), even)
	g.Load(g.Param("odd").Base(), odd)
	g.Load(g.Param("src").Base(), src)
	g.Load(g.Param("src").Len(), left)
	low := g.YMM()
	g.VPCMPEQW(low, low, low)
	g.VPSRLW(Imm(8), low, low)
	loop, done := g.Unique("blocks"), g.Unique("done")
	g.Label(loop)
	g.TESTQ(left, left)
	g.JEQ(LabelRef(done))
	var e, o [2]reg.VecVirtual
	for i := range 2 {
		e[i], o[i] = g.YMM(), g.YMM()
		g.VMOVDQU(Mem{Base: src, Disp: 32 * i}, o[i])
		g.VPAND(o[i], low, e[i])
		g.VPSRLW(Imm(8), o[i], o[i])
	}
	g.VPACKUSWB(e[1], e[0], e[0])
	g.VPACKUSWB(o[1], o[0], o[0])
	g.VPERMQ(Imm(0xD8), e[0], e[0])
	g.VPERMQ(Imm(0xD8), o[0], o[0])
	g.VMOVDQU(e[0], Mem{Base: even})
	g.VMOVDQU(o[0], Mem{Base: odd})
	g.ADDQ(step(32), even)
	g.ADDQ(step(32), odd)
	g.ADDQ(step(64), src)
	g.SUBQ(step(64), left)
	g.JMP(LabelRef(loop))
	g.Label(done)
	g.Ret()
}
