package kernels

import (
	"github.com/billnet/billnet/internal/asmgen/asm"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// DotFew generates products of bytes with weights of so few bits that 16 bits hold the sums of a run of terms. An instruction
// multiplies bytes and adds the products of two channels, where Dot multiplies words.
func DotFew(a *asm.Gen) {
	g := gen{a}
	g.fewDot()
	g.fewRows("fewRowAVX2", 1)
	g.fewRows("fewRowsAVX2", 4)
}

// fewVecs is the registers of results of an output, or of a row.
const fewVecs = 2

// runs emits the loop over terms: body adds the products of term j to sums of words, and after every run they are added to the
// double words at their places.
func (g gen) runs(terms, run reg.GPVirtual, sums [][]reg.VecVirtual, place func(r, i int) Mem, body func(j reg.GPVirtual)) {
	ones := g.YMM()
	j, end := g.GP64(), g.GP64()
	g.XORQ(j, j)
	next, term, done := g.Unique("run"), g.Unique("term"), g.Unique("done")
	g.TESTQ(terms, terms)
	g.JZ(LabelRef(done))
	g.Label(next)
	for _, row := range sums {
		for _, s := range row {
			g.VPXOR(s, s, s)
		}
	}
	g.LEAQ(Mem{Base: j, Index: run, Scale: 1}, end)
	g.CMPQ(end, terms)
	g.CMOVQGT(terms, end)
	g.Label(term)
	body(j)
	g.INCQ(j)
	g.CMPQ(j, end)
	g.JLT(LabelRef(term))
	g.VPCMPEQW(ones, ones, ones)
	g.VPSRLW(Imm(15), ones, ones)
	for r, row := range sums {
		for i, s := range row {
			g.VPMADDWD(ones, s, s)
			g.VPADDD(place(r, i), s, s)
			g.VMOVDQU(s, place(r, i))
		}
	}
	g.CMPQ(j, terms)
	g.JLT(LabelRef(next))
	g.Label(done)
}

// sumsOf is registers for as many rows.
func (g gen) sumsOf(rows int) [][]reg.VecVirtual {
	sums := make([][]reg.VecVirtual, rows)
	for r := range sums {
		for range fewVecs {
			sums[r] = append(sums[r], g.YMM())
		}
	}
	return sums
}

// addProducts adds the products of unsigned bytes x with signed ones w.
func (g gen) addProducts(x, w, sum reg.VecVirtual) {
	p := g.YMM()
	g.VPMADDUBSW(w, x, p)
	g.VPADDW(p, sum, sum)
}

func (g gen) fewDot() {
	g.Func("fewDotAVX2", "func(acc []int32, src []byte, offs []int32, w []byte, init *[4]int32, run int)", "See Set.fewDot; AVX2.")
	acc, left, stride := g.GP64(), g.GP64(), g.GP64()
	src, offs, terms, w, init, run := g.GP64(), g.GP64(), g.GP64(), g.GP64(), g.GP64(), g.GP64()
	g.Load(g.Param("acc").Base(), acc)
	g.Load(g.Param("acc").Len(), stride) // 4 rows of n elements of 4 bytes
	g.Load(g.Param("src").Base(), src)
	g.Load(g.Param("offs").Base(), offs)
	g.Load(g.Param("offs").Len(), terms)
	g.Load(g.Param("w").Base(), w)
	g.Load(g.Param("run"), run)
	g.MOVQ(stride, left)
	g.SHRQ(Imm(4), left) // blocks of 16 positions, of four outputs
	third := g.GP64()
	g.LEAQ(Mem{Base: stride, Index: stride, Scale: 2}, third)
	place := func(o, i int) Mem {
		m := Mem{Base: acc, Disp: 32 * i}
		switch o {
		case 1:
			m.Index, m.Scale = stride, 1
		case 2:
			m.Index, m.Scale = stride, 2
		case 3:
			m.Index, m.Scale = third, 1
		}
		return m
	}
	loop, end := g.Unique("block"), g.Unique("end")
	g.Label(loop)
	g.SUBQ(Imm(4), left)
	g.JLT(LabelRef(end))
	g.Load(g.Param("init"), init)
	for o := range 4 {
		v := g.YMM()
		g.VPBROADCASTD(Mem{Base: init, Disp: 4 * o}, v)
		for i := range fewVecs {
			g.VMOVDQU(v, place(o, i))
		}
	}
	at, off := g.GP64(), g.GP64()
	g.MOVQ(w, at)
	sums := g.sumsOf(4)
	g.runs(terms, run, sums, place, func(j reg.GPVirtual) {
		g.MOVLQSX(Mem{Base: offs, Index: j, Scale: 4}, off)
		var x [fewVecs]reg.VecVirtual
		for i := range x {
			x[i] = g.YMM()
			g.VMOVDQU(Mem{Base: src, Index: off, Scale: 1, Disp: 32 * i}, x[i])
		}
		for o := range sums {
			b := g.YMM()
			g.VPBROADCASTD(Mem{Base: at, Disp: 4 * o}, b)
			for i := range x {
				g.addProducts(x[i], b, sums[o][i])
			}
		}
		g.ADDQ(step(16), at)
	})
	g.ADDQ(step(32*fewVecs), acc)
	g.ADDQ(step(32*fewVecs), src)
	g.JMP(LabelRef(loop))
	g.Label(end)
	g.Ret()
}

// fewRows has output channels along the register, sixteen at a time, and the bytes of x, the same for all of them, broadcast.
func (g gen) fewRows(name string, rows int) {
	g.Func(name, "func(acc []int32, x []byte, w []byte, run int)", "See Set.fewRows; AVX2, weights in the order of packFewRowsAVX2.")
	acc, k, terms, w, run, left := g.GP64(), g.GP64(), g.GP64(), g.GP64(), g.GP64(), g.GP64()
	x := make([]reg.GPVirtual, rows)
	x[0] = g.GP64()
	g.Load(g.Param("acc").Base(), acc)
	g.Load(g.Param("x").Base(), x[0])
	g.Load(g.Param("x").Len(), k)
	g.Load(g.Param("w").Base(), w)
	g.Load(g.Param("run"), run)
	if rows == 4 {
		g.SHRQ(Imm(2), k)
	}
	for r := 1; r < rows; r++ {
		x[r] = g.GP64()
		g.LEAQ(Mem{Base: x[r-1], Index: k, Scale: 1}, x[r])
	}
	g.MOVQ(k, terms)
	g.SHRQ(Imm(2), terms)
	g.MOVQ(I32(4), left)
	loop := g.Unique("outputs")
	g.Label(loop)
	sums := g.sumsOf(rows)
	place := func(r, i int) Mem { return Mem{Base: acc, Disp: 256*r + 32*i} }
	g.runs(terms, run, sums, place, func(j reg.GPVirtual) {
		var weights [fewVecs]reg.VecVirtual
		for i := range weights {
			weights[i] = g.YMM()
			g.VMOVDQU(Mem{Base: w, Disp: 32 * i}, weights[i])
		}
		for r := range sums {
			b := g.YMM()
			g.VPBROADCASTD(Mem{Base: x[r], Index: j, Scale: 4}, b)
			for i := range weights {
				g.addProducts(b, weights[i], sums[r][i])
			}
		}
		g.ADDQ(step(32*fewVecs), w)
	})
	g.ADDQ(step(32*fewVecs), acc)
	g.DECQ(left)
	g.JNZ(LabelRef(loop))
	g.Ret()
}
