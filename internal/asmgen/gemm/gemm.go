// Package gemm generates the assembly of train/gemm.
package gemm

import (
	"fmt"

	"github.com/billnet/billnet/internal/asmgen/asm"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// The shapes of the kernels, as package gemm states them.
const (
	rows    = 8
	cols    = 48
	octet   = 8
	dotRows = 4
	dotCols = 6
)

// Kernels generates the two kernels of matrix products for both widths.
func Kernels(g *asm.Gen) {
	genTile(g.AVX2(), 4, 3)
	genTile(g.AVX512(), 8, 3)
	genDot(g.AVX2(), 3, false)
	genDot(g.AVX512(), 6, false)
	genDot(g.AVX2(), 3, true)
	genDot(g.AVX512(), 3, true)
}

// genTile writes the tile kernel. It goes over the 8 x 48 tile in blocks of
// blockRows x blockVecs vectors, whose sums stay in registers for all of k. A
// vector of 16 is two octets of columns.
func genTile(g asm.ISA, blockRows, blockVecs int) {
	g.Func("tile"+g.Name, fmt.Sprintf("func(k int, w, x *float32, off *int, at *[%d]int, y *float32, ystride int, add bool)", cols/octet),
		fmt.Sprintf("tile%s sets y[i*ystride+8*o+j], or adds to it, the sum over k of w[k*%d+i]*x[off[k]+at[o]+j] for i < %d, o < %d, j < %d.", g.Name, rows, rows, cols/octet, octet))
	octets := blockVecs * g.Lanes() / octet
	for c := 0; c < cols/octet; c += octets {
		base, at := g.Load(g.Param("x"), g.GP64()), g.Load(g.Param("at"), g.GP64())
		ps := make([]reg.GPVirtual, octets)
		for i := range ps {
			ps[i] = g.GP64()
			g.MOVQ(operand.Mem{Base: at, Disp: 8 * (c + i)}, ps[i])
			g.LEAQ(operand.Mem{Base: base, Index: ps[i], Scale: 4}, ps[i])
		}
		for r := 0; r < rows; r += blockRows {
			w := g.Load(g.Param("w"), g.GP64())
			off := g.Load(g.Param("off"), g.GP64())
			k := g.Load(g.Param("k"), g.GP64())
			acc := make([]reg.VecVirtual, blockRows*blockVecs)
			for i := range acc {
				acc[i] = g.Zero()
			}
			loop := g.Unique("k")
			g.Label(loop)
			o := g.GP64()
			g.MOVQ(operand.Mem{Base: off}, o)
			in := make([]reg.VecVirtual, blockVecs)
			for v := range in {
				in[v] = g.Vec()
				if g.Lanes() == octet {
					g.VMOVUPS(operand.Mem{Base: ps[v], Index: o, Scale: 4}, in[v])
				} else {
					g.VBROADCASTF32X8(operand.Mem{Base: ps[2*v], Index: o, Scale: 4}, in[v])
					g.VINSERTF32X8(operand.Imm(1), operand.Mem{Base: ps[2*v+1], Index: o, Scale: 4}, in[v], in[v])
				}
			}
			for i := range blockRows {
				weight := g.Vec()
				g.VBROADCASTSS(operand.Mem{Base: w, Disp: 4 * (r + i)}, weight)
				for v := range in {
					g.VFMADD231PS(in[v], weight, acc[i*blockVecs+v])
				}
			}
			g.ADDQ(operand.Imm(8), off)
			g.ADDQ(operand.Imm(4*rows), w)
			g.DECQ(k)
			g.JNZ(operand.LabelRef(loop))
			y, stride := g.Load(g.Param("y"), g.GP64()), g.Load(g.Param("ystride"), g.GP64()).(reg.GPVirtual)
			g.SHLQ(operand.U8(2), stride)
			for range r {
				g.ADDQ(stride, y)
			}
			place := func(v int) operand.Mem { return operand.Mem{Base: y, Disp: 4 * (c*octet + v*g.Lanes())} }
			add, row := g.Load(g.Param("add"), g.GP8()), g.GP64()
			set := g.Unique("set")
			g.TESTB(add, add)
			g.JZ(operand.LabelRef(set))
			g.MOVQ(y, row)
			for i := range blockRows {
				for v := range in {
					from := place(v)
					from.Base = row
					g.VADDPS(from, acc[i*blockVecs+v], acc[i*blockVecs+v])
				}
				if i+1 < blockRows {
					g.ADDQ(stride, row)
				}
			}
			g.Label(set)
			for i := range blockRows {
				for v := range in {
					g.VMOVUPS(acc[i*blockVecs+v], place(v))
				}
				if i+1 < blockRows {
					g.ADDQ(stride, y)
				}
			}
		}
	}
	g.Ret()
}

// genDot writes the dot kernel, blockCols of its columns at a time. With places,
// x is read at octets that have places of their own.
func genDot(g asm.ISA, blockCols int, places bool) {
	name, at, place := "dot", "", "p"
	if places {
		name, at, place = "dotAt", "at *int, ", "at[p/8]+p%8"
	}
	g.Func(name+g.Name, fmt.Sprintf("func(n int, y *float32, yoff *[%d]int, x *float32, xoff *[%d]int, %sout *[%d]float32)", dotRows, dotCols, at, dotRows*dotCols),
		fmt.Sprintf("%s%s sets out[i*%d+k] to the sum over p < n, a multiple of 16, of y[yoff[i]+p]*x[xoff[k]+%s].", name, g.Name, dotCols, place))
	for c := 0; c < dotCols; c += blockCols {
		base, offs := g.Load(g.Param("y"), g.GP64()), g.Load(g.Param("yoff"), g.GP64())
		pointers := func(count, first int) []reg.GPVirtual {
			ps := make([]reg.GPVirtual, count)
			for i := range ps {
				ps[i] = g.GP64()
				g.MOVQ(operand.Mem{Base: offs, Disp: 8 * (first + i)}, ps[i])
				g.LEAQ(operand.Mem{Base: base, Index: ps[i], Scale: 4}, ps[i])
			}
			return ps
		}
		ys := pointers(dotRows, 0)
		base, offs = g.Load(g.Param("x"), g.GP64()), g.Load(g.Param("xoff"), g.GP64())
		xs := pointers(blockCols, c)
		n := g.Load(g.Param("n"), g.GP64())
		acc := make([]reg.VecVirtual, dotRows*blockCols)
		for i := range acc {
			acc[i] = g.Zero()
		}
		var octets reg.Register
		if places {
			octets = g.Load(g.Param("at"), g.GP64())
		}
		p := g.GP64()
		g.XORQ(p, p)
		loop := g.Unique("p")
		g.Label(loop)
		in := make([]reg.VecVirtual, blockCols)
		load := func(k int) {
			in[k] = g.Vec()
			g.VMOVUPS(operand.Mem{Base: xs[k], Index: p, Scale: 4}, in[k])
		}
		if places { // a place has as many bytes as an octet has elements
			first, second := g.GP64(), g.GP64()
			g.MOVQ(operand.Mem{Base: octets, Index: p, Scale: 1}, first)
			if g.Lanes() == 16 {
				g.MOVQ(operand.Mem{Base: octets, Index: p, Scale: 1, Disp: 8}, second)
			}
			load = func(k int) {
				in[k] = g.Vec()
				if g.Lanes() == octet {
					g.VMOVUPS(operand.Mem{Base: xs[k], Index: first, Scale: 4}, in[k])
				} else {
					g.VBROADCASTF32X8(operand.Mem{Base: xs[k], Index: first, Scale: 4}, in[k])
					g.VINSERTF32X8(operand.Imm(1), operand.Mem{Base: xs[k], Index: second, Scale: 4}, in[k], in[k])
				}
			}
		}
		if g.Lanes() == 16 { // rows in registers, columns one at a time
			out := make([]reg.VecVirtual, dotRows)
			for i := range out {
				out[i] = g.Vec()
				g.VMOVUPS(operand.Mem{Base: ys[i], Index: p, Scale: 4}, out[i])
			}
			for k := range in {
				load(k)
				for i := range out {
					g.VFMADD231PS(in[k], out[i], acc[i*blockCols+k])
				}
			}
		} else { // columns in registers, rows one at a time
			for k := range in {
				load(k)
			}
			for i := range dotRows {
				out := g.Vec()
				g.VMOVUPS(operand.Mem{Base: ys[i], Index: p, Scale: 4}, out)
				for k := range in {
					g.VFMADD231PS(in[k], out, acc[i*blockCols+k])
				}
			}
		}
		g.ADDQ(operand.Imm(uint64(g.Lanes())), p)
		g.CMPQ(p, n)
		g.JLT(operand.LabelRef(loop))
		result := g.Load(g.Param("out"), g.GP64())
		for i := range dotRows {
			for k := range blockCols {
				sum := sumLanes(g, acc[i*blockCols+k])
				g.VMOVSS(sum.AsX(), operand.Mem{Base: result, Disp: 4 * (i*dotCols + c + k)})
			}
		}
	}
	g.Ret()
}

// sumLanes adds the lanes of v, halves first; the sum is in the lowest lane of the result.
func sumLanes(g asm.ISA, v reg.VecVirtual) reg.VecVirtual {
	if v.Size() == 64 {
		other := g.ZMM()
		for _, swap := range []uint64{0x4e, 0xb1} { // 256-bit halves, then 128-bit ones
			g.VSHUFF32X4(operand.Imm(swap), v, v, other)
			g.VADDPS(other, v, v)
		}
		for _, swap := range []uint64{0x4e, 0xb1} { // pairs, then neighbours
			g.VPERMILPS(operand.Imm(swap), v, other)
			g.VADDPS(other, v, v)
		}
		return v
	}
	high := g.XMM()
	g.VEXTRACTF128(operand.Imm(1), v, high)
	g.VADDPS(v.AsX(), high, high)
	g.VHADDPS(high, high, high)
	g.VHADDPS(high, high, high)
	return high
}
