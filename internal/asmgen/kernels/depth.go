package kernels

import (
	"math"

	"github.com/billnet/billnet/internal/asmgen/asm"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// Depth generates what windows compute of eight channels that lie side by side: convolutions, each channel by weights of its own, whose
// products are rounded before they are added, in the order of the terms; and poolings.
func Depth(a *asm.Gen) {
	g := gen{a}
	g.Func("depthAVX2", "func(dst, src []float32, step int, offs []int32, w []float32, bias *[8]float32)", "See Set.depth; AVX2.")
	w, bias, row := g.GP64(), g.GP64(), g.GP64()
	g.Load(g.Param("w").Base(), w)
	g.Load(g.Param("bias"), bias)
	var v reg.VecVirtual
	g.windows(func(sum reg.VecVirtual) { g.VXORPS(sum, sum, sum) },
		func() { g.MOVQ(w, row) },
		func() {
			v = g.YMM()
			g.VMOVUPS(Mem{Base: row}, v)
			g.ADDQ(Imm(32), row)
		},
		func(m Mem, sum reg.VecVirtual) {
			p := g.YMM()
			g.VMULPS(m, v, p)
			g.VADDPS(p, sum, sum)
		},
		func(sum reg.VecVirtual) { g.VADDPS(Mem{Base: bias}, sum, sum) })

	f := floats{isa{g.AVX2()}, map[string]Mem{}}
	for _, pool := range []struct {
		name  string
		first float64
		take  func(x, sum reg.VecVirtual) reg.VecVirtual
	}{
		{"depthMaxAVX2", math.Inf(-1), func(x, sum reg.VecVirtual) reg.VecVirtual { return f.extreme(f.VMAXPS, f.and, x, sum) }},
		{"depthMinAVX2", math.Inf(1), func(x, sum reg.VecVirtual) reg.VecVirtual { return f.extreme(f.VMINPS, f.or, x, sum) }},
		{"depthSumAVX2", 0, f.addF},
	} {
		g.Func(pool.name, "func(dst, src []float32, step int, offs []int32, counts []float32)", "See Set.depthPool; AVX2.")
		counts := g.GP64()
		g.Load(g.Param("counts").Base(), counts)
		divide := func(sum reg.VecVirtual) {
			n := g.YMM()
			g.VBROADCASTSS(Mem{Base: counts}, n)
			g.VDIVPS(n, sum, sum)
			g.ADDQ(Imm(4), counts)
		}
		if pool.first != 0 {
			divide = func(reg.VecVirtual) {}
		}
		g.windows(func(sum reg.VecVirtual) { g.VMOVUPS(f.c32(float32(pool.first)), sum) }, func() {}, func() {},
			func(m Mem, sum reg.VecVirtual) { g.VMOVAPS(pool.take(f.load32(m), sum), sum) }, divide)
	}
}

// windows moves a window over dst: first sets a result of eight channels before its taps, begin and term do what a window and a tap
// of it need, take adds what lies under a tap to a result, and last ends it.
func (g gen) windows(first func(sum reg.VecVirtual), begin, term func(), take func(m Mem, sum reg.VecVirtual), last func(sum reg.VecVirtual)) {
	dst, left, src, stride := g.GP64(), g.GP64(), g.GP64(), g.GP64()
	offs, terms := g.GP64(), g.GP64()
	g.Load(g.Param("dst").Base(), dst)
	g.Load(g.Param("dst").Len(), left)
	g.Load(g.Param("src").Base(), src)
	g.Load(g.Param("step"), stride)
	g.Load(g.Param("offs").Base(), offs)
	g.Load(g.Param("offs").Len(), terms)
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
			first(sums[i])
		}
		j, at := g.GP64(), g.GP64()
		g.XORQ(j, j)
		begin()
		g.Label(next)
		g.MOVLQSX(Mem{Base: offs, Index: j, Scale: 4}, at)
		g.ADDQ(src, at)
		term()
		for i, m := range []Mem{{Base: at}, {Base: at, Index: stride, Scale: 1}, {Base: at, Index: stride, Scale: 2}, {Base: at, Index: triple, Scale: 1}}[:n] {
			take(m, sums[i])
		}
		g.INCQ(j)
		g.CMPQ(j, terms)
		g.JLT(LabelRef(next))
		for i := range sums {
			last(sums[i])
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
