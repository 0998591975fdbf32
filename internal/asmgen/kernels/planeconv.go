package kernels

import (
	"github.com/billnet/billnet/internal/asmgen/asm"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// PlaneConv generates convolutions of float32 over planes: products are rounded before they are added, in the order of the
// terms, so that every kernel gives the same bits.
func PlaneConv(a *asm.Gen) {
	consts := map[string]Mem{}
	for _, w := range (gen{a}).isas() {
		v := floats{w, consts}
		v.planeConv(1)
		v.planeConv(4)
	}
}

// planeConv computes outs outputs at a run of positions.
func (v floats) planeConv(outs int) {
	name := map[int]string{1: "planeConv1", 4: "planeConv4"}[outs]
	v.Func(name+v.Name, "func(dst []float32, stride int, src []float32, n int, offs []int32, w []float32, bias *[4]float32)", "See Set.planeConv.")
	dst, stride, left := v.GP64(), v.GP64(), v.GP64()
	src, offs, terms, w, bias := v.GP64(), v.GP64(), v.GP64(), v.GP64(), v.GP64()
	v.Load(v.Param("dst").Base(), dst)
	v.Load(v.Param("stride"), stride)
	v.Load(v.Param("src").Base(), src)
	v.Load(v.Param("n"), left)
	v.Load(v.Param("offs").Base(), offs)
	v.Load(v.Param("offs").Len(), terms)
	v.Load(v.Param("w").Base(), w)
	v.Load(v.Param("bias"), bias)
	v.SHLQ(Imm(2), stride) // bytes of a row
	vecs := []int{4, 1}
	if !v.Wide() {
		vecs = []int{2}
	}
	for _, n := range vecs {
		loop, end := v.Unique("block"), v.Unique("end")
		v.Label(loop)
		v.CMPQ(left, step(n*v.Lanes()))
		v.JLT(LabelRef(end))
		sums := make([][]reg.VecVirtual, outs)
		for o := range sums {
			for range n {
				sums[o] = append(sums[o], v.zero())
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
			x[i] = v.load32(Mem{Base: src, Index: off, Scale: 1, Disp: v.Bytes * i})
		}
		for o := range sums {
			b := v.Vec()
			v.VBROADCASTSS(Mem{Base: at, Disp: 4 * o}, b)
			for i := range x {
				p := v.Vec()
				v.VMULPS(x[i], b, p)
				v.VADDPS(p, sums[o][i], sums[o][i])
			}
		}
		v.ADDQ(step(4*outs), at)
		v.INCQ(j)
		v.CMPQ(j, terms)
		v.JLT(LabelRef(next))
		row := v.GP64()
		v.MOVQ(dst, row)
		for o := range sums {
			b := v.Vec()
			v.VBROADCASTSS(Mem{Base: bias, Disp: 4 * o}, b)
			for i := range sums[o] {
				v.VADDPS(b, sums[o][i], sums[o][i])
				v.move(sums[o][i], Mem{Base: row, Disp: v.Bytes * i})
			}
			if o < outs-1 {
				v.ADDQ(stride, row)
			}
		}
		v.ADDQ(step(n*v.Bytes), dst)
		v.ADDQ(step(n*v.Bytes), src)
		v.SUBQ(step(n*v.Lanes()), left)
		v.JMP(LabelRef(loop))
		v.Label(end)
	}
	v.Ret()
}
