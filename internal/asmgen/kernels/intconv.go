package kernels

import (
	"fmt"

	"github.com/billnet/billnet/internal/asmgen/asm"
	"github.com/mmcloughlin/avo/attr"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// IntConv generates the convolutions of integers by bits, and thresholds.
func IntConv(a *asm.Gen) {
	g := gen{a}
	order := g.order()
	for _, v := range g.isas() {
		for _, in := range []string{"U8", "I8", "I16", "I32"} {
			for _, size := range []int{2, 4} {
				v.sums(in, size)
			}
		}
		for _, size := range []int{2, 4} {
			v.accLE(size, order)
			v.accInt(size)
			v.threshold(size, order)
		}
	}
}

func bitsOf(size int) int { return 8 * size }

// widen loads as many elements of type in as a register holds of size bytes.
func (v isa) widen(in string, size int, m Mem, x reg.VecVirtual) {
	switch {
	case in == "U8" && size == 2:
		v.VPMOVZXBW(m, x)
	case in == "U8":
		v.VPMOVZXBD(m, x)
	case in == "I8" && size == 2:
		v.VPMOVSXBW(m, x)
	case in == "I8":
		v.VPMOVSXBD(m, x)
	case in == "I16" && size == 4:
		v.VPMOVSXWD(m, x)
	case in == "I32" && size == 2:
		v.narrow(m, x)
	default:
		v.load(m, x)
	}
}

// narrow loads dwords and keeps their low words.
func (v isa) narrow(m Mem, x reg.VecVirtual) {
	next := m
	next.Disp += v.Bytes
	if v.Wide() {
		a, b, lo := v.ZMM(), v.ZMM(), v.YMM()
		v.load(m, a)
		v.load(next, b)
		v.VPMOVDW(a, lo)
		v.VPMOVDW(b, b.AsY())
		v.VINSERTI64X4(Imm(1), b.AsY(), lo.AsZ(), x)
		return
	}
	// Clear the high words so that the unsigned pack does not saturate; it packs each half of a register by itself.
	a, b, ones := v.YMM(), v.YMM(), v.YMM()
	v.VPCMPEQD(ones, ones, ones)
	v.VPSRLD(Imm(16), ones, ones)
	v.VPAND(m, ones, a)
	v.VPAND(next, ones, b)
	v.VPACKUSDW(b, a, a)
	v.VPERMQ(Imm(0xD8), a, x)
}

var elemSize = map[string]int{"U8": 1, "I8": 1, "I16": 2, "I32": 4}

func (v isa) sums(in string, size int) {
	v.Func(fmt.Sprintf("sums%s%d%s", in, bitsOf(size), v.Name), "func(dst []byte, stride int, src []byte, offs []int32, blocks int)", "See Set.sums.")
	dst, dst4, stride, stride3 := v.GP64(), v.GP64(), v.GP64(), v.GP64()
	left := v.GP64()
	src, offs := v.GP64(), v.GP64()
	v.Load(v.Param("dst").Base(), dst)
	v.Load(v.Param("stride"), stride)
	v.Load(v.Param("src").Base(), src)
	v.Load(v.Param("offs").Base(), offs)
	v.Load(v.Param("blocks"), left)
	ahead := v.GP64() // the next tile's elements follow this one's
	v.IMUL3Q(step(64*elemSize[in]), left, ahead)
	v.SHLQ(Imm(map[int]uint64{64: 1, 32: 2}[v.Bytes]+uint64(size/4)), left) // registers of a plane
	v.LEAQ(Mem{Base: stride, Index: stride, Scale: 2}, stride3)
	v.LEAQ(Mem{Base: dst, Index: stride, Scale: 4}, dst4)
	at := func(k int) Mem {
		base := dst
		if k >= 4 {
			base = dst4
		}
		switch k % 4 {
		case 1:
			return Mem{Base: base, Index: stride, Scale: 1}
		case 2:
			return Mem{Base: base, Index: stride, Scale: 2}
		case 3:
			return Mem{Base: base, Index: stride3, Scale: 1}
		}
		return Mem{Base: base}
	}
	var planes [4]reg.GPVirtual
	e := elemSize[in]
	var cases [4]string
	for n := range cases {
		cases[n] = v.Unique("planes")
	}
	// Planes are loaded as they are needed: the first case with fewer planes leaves.
	for i := range planes {
		planes[i] = v.GP64()
		if i > 0 {
			v.CMPQ(v.Arg(v.Param("offs").Len()), Imm(uint64(i)))
			v.JEQ(LabelRef(cases[i-1]))
		}
		v.MOVLQSX(Mem{Base: offs, Disp: 4 * i}, planes[i])
		v.LEAQ(Mem{Base: src, Index: planes[i], Scale: uint8(e)}, planes[i])
	}
	for n := 4; n >= 1; n-- {
		loop := v.Unique("sum")
		v.Label(cases[n-1])
		v.Label(loop)
		x := make([]reg.VecVirtual, n)
		for i := range x {
			x[i] = v.Vec()
			v.widen(in, size, Mem{Base: planes[i]}, x[i])
			v.PREFETCHT0(Mem{Base: planes[i], Index: ahead, Scale: 1})
			v.ADDQ(step(v.Bytes/size*e), planes[i])
		}
		// s and then doubled by each further plane; the last two planes are combined first.
		s := []reg.VecVirtual{x[0]}
		if n >= 2 {
			a, b := v.Vec(), v.Vec()
			v.add(size, x[1], x[0], a)
			v.sub(size, x[1], x[0], b)
			s = []reg.VecVirtual{a, b}
		}
		rest := []reg.VecVirtual{}
		switch n {
		case 3:
			rest = append(rest, x[2])
		case 4:
			c, d := v.Vec(), v.Vec()
			v.add(size, x[3], x[2], c)
			v.sub(size, x[3], x[2], d)
			rest = append(rest, c, d)
		}
		out := func(k int, r reg.VecVirtual) { v.move(r, at(k)) }
		for k, y := range s {
			switch n {
			case 1, 2:
				out(k, y)
			case 3:
				a, b := v.Vec(), v.Vec()
				v.add(size, rest[0], y, a)
				v.sub(size, rest[0], y, b)
				out(k, a)
				out(k+2, b)
			case 4: // bits 1 and 2 of k are the signs of x2 and x3: c, -d, d, -c
				r := [4]reg.VecVirtual{v.Vec(), v.Vec(), v.Vec(), v.Vec()}
				v.add(size, rest[0], y, r[0])
				v.sub(size, rest[1], y, r[1])
				v.add(size, rest[1], y, r[2])
				v.sub(size, rest[0], y, r[3])
				for i := range r {
					out(k+2*i, r[i])
				}
			}
		}
		v.ADDQ(step(v.Bytes), dst)
		if n == 4 {
			v.ADDQ(step(v.Bytes), dst4)
		}
		v.DECQ(left)
		v.JNZ(LabelRef(loop))
		v.Ret()
	}
}

// accumulate adds the terms of the output that terms points to into n registers of consecutive positions, from init on,
// and moves terms to the next output.
func (v isa) accumulate(size, n int, src, terms reg.GPVirtual, init Mem) []reg.VecVirtual {
	acc := make([]reg.VecVirtual, n)
	for i := range acc {
		acc[i] = v.Vec()
	}
	v.broadcast(size, init, acc[0])
	for i := 1; i < n; i++ {
		v.move(acc[0], acc[i])
	}
	left, off := v.GP64(), v.GP64()
	loop, done := v.Unique("terms"), v.Unique("done")
	v.MOVL(Mem{Base: terms}, left.As32())
	v.ADDQ(Imm(4), terms)
	v.TESTL(left.As32(), left.As32())
	v.JEQ(LabelRef(done))
	v.Label(loop)
	v.MOVLQSX(Mem{Base: terms}, off)
	sign := v.Vec()
	v.VPBROADCASTD(Mem{Base: terms, Disp: 4}, sign)
	v.ADDQ(Imm(8), terms)
	for i := range acc {
		x := v.Vec()
		v.xor(Mem{Base: src, Index: off, Scale: uint8(size), Disp: v.Bytes * i}, sign, x)
		v.add(size, x, acc[i], acc[i])
	}
	v.DECQ(left)
	v.JNZ(LabelRef(loop))
	v.Label(done)
	return acc
}

// compare collects, output by output, the bits of a comparison at 64*blocks positions. AVX-512 compares into mask
// registers and collects x >= t. AVX2 collects x < t in the order that packing leaves and mends both at the end.
type compare struct {
	isa
	size int
	out  []reg.VecVirtual
	bit  reg.VecVirtual // the bit of the next output in every byte
}

func (v isa) newCompare(size, blocks int) *compare {
	c := &compare{isa: v, size: size, bit: v.Vec()}
	for range blocks * 64 / v.Bytes {
		o := v.Vec()
		v.xor(o, o, o)
		c.out = append(c.out, o)
	}
	// Every byte 1: minus all ones.
	ones := v.Vec()
	v.xor(c.bit, c.bit, c.bit)
	if v.Wide() {
		v.VPTERNLOGD(Imm(0xFF), ones, ones, ones)
	} else {
		v.VPCMPEQB(ones, ones, ones)
	}
	v.VPSUBB(ones, c.bit, c.bit)
	return c
}

// next compares x, which it uses up, with the broadcast t.
func (c *compare) next(x []reg.VecVirtual, t Mem) {
	bound := c.Vec()
	c.broadcast(c.size, t, bound)
	per := 64 * c.size / c.Bytes // registers of 64 positions
	for b := 0; b*per < len(x); b++ {
		x := x[b*per : (b+1)*per]
		if c.Wide() {
			k := c.greaterEqual(x, bound)
			c.VPADDB(c.bit, c.out[b], k, c.out[b])
			continue
		}
		for i, y := range c.less(x, bound) {
			c.VPAND(y, c.bit, y)
			c.VPOR(y, c.out[2*b+i], c.out[2*b+i])
		}
	}
	c.VPADDB(c.bit, c.bit, c.bit)
}

func (c *compare) greaterEqual(x []reg.VecVirtual, t reg.VecVirtual) reg.OpmaskVirtual {
	k := make([]reg.OpmaskVirtual, len(x))
	for i := range x {
		k[i] = c.K()
		if c.size == 2 {
			c.VPCMPW(Imm(5), t, x[i], k[i])
		} else {
			c.VPCMPD(Imm(5), t, x[i], k[i])
		}
	}
	if c.size == 4 {
		c.KUNPCKWD(k[0], k[1], k[0])
		c.KUNPCKWD(k[2], k[3], k[2])
		c.KUNPCKDQ(k[0], k[2], k[0])
	} else {
		c.KUNPCKDQ(k[0], k[1], k[0])
	}
	return k[0]
}

func (c *compare) less(x []reg.VecVirtual, t reg.VecVirtual) []reg.VecVirtual {
	for i := range x {
		if c.size == 2 {
			c.VPCMPGTW(x[i], t, x[i])
		} else {
			c.VPCMPGTD(x[i], t, x[i])
		}
	}
	if c.size == 4 {
		for i := 0; i < 8; i += 2 {
			c.VPACKSSDW(x[i+1], x[i], x[i])
		}
		x = []reg.VecVirtual{x[0], x[2], x[4], x[6]}
	}
	for i := 0; i < 4; i += 2 {
		c.VPACKSSWB(x[i+1], x[i], x[i])
	}
	return []reg.VecVirtual{x[0], x[2]}
}

// store writes (bits ^ flip) & mask.
func (c *compare) store(dst, mask reg.GPVirtual, order Mem) {
	flip := c.Vec()
	c.broadcast(1, c.Arg(c.Param("flip")), flip)
	if !c.Wide() {
		ones := c.Vec()
		c.VPCMPEQB(ones, ones, ones)
		c.VPXOR(ones, flip, flip)
	}
	for i, o := range c.out {
		switch {
		case c.Wide():
		case c.size == 2:
			c.VPERMQ(Imm(0xD8), o, o)
		default:
			t := c.YMM()
			c.VMOVDQU(order, t)
			c.VPERMD(o, t, o)
		}
		c.xor(flip, o, o)
		c.and(Mem{Base: mask, Disp: c.Bytes * i}, o, o)
		c.move(o, Mem{Base: dst, Disp: c.Bytes * i})
	}
}

// order defines the order in which VPERMD mends two rounds of packs, once a file.
func (g gen) order() Mem {
	m := g.StaticGlobal("order")
	g.DataAttributes(attr.RODATA | attr.NOPTR)
	for i, d := range []uint32{0, 4, 1, 5, 2, 6, 3, 7} {
		g.AddDatum(4*i, U32(d))
	}
	return m
}

// eachBlock runs body over left/64 blocks: most at a time, a power of two, then half of it, down to one.
func (v isa) eachBlock(left reg.GPVirtual, most int, body func(blocks int)) {
	for n := most; n >= 1; n /= 2 {
		loop, end := v.Unique("blocks"), v.Unique("end")
		v.Label(loop)
		v.CMPQ(left, step(64*n))
		v.JLT(LabelRef(end))
		body(n)
		v.SUBQ(step(64*n), left)
		v.JMP(LabelRef(loop))
		v.Label(end)
	}
	v.Ret()
}

// blocks is the number of blocks whose sums and bits fit the registers.
func (v isa) blocks(size int) int {
	switch {
	case v.Wide():
		return 8 / size
	case size == 2:
		return 2
	}
	return 1
}

func (v isa) accLE(size int, order Mem) {
	v.Func(fmt.Sprintf("accLE%d%s", bitsOf(size), v.Name), "func(dst, src, mask []byte, terms []int32, init, t *[8]int32, flip uint8)", "See Set.accLE.")
	dst, src, mask, left := v.GP64(), v.GP64(), v.GP64(), v.GP64()
	v.Load(v.Param("dst").Base(), dst)
	v.Load(v.Param("src").Base(), src)
	v.Load(v.Param("mask").Base(), mask)
	v.Load(v.Param("mask").Len(), left)
	v.eachBlock(left, v.blocks(size), func(blocks int) {
		terms, init, t, n := v.GP64(), v.GP64(), v.GP64(), v.GP64()
		v.Load(v.Param("terms").Base(), terms)
		v.Load(v.Param("init"), init)
		v.Load(v.Param("t"), t)
		v.MOVQ(step(8), n)
		c := v.newCompare(size, blocks)
		loop := v.Unique("outputs")
		v.Label(loop)
		acc := v.accumulate(size, blocks*64*size/v.Bytes, src, terms, Mem{Base: init})
		c.next(acc, Mem{Base: t})
		v.ADDQ(Imm(4), init)
		v.ADDQ(Imm(4), t)
		v.DECQ(n)
		v.JNZ(LabelRef(loop))
		c.store(dst, mask, order)
		v.ADDQ(step(64*blocks), dst)
		v.ADDQ(step(64*blocks), mask)
		v.ADDQ(step(64*blocks*size), src)
	})
}

func (v isa) accInt(size int) {
	v.Func(fmt.Sprintf("accInt%d%s", bitsOf(size), v.Name), "func(dst []byte, stride, outs int, src, mask []byte, terms []int32, init *[8]int32)", "See Set.accInt.")
	dst, src, mask, left, stride := v.GP64(), v.GP64(), v.GP64(), v.GP64(), v.GP64()
	v.Load(v.Param("dst").Base(), dst)
	v.Load(v.Param("stride"), stride)
	v.Load(v.Param("src").Base(), src)
	v.Load(v.Param("mask").Base(), mask)
	v.Load(v.Param("mask").Len(), left)
	v.eachBlock(left, v.blocks(size), func(blocks int) {
		terms, init, n, p := v.GP64(), v.GP64(), v.GP64(), v.GP64()
		v.Load(v.Param("terms").Base(), terms)
		v.Load(v.Param("init"), init)
		v.Load(v.Param("outs"), n)
		v.MOVQ(dst, p)
		loop := v.Unique("outputs")
		v.Label(loop)
		acc := v.accumulate(size, blocks*64*size/v.Bytes, src, terms, Mem{Base: init})
		m := v.Vec()
		for i, x := range acc {
			v.maskOf(size, Mem{Base: mask, Disp: v.Bytes / size * i}, m)
			v.and(m, x, x)
			v.move(x, Mem{Base: p, Disp: v.Bytes * i})
		}
		v.ADDQ(Imm(4), init)
		v.ADDQ(stride, p)
		v.DECQ(n)
		v.JNZ(LabelRef(loop))
		v.ADDQ(step(64*blocks*size), dst)
		v.ADDQ(step(64*blocks), mask)
		v.ADDQ(step(64*blocks*size), src)
	})
}

func (v isa) threshold(size int, order Mem) {
	v.Func(fmt.Sprintf("threshold%d%s", bitsOf(size), v.Name), "func(dst, src, mask []byte, offs *[8]int32, t *[8]int32, flip uint8)", "See Set.threshold.")
	dst, src, mask, left, offs, t, off := v.GP64(), v.GP64(), v.GP64(), v.GP64(), v.GP64(), v.GP64(), v.GP64()
	v.Load(v.Param("dst").Base(), dst)
	v.Load(v.Param("src").Base(), src)
	v.Load(v.Param("mask").Base(), mask)
	v.Load(v.Param("mask").Len(), left)
	v.Load(v.Param("offs"), offs)
	v.Load(v.Param("t"), t)
	v.eachBlock(left, 1, func(blocks int) {
		c := v.newCompare(size, blocks)
		for o := range 8 {
			v.MOVLQSX(Mem{Base: offs, Disp: 4 * o}, off)
			x := make([]reg.VecVirtual, 64*size/v.Bytes)
			for i := range x {
				x[i] = v.Vec()
				v.load(Mem{Base: src, Index: off, Scale: uint8(size), Disp: v.Bytes * i}, x[i])
			}
			c.next(x, Mem{Base: t, Disp: 4 * o})
		}
		c.store(dst, mask, order)
		v.ADDQ(step(64), dst)
		v.ADDQ(step(64), mask)
		v.ADDQ(step(64*size), src)
	})
}
