package kernels

import (
	"fmt"

	"github.com/billnet/billnet/internal/asmgen/asm"
	"github.com/mmcloughlin/avo/attr"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

const (
	bitLESignature  = "func(dst, src, mask []byte, offs []int32, w []byte, le *[8]uint8, flip uint8)"
	insideSignature = "func(dst, src, mask, inside []byte, offs, ioffs []int32, w []byte, le *[8]uint8, flip uint8)"
	bitIntSignature = "func(dst []byte, stride, outs int, src, mask []byte, offs []int32, w []byte, base *[8]int32, shift uint, add bool)"
)

// BitConv generates the convolutions of bits by bits.
func BitConv(a *asm.Gen) {
	g := gen{a}
	for _, masked := range []bool{false, true} {
		g.bitLE512(masked, false)
		for _, bytes := range []int{1, 2, 4} {
			g.bitInt512(masked, bytes)
		}
	}
	g.bitLE512(false, true)
	nibble := g.nibbles()
	g.bitLE2(nibble, false)
	g.bitLE2(nibble, true)
	for _, bytes := range []int{1, 2, 4} {
		g.bitInt2(nibble, bytes)
	}
}

func suffix(masked bool) string {
	if masked {
		return "Masked"
	}
	return ""
}

// bitArgs are the registers that all bit kernels keep; inside is nil in those that know no padding.
type bitArgs struct{ src, mask, offs, w, left, inside reg.GPVirtual }

func (g gen) bitArgs(inside bool) bitArgs {
	a := bitArgs{g.GP64(), g.GP64(), g.GP64(), g.GP64(), g.GP64(), nil}
	if inside {
		a.inside = g.GP64()
		g.Load(g.Param("inside").Base(), a.inside)
	}
	g.Load(g.Param("src").Base(), a.src)
	g.Load(g.Param("mask").Base(), a.mask)
	g.Load(g.Param("mask").Len(), a.left)
	g.Load(g.Param("offs").Base(), a.offs)
	g.Load(g.Param("w").Base(), a.w)
	return a
}

// insideAt sets off to the offset of term j in inside and returns the address of part v of the block.
func (g gen) insideAt(a bitArgs, j, off reg.GPVirtual, disp int) Mem {
	g.Load(g.Param("ioffs").Base(), off)
	g.MOVLQSX(Mem{Base: off, Index: j, Scale: 4}, off)
	return Mem{Base: a.inside, Index: off, Scale: 1, Disp: disp}
}

// outside sets every register of acc to 4 times the number of terms that lie outside the map at its positions.
func (v isa) outside(a bitArgs, acc []reg.VecVirtual) {
	j, off := v.GP64(), v.GP64()
	loop := v.Unique("outside")
	for i := range acc {
		v.xor(acc[i], acc[i], acc[i])
	}
	v.XORQ(j, j)
	v.Label(loop)
	m := gen{v.Gen}.insideAt(a, j, off, 0)
	for i := range acc { // less -1 where inside
		m.Disp = v.Bytes * i
		v.VPSUBB(m, acc[i], acc[i])
	}
	v.INCQ(j)
	v.CMPQ(j, v.Arg(v.Param("offs").Len()))
	v.JLT(LabelRef(loop))
	n, x, all := v.GP64(), v.XMM(), v.Vec()
	v.Load(v.Param("offs").Len(), n)
	v.VMOVQ(n, x)
	v.VPBROADCASTB(x, all)
	for i := range acc {
		v.VPSUBB(acc[i], all, acc[i])
		v.VPADDB(acc[i], acc[i], acc[i])
		v.VPADDB(acc[i], acc[i], acc[i])
	}
}

// count512 counts 8 outputs at 64 positions into 8 registers of bytes. A term of weights is 8 dwords of a repeated byte,
// and when masked 8 more of masks.
func (g gen) count512(a bitArgs, masked bool) []reg.VecVirtual {
	acc := make([]reg.VecVirtual, 8)
	for o := range acc {
		acc[o] = g.ZMM()
		switch {
		case a.inside == nil:
			g.VPXORD(acc[o], acc[o], acc[o])
		case o == 0:
			isa{g.AVX512()}.outside(a, acc[:1])
		default:
			g.VMOVDQA64(acc[0], acc[o])
		}
	}
	j, w, off := g.GP64(), g.GP64(), g.GP64()
	x, m := g.ZMM(), g.ZMM()
	loop := g.Unique("terms")
	g.XORQ(j, j)
	g.MOVQ(a.w, w)
	g.Label(loop)
	g.MOVLQSX(Mem{Base: a.offs, Index: j, Scale: 4}, off)
	g.VMOVDQU64(Mem{Base: a.src, Index: off, Scale: 1}, x)
	if a.inside != nil {
		g.VMOVDQU64(g.insideAt(a, j, off, 0), m)
	}
	for o := range acc {
		t := g.ZMM()
		if a.inside != nil {
			const xorAnd = 0x28 // (first ^ second) & third
			g.VPBROADCASTD(Mem{Base: w, Disp: 4 * o}, t)
			g.VPTERNLOGD(Imm(xorAnd), m, x, t)
		} else {
			g.VPXORD_BCST(Mem{Base: w, Disp: 4 * o}, x, t)
		}
		if masked {
			g.VPANDD_BCST(Mem{Base: w, Disp: 32 + 4*o}, t, t)
		}
		g.VPOPCNTB(t, t)
		g.VPADDUSB(t, acc[o], acc[o])
	}
	size := 32
	if masked {
		size = 64
	}
	g.ADDQ(step(size), w)
	g.INCQ(j)
	g.CMPQ(j, g.Arg(g.Param("offs").Len()))
	g.JLT(LabelRef(loop))
	return acc
}

func (g gen) bitLE512(masked, inside bool) {
	if inside {
		g.Func("bitInsideLEAVX512", insideSignature, "See Set.bitInsideLE; AVX-512 with VPOPCNTB.")
	} else {
		g.Func("bitLE"+suffix(masked)+"AVX512", bitLESignature, "See Set.bitLE; AVX-512 with VPOPCNTB.")
	}
	a := g.bitArgs(inside)
	dst, le := g.GP64(), g.GP64()
	g.Load(g.Param("dst").Base(), dst)
	g.Load(g.Param("le"), le)
	les := make([]reg.VecVirtual, 8)
	for o := range les {
		les[o] = g.ZMM()
		g.VPBROADCASTB(Mem{Base: le, Disp: o}, les[o])
	}
	flip, one := g.ZMM(), g.ZMM()
	g.VPBROADCASTB(g.Arg(g.Param("flip")), flip)
	g.VPTERNLOGD(Imm(0xFF), one, one, one) // -1 in every byte
	loop := g.Unique("blocks")
	g.Label(loop)
	acc := g.count512(a, masked)
	out := g.ZMM()
	g.VPXORD(out, out, out)
	for o := 7; o >= 0; o-- { // out = 2*out + (acc <= le)
		k := g.K()
		g.VPCMPUB(Imm(2), les[o], acc[o], k)
		g.VPADDB(out, out, out)
		g.VPSUBB(one, out, k, out)
	}
	g.VPXORD(flip, out, out)
	g.VPANDD(Mem{Base: a.mask}, out, out)
	g.VMOVDQU64(out, Mem{Base: dst})
	g.ADDQ(Imm(64), dst)
	g.ADDQ(Imm(64), a.mask)
	g.nextBlock(a, loop)
}

// nextBlock ends the loop over blocks.
func (g gen) nextBlock(a bitArgs, loop string) {
	g.ADDQ(Imm(64), a.src)
	if a.inside != nil {
		g.ADDQ(Imm(64), a.inside)
	}
	g.SUBQ(Imm(64), a.left)
	g.JNZ(LabelRef(loop))
	g.Ret()
}

func (g gen) bitInt512(masked bool, bytes int) {
	g.Func(fmt.Sprintf("bitInt%d%sAVX512", 8*bytes, suffix(masked)), bitIntSignature, "See Set.bitInt; AVX-512 with VPOPCNTB.")
	a := g.bitArgs(false)
	dst := g.GP64()
	g.Load(g.Param("dst").Base(), dst)
	shift, adding, twice := g.XMM(), g.ZMM(), g.ZMM()
	s, add := g.GP64(), g.GP32()
	g.Load(g.Param("shift"), s)
	g.VMOVQ(s, shift)
	g.NEGQ(s)
	g.VPBROADCASTQ(s, twice) // all ones when shift is 1
	g.Load(g.Param("add"), add.As8())
	g.MOVBLZX(add.As8(), add)
	g.NEGL(add)
	g.VPBROADCASTD(add, adding) // all ones when adding
	loop := g.Unique("blocks")
	g.Label(loop)
	acc := g.count512(a, masked)
	p, bases := g.GP64(), g.GP64()
	g.MOVQ(dst, p)
	g.Load(g.Param("base"), bases)
	done := g.Unique("done")
	for o := range acc {
		if o > 0 {
			g.CMPQ(g.Arg(g.Param("outs")), Imm(uint64(o)))
			g.JLE(LabelRef(done))
		}
		base := g.ZMM()
		at := Mem{Base: bases, Disp: 4 * o}
		switch bytes {
		case 1:
			g.VPBROADCASTB(at, base)
			t := g.ZMM()
			g.VPANDD(acc[o], twice, t)
			g.VPADDB(t, acc[o], acc[o])
			g.VPSUBB(acc[o], base, t)
			g.VPANDD(Mem{Base: a.mask}, t, t)
			g.VMOVDQU64(t, Mem{Base: p})
		case 2:
			g.VPBROADCASTW(at, base)
			g.VPANDND(base, adding, base)
			for h := range 2 {
				half, z, m := g.YMM(), g.ZMM(), g.ZMM()
				g.VEXTRACTI64X4(Imm(uint64(h)), acc[o], half)
				g.VPMOVZXBW(half, z)
				g.VPSLLW(shift, z, z)
				g.VPSUBW(z, base, z)
				g.VPMOVSXBW(Mem{Base: a.mask, Disp: 32 * h}, m)
				g.VPANDD(m, z, z)
				g.VPANDD(Mem{Base: p, Disp: 64 * h}, adding, m)
				g.VPADDW(m, z, z)
				g.VMOVDQU64(z, Mem{Base: p, Disp: 64 * h})
			}
		case 4:
			g.VPBROADCASTD(at, base)
			g.VPANDND(base, adding, base)
			for h := range 4 {
				part, z, m := g.XMM(), g.ZMM(), g.ZMM()
				g.VEXTRACTI32X4(Imm(uint64(h)), acc[o], part)
				g.VPMOVZXBD(part, z)
				g.VPSLLD(shift, z, z)
				g.VPSUBD(z, base, z)
				g.VPMOVSXBD(Mem{Base: a.mask, Disp: 16 * h}, m)
				g.VPANDD(m, z, z)
				g.VPANDD(Mem{Base: p, Disp: 64 * h}, adding, m)
				g.VPADDD(m, z, z)
				g.VMOVDQU64(z, Mem{Base: p, Disp: 64 * h})
			}
		}
		g.ADDQ(g.Arg(g.Param("stride")), p)
	}
	g.Label(done)
	g.ADDQ(step(64*bytes), dst)
	g.ADDQ(Imm(64), a.mask)
	g.nextBlock(a, loop)
}

// count2 counts outputs 4h to 4h+3 at 64 positions into 4 pairs of registers. A term of weights is 16 words: for each
// output the offsets in popTable of the counts of the low and of the high nibble.
func (g gen) count2(a bitArgs, table reg.GPVirtual, nibble Mem, h int) (acc [4][2]reg.VecVirtual) {
	for o := range acc {
		for v := range 2 {
			acc[o][v] = g.YMM()
		}
		switch {
		case a.inside != nil && o == 0:
			isa{g.AVX2()}.outside(a, acc[0][:])
		case a.inside != nil:
			g.VMOVDQA(acc[0][0], acc[o][0])
			g.VMOVDQA(acc[0][1], acc[o][1])
		default:
			g.VPXOR(acc[o][0], acc[o][0], acc[o][0])
			g.VPXOR(acc[o][1], acc[o][1], acc[o][1])
		}
	}
	j, w, off, idx := g.GP64(), g.GP64(), g.GP64(), g.GP64()
	loop := g.Unique("terms")
	g.XORQ(j, j)
	g.MOVQ(a.w, w)
	g.Label(loop)
	g.MOVLQSX(Mem{Base: a.offs, Index: j, Scale: 4}, off)
	var lo, hi [2]reg.VecVirtual
	for v := range 2 {
		lo[v], hi[v] = g.YMM(), g.YMM()
		g.VMOVDQU(Mem{Base: a.src, Index: off, Scale: 1, Disp: 32 * v}, lo[v])
		g.VPSRLW(Imm(4), lo[v], hi[v])
		g.VPAND(nibble, lo[v], lo[v])
		g.VPAND(nibble, hi[v], hi[v])
	}
	var m Mem
	if a.inside != nil {
		m = g.insideAt(a, j, off, 0)
	}
	for o := range acc {
		tl, th := g.YMM(), g.YMM()
		g.MOVWLZX(Mem{Base: w, Disp: 16*h + 4*o}, idx.As32())
		g.VBROADCASTI128(Mem{Base: table, Index: idx, Scale: 1}, tl)
		g.MOVWLZX(Mem{Base: w, Disp: 16*h + 4*o + 2}, idx.As32())
		g.VBROADCASTI128(Mem{Base: table, Index: idx, Scale: 1}, th)
		for v := range 2 {
			t, u := g.YMM(), g.YMM()
			g.VPSHUFB(lo[v], tl, t)
			g.VPSHUFB(hi[v], th, u)
			g.VPADDB(u, t, t)
			if a.inside != nil {
				m.Disp = 32 * v
				g.VPAND(m, t, t)
			}
			g.VPADDUSB(t, acc[o][v], acc[o][v])
		}
	}
	g.ADDQ(Imm(32), w)
	g.INCQ(j)
	g.CMPQ(j, g.Arg(g.Param("offs").Len()))
	g.JLT(LabelRef(loop))
	return acc
}

func (g gen) table() reg.GPVirtual {
	t := g.GP64()
	g.LEAQ(NewDataAddr(Symbol{Name: "·popTable"}, 0), t)
	return t
}

// nibbles defines 32 bytes 0x0F, once a file.
func (g gen) nibbles() Mem {
	m := g.StaticGlobal("nibbles")
	g.DataAttributes(attr.RODATA | attr.NOPTR)
	for i := range 4 {
		g.AddDatum(8*i, U64(0x0F0F0F0F0F0F0F0F))
	}
	return m
}

func (g gen) bitLE2(nibble Mem, inside bool) {
	if inside {
		g.Func("bitInsideLEAVX2", insideSignature, "See Set.bitInsideLE; AVX2 with nibble tables.")
	} else {
		g.Func("bitLEAVX2", bitLESignature, "See Set.bitLE; AVX2 with nibble tables, masked or not.")
	}
	a := g.bitArgs(inside)
	table := g.table()
	dst, le := g.GP64(), g.GP64()
	g.Load(g.Param("dst").Base(), dst)
	g.Load(g.Param("le"), le)
	loop := g.Unique("blocks")
	g.Label(loop)
	for h := range 2 {
		acc := g.count2(a, table, nibble, h)
		bits := [2]reg.VecVirtual{g.YMM(), g.YMM()}
		for v := range bits {
			g.VPXOR(bits[v], bits[v], bits[v])
		}
		for o := 3; o >= 0; o-- { // bits = 2*bits + (min(acc,le) == acc)
			bound := g.YMM()
			g.VPBROADCASTB(Mem{Base: le, Disp: 4*h + o}, bound)
			for v := range bits {
				t := g.YMM()
				g.VPMINUB(bound, acc[o][v], t)
				g.VPCMPEQB(t, acc[o][v], t)
				g.VPADDB(bits[v], bits[v], bits[v])
				g.VPSUBB(t, bits[v], bits[v])
			}
		}
		if h == 1 {
			flip := g.YMM()
			g.VPBROADCASTB(g.Arg(g.Param("flip")), flip)
			for v := range bits {
				g.VPSLLW(Imm(4), bits[v], bits[v]) // four bits a byte: none reaches the next byte
				g.VPOR(Mem{Base: dst, Disp: 32 * v}, bits[v], bits[v])
				g.VPXOR(flip, bits[v], bits[v])
				g.VPAND(Mem{Base: a.mask, Disp: 32 * v}, bits[v], bits[v])
			}
		}
		for v := range bits {
			g.VMOVDQU(bits[v], Mem{Base: dst, Disp: 32 * v})
		}
	}
	g.ADDQ(Imm(64), dst)
	g.ADDQ(Imm(64), a.mask)
	g.nextBlock(a, loop)
}

func (g gen) bitInt2(nibble Mem, bytes int) {
	g.Func(fmt.Sprintf("bitInt%dAVX2", 8*bytes), bitIntSignature, "See Set.bitInt; AVX2 with nibble tables, masked or not.")
	a := g.bitArgs(false)
	dst := g.GP64()
	g.Load(g.Param("dst").Base(), dst)
	table := g.table()
	loop := g.Unique("blocks")
	g.Label(loop)
	p := g.GP64()
	g.MOVQ(dst, p)
	done := g.Unique("done")
	for h := range 2 {
		if h == 1 {
			g.CMPQ(g.Arg(g.Param("outs")), Imm(4))
			g.JLE(LabelRef(done))
		}
		acc := g.count2(a, table, nibble, h)
		for o := range acc {
			if o > 0 {
				g.CMPQ(g.Arg(g.Param("outs")), Imm(uint64(4*h+o)))
				g.JLE(LabelRef(done))
			}
			g.store2(acc[o], 4*h+o, a.mask, p, bytes)
			g.ADDQ(g.Arg(g.Param("stride")), p)
		}
	}
	g.Label(done)
	g.ADDQ(step(64*bytes), dst)
	g.ADDQ(Imm(64), a.mask)
	g.nextBlock(a, loop)
}

// store2 writes base - acc<<shift at 64 positions, or adds -acc<<shift.
func (g gen) store2(acc [2]reg.VecVirtual, o int, mask, p reg.GPVirtual, bytes int) {
	base, bases := g.YMM(), g.GP64()
	g.Load(g.Param("base"), bases)
	at := Mem{Base: bases, Disp: 4 * o}
	shift, add := g.Arg(g.Param("shift")), g.Arg(g.Param("add"))
	if bytes == 1 {
		twice := g.XMM()
		neg := g.GP64()
		all := g.YMM()
		g.MOVQ(shift, neg)
		g.NEGQ(neg)
		g.VMOVQ(neg, twice)
		g.VPBROADCASTQ(twice, all)
		g.VPBROADCASTB(at, base)
		for v := range 2 {
			t := g.YMM()
			g.VPAND(acc[v], all, t)
			g.VPADDB(t, acc[v], t)
			g.VPSUBB(t, base, t)
			g.VPAND(Mem{Base: mask, Disp: 32 * v}, t, t)
			g.VMOVDQU(t, Mem{Base: p, Disp: 32 * v})
		}
		return
	}
	count := g.XMM()
	g.VMOVQ(shift, count)
	if bytes == 2 {
		g.VPBROADCASTW(at, base)
	} else {
		g.VPBROADCASTD(at, base)
	}
	plain := g.Unique("plain")
	g.CMPB(add, Imm(0))
	g.JEQ(LabelRef(plain))
	g.VPXOR(base, base, base)
	g.Label(plain)
	per := 32 / bytes // positions a register
	for v := range 2 {
		for s := range bytes {
			part, z, m := g.XMM(), g.YMM(), g.YMM()
			n := 32*v + s*per
			switch {
			case bytes == 2:
				g.VEXTRACTI128(Imm(uint64(s)), acc[v], part)
				g.VPMOVZXBW(part, z)
				g.VPSLLW(count, z, z)
				g.VPSUBW(z, base, z)
				g.VPMOVSXBW(Mem{Base: mask, Disp: n}, m)
			default:
				g.VEXTRACTI128(Imm(uint64(s/2)), acc[v], part)
				if s%2 == 1 {
					g.VPSRLDQ(Imm(8), part, part)
				}
				g.VPMOVZXBD(part, z)
				g.VPSLLD(count, z, z)
				g.VPSUBD(z, base, z)
				g.VPMOVSXBD(Mem{Base: mask, Disp: n}, m)
			}
			g.VPAND(m, z, z)
			skip := g.Unique("store")
			g.CMPB(add, Imm(0))
			g.JEQ(LabelRef(skip))
			if bytes == 2 {
				g.VPADDW(Mem{Base: p, Disp: n * bytes}, z, z)
			} else {
				g.VPADDD(Mem{Base: p, Disp: n * bytes}, z, z)
			}
			g.Label(skip)
			g.VMOVDQU(z, Mem{Base: p, Disp: n * bytes})
		}
	}
}
