package kernels

import (
	"github.com/billnet/billnet/internal/asmgen/asm"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// Dot generates products of bytes with few-bit weights.
func Dot(a *asm.Gen) {
	g := gen{a}
	for _, v := range g.isas() {
		v.dot()
		v.dotRows("dotRow", 1)
		v.dotRows("dotRows", 4)
		v.dotWindow()
	}
	g.interleaveBlocksAVX2()
}

// times adds to every acc[o][i] the products of 4 channels: x[i] has the bytes of as many positions as acc[o][i] has
// sums, and output o's weights are at w[o].
//
// AVX-512 has an instruction for it. AVX2 multiplies pairs of 16-bit numbers: of a double word the even bytes, then the
// odd ones, with weights packed in that order; nothing saturates.
func (v isa) times(acc [][]reg.VecVirtual, x []reg.VecVirtual, w []Mem) {
	if v.Wide() {
		for o := range acc {
			b := v.ZMM()
			v.VPBROADCASTD(w[o], b)
			for i := range x {
				v.VPDPBUSD(b, x[i], acc[o][i])
			}
		}
		return
	}
	odd := v.halves(x)
	for o := range acc {
		for k, part := range [][]reg.VecVirtual{x, odd} {
			b := v.YMM()
			v.VPBROADCASTD(w[o].Offset(4*k), b)
			for i := range x {
				p := v.YMM()
				v.VPMADDWD(b, part[i], p)
				v.VPADDD(p, acc[o][i], acc[o][i])
			}
		}
	}
}

// halves leaves the even bytes of x in x, as words, and returns the odd ones.
func (v isa) halves(x []reg.VecVirtual) []reg.VecVirtual {
	odd := make([]reg.VecVirtual, len(x))
	for i := range x {
		odd[i] = v.YMM()
		v.VPSRLW(Imm(8), x[i], odd[i])
		v.VPSLLW(Imm(8), x[i], x[i])
		v.VPSRLW(Imm(8), x[i], x[i])
	}
	return odd
}

// weightBytes is the size of the 4 weights of a term and output.
func (v isa) weightBytes() int {
	if v.Wide() {
		return 4
	}
	return 8
}

func (v isa) dot() {
	v.Func("dot"+v.Name, "func(acc []int32, src []byte, offs []int32, w []byte, init *[4]int32)", "See Set.dot.")
	acc, left, stride := v.GP64(), v.GP64(), v.GP64()
	src, offs, terms, w, init := v.GP64(), v.GP64(), v.GP64(), v.GP64(), v.GP64()
	v.Load(v.Param("acc").Base(), acc)
	v.Load(v.Param("acc").Len(), stride) // 4 rows of n elements of 4 bytes
	v.Load(v.Param("src").Base(), src)
	v.Load(v.Param("offs").Base(), offs)
	v.Load(v.Param("offs").Len(), terms)
	v.Load(v.Param("w").Base(), w)
	v.Load(v.Param("init"), init)
	v.MOVQ(stride, left)
	v.SHRQ(Imm(2), left)
	vecs := []int{4, 2, 1}
	if !v.Wide() {
		vecs = []int{2}
	}
	for _, n := range vecs {
		loop, end := v.Unique("block"), v.Unique("end")
		v.Label(loop)
		v.CMPQ(left, step(n*v.Lanes()))
		v.JLT(LabelRef(end))
		sums := make([][]reg.VecVirtual, 4)
		for o := range sums {
			for range n {
				x := v.Vec()
				v.VPBROADCASTD(Mem{Base: init, Disp: 4 * o}, x)
				sums[o] = append(sums[o], x)
			}
		}
		j, off, at := v.GP64(), v.GP64(), v.GP64()
		v.XORQ(j, j)
		v.MOVQ(w, at)
		next := v.Unique("term")
		v.Label(next)
		v.MOVLQSX(Mem{Base: offs, Index: j, Scale: 4}, off)
		x := make([]reg.VecVirtual, n)
		for i := range x {
			x[i] = v.Vec()
			v.load(Mem{Base: src, Index: off, Scale: 1, Disp: v.Bytes * i}, x[i])
		}
		weights := make([]Mem, 4)
		for o := range weights {
			weights[o] = Mem{Base: at, Disp: o * v.weightBytes()}
		}
		v.times(sums, x, weights)
		v.ADDQ(step(4*v.weightBytes()), at)
		v.INCQ(j)
		v.CMPQ(j, terms)
		v.JLT(LabelRef(next))
		row := v.GP64()
		v.MOVQ(acc, row)
		for o := range sums {
			for i := range sums[o] {
				v.move(sums[o][i], Mem{Base: row, Disp: v.Bytes * i})
			}
			if o < 3 {
				v.ADDQ(stride, row)
			}
		}
		v.ADDQ(step(n*v.Bytes), acc)
		v.ADDQ(step(n*v.Bytes), src)
		v.SUBQ(step(n*v.Lanes()), left)
		v.JMP(LabelRef(loop))
		v.Label(end)
	}
	v.Ret()
}

// dotRows has output channels along the register and the bytes of x, the same for all of them, broadcast.
func (v isa) dotRows(name string, rows int) {
	v.Func(name+v.Name, "func(acc []int32, x []byte, w []byte)", "See Set.dotRows.")
	acc, x, k, w := v.GP64(), v.GP64(), v.GP64(), v.GP64()
	v.Load(v.Param("acc").Base(), acc)
	v.Load(v.Param("x").Base(), x)
	v.Load(v.Param("x").Len(), k)
	v.Load(v.Param("w").Base(), w)
	if rows == 4 {
		v.SHRQ(Imm(2), k)
	}
	// 64 outputs in pieces of what the registers hold.
	per := 4 / max(1, rows/2)
	if v.Wide() {
		per = 4
	} else if rows == 4 {
		per = 1
	}
	for first := 0; first < 64/v.Lanes(); first += per {
		sums := make([][]reg.VecVirtual, rows)
		for r := range sums {
			for i := range per {
				s := v.Vec()
				v.load(Mem{Base: acc, Disp: 256*r + v.Bytes*(first+i)}, s)
				sums[r] = append(sums[r], s)
			}
		}
		j, at := v.GP64(), v.GP64()
		v.XORQ(j, j)
		v.MOVQ(w, at)
		base := make([]reg.GPVirtual, rows)
		for r := range base {
			base[r] = x
			if r > 0 {
				base[r] = v.GP64()
				v.LEAQ(Mem{Base: base[r-1], Index: k, Scale: 1}, base[r])
			}
		}
		next, done := v.Unique("k"), v.Unique("done")
		v.Label(next)
		v.CMPQ(j, k)
		v.JGE(LabelRef(done))
		for i := range per {
			a := v.Vec()
			v.load(Mem{Base: at, Disp: v.Bytes * (first + i) * v.weightBytes() / 4}, a)
			var second reg.VecVirtual
			if !v.Wide() {
				second = v.Vec()
				v.load(Mem{Base: at, Disp: v.Bytes*(first+i)*2 + v.Bytes}, second)
			}
			for r := range sums {
				b := v.Vec()
				v.VPBROADCASTD(Mem{Base: base[r], Index: j, Scale: 1}, b)
				if v.Wide() {
					v.VPDPBUSD(a, b, sums[r][i])
					continue
				}
				odd := v.halves([]reg.VecVirtual{b})[0]
				for k, p := range []reg.VecVirtual{b, odd} {
					v.VPMADDWD([]reg.VecVirtual{a, second}[k], p, p)
					v.VPADDD(p, sums[r][i], sums[r][i])
				}
			}
		}
		v.ADDQ(step(64*v.weightBytes()), at)
		v.ADDQ(step(4), j)
		v.JMP(LabelRef(next))
		v.Label(done)
		for r := range sums {
			for i := range per {
				v.move(sums[r][i], Mem{Base: acc, Disp: 256*r + v.Bytes*(first+i)})
			}
		}
	}
	v.Ret()
}

func (v isa) dotWindow() {
	v.Func("dotWindow"+v.Name, "func(acc []int32, src []byte, offs []int32, w []byte, index *[64]byte, stride int, init int32)", "See Set.dotWindow.")
	acc, left, src, offs, terms, w, index, stride := v.GP64(), v.GP64(), v.GP64(), v.GP64(), v.GP64(), v.GP64(), v.GP64(), v.GP64()
	v.Load(v.Param("acc").Base(), acc)
	v.Load(v.Param("acc").Len(), left)
	v.Load(v.Param("src").Base(), src)
	v.Load(v.Param("offs").Base(), offs)
	v.Load(v.Param("offs").Len(), terms)
	v.Load(v.Param("w").Base(), w)
	v.Load(v.Param("index"), index)
	v.Load(v.Param("stride"), stride)
	order, start := v.Vec(), v.Vec()
	v.load(Mem{Base: index}, order)
	word := v.GP32()
	v.Load(v.Param("init"), word)
	v.VMOVD(word, start.AsX())
	v.VPBROADCASTD(start.AsX(), start)
	v.SHLQ(Imm(2), stride) // 4 positions
	vecs := []int{4, 1}
	if !v.Wide() {
		vecs = []int{2}
	}
	for _, n := range vecs {
		loop, end := v.Unique("block"), v.Unique("end")
		v.Label(loop)
		v.CMPQ(left, step(n*v.Lanes()))
		v.JLT(LabelRef(end))
		sums := make([][]reg.VecVirtual, 1)
		for range n {
			s := v.Vec()
			v.move(start, s)
			sums[0] = append(sums[0], s)
		}
		j, off, at := v.GP64(), v.GP64(), v.GP64()
		v.XORQ(j, j)
		v.MOVQ(w, at)
		next := v.Unique("term")
		v.Label(next)
		v.MOVLQSX(Mem{Base: offs, Index: j, Scale: 4}, off)
		v.ADDQ(src, off)
		x := make([]reg.VecVirtual, n)
		for i := range x {
			x[i] = v.Vec()
			if v.Wide() {
				v.load(Mem{Base: off}, x[i])
				v.VPERMB(x[i], order, x[i])
				if i < n-1 {
					v.LEAQ(Mem{Base: off, Index: stride, Scale: 4}, off)
				}
				continue
			}
			v.VMOVDQU(Mem{Base: off}, x[i].AsX())
			v.VINSERTI128(Imm(1), Mem{Base: off, Index: stride, Scale: 1}, x[i], x[i])
			v.VPSHUFB(order, x[i], x[i])
			if i < n-1 {
				v.LEAQ(Mem{Base: off, Index: stride, Scale: 2}, off)
			}
		}
		v.times(sums, x, []Mem{{Base: at}})
		v.ADDQ(step(v.weightBytes()), at)
		v.INCQ(j)
		v.CMPQ(j, terms)
		v.JLT(LabelRef(next))
		for i := range x {
			v.move(sums[0][i], Mem{Base: acc, Disp: v.Bytes * i})
		}
		v.ADDQ(step(n*v.Bytes), acc)
		v.LEAQ(Mem{Base: src, Index: stride, Scale: 4}, src)
		for range n*v.Lanes()/16 - 1 {
			v.LEAQ(Mem{Base: src, Index: stride, Scale: 4}, src)
		}
		v.SUBQ(step(n*v.Lanes()), left)
		v.JMP(LabelRef(loop))
		v.Label(end)
	}
	v.Ret()
}

func (g gen) interleaveBlocksAVX2() {
	g.Func("interleaveBlocksAVX2", "func(dst, s0, s1, s2, s3 []byte, flip uint8)", "interleaveBlocksAVX2 is Set.interleave of a multiple of 16 positions.")
	dst, left := g.GP64(), g.GP64()
	g.Load(g.Param("dst").Base(), dst)
	g.Load(g.Param("dst").Len(), left)
	src := make([]reg.GPVirtual, 4)
	for i := range src {
		src[i] = g.GP64()
		g.Load(g.Param([]string{"s0", "s1", "s2", "s3"}[i]).Base(), src[i])
	}
	flip := g.XMM()
	g.VPBROADCASTB(g.Arg(g.Param("flip")), flip)
	at := g.GP64()
	g.XORQ(at, at)
	loop, done := g.Unique("blocks"), g.Unique("done")
	g.Label(loop)
	g.CMPQ(left, step(64))
	g.JLT(LabelRef(done))
	x := make([]reg.VecVirtual, 4)
	for i := range x {
		x[i] = g.XMM()
		g.VPXOR(Mem{Base: src[i], Index: at, Scale: 1}, flip, x[i])
	}
	// Bytes of two channels side by side, then those pairs.
	var pair [2][2]reg.VecVirtual
	for i := range pair {
		pair[i] = [2]reg.VecVirtual{g.XMM(), g.XMM()}
		g.VPUNPCKLBW(x[2*i+1], x[2*i], pair[i][0])
		g.VPUNPCKHBW(x[2*i+1], x[2*i], pair[i][1])
	}
	for h := range 2 {
		y := g.XMM()
		g.VPUNPCKLWD(pair[1][h], pair[0][h], y)
		g.VMOVDQU(y, Mem{Base: dst, Disp: 32 * h})
		g.VPUNPCKHWD(pair[1][h], pair[0][h], y)
		g.VMOVDQU(y, Mem{Base: dst, Disp: 32*h + 16})
	}
	g.ADDQ(step(64), dst)
	g.ADDQ(step(16), at)
	g.SUBQ(step(64), left)
	g.JMP(LabelRef(loop))
	g.Label(done)
	g.Ret()
}
