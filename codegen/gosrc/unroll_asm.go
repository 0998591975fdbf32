package gosrc

import (
	"fmt"
	"slices"
	"strings"
)

// loads are the instructions that read integers as lanes.
var loads = map[[2]string]string{
	{"u8", "W"}: "VPMOVZXBW", {"i8", "W"}: "VPMOVSXBW", {"i16", "W"}: "VMOVDQU16",
	{"u8", "D"}: "VPMOVZXBD", {"i8", "D"}: "VPMOVSXBD", {"i16", "D"}: "VPMOVSXWD", {"i32", "D"}: "VMOVDQU32",
}

// lane is the letter of lanes of some bytes in instructions.
func lane(bytes int) string { return map[int]string{2: "W", 4: "D"}[bytes] }

// assembly writes the functions of a convolution.
//
// Registers of a term's function: SI sums, DI output, CX chunks. Z0 to Z3, Z4 to
// Z7 and Z8 to Z11 are the accumulators of taps on the column itself, before and
// behind; Z12, Z13 the bits of 64 positions each; Z14 a bit's value, Z15 a
// threshold; Z16 zeros; Z17, Z18 the shifts.
func (u *unrolled) assembly() []byte {
	a := newAssembly()
	if u.shifts() {
		w := u.Out.Geom.W
		u.shiftTable(a, "before", func(i int) int { // the last lane of the second operand, or lane i-1 of the first
			if i%w == 0 {
				return 63
			}
			return i - 1
		})
		u.shiftTable(a, "behind", func(i int) int { // the first lane of the second operand, or lane i+1 of the first
			if i%w == w-1 {
				return 32
			}
			return i + 1
		})
	}
	u.sumsFunc(a)
	u.macros(a)
	for b := range u.Bytes() {
		u.termsFunc(a, b)
	}
	return a.Bytes()
}

// shiftTable writes the indices of a shift by one lane of two vectors.
func (u *unrolled) shiftTable(a *asm, name string, index func(i int) int) {
	for q := range 8 {
		var v uint64
		for j := range 4 {
			v |= uint64(index(4*q+j)) << (16 * j)
		}
		a.line("DATA %s<>+%d(SB)/8, $%#016x", name, 8*q, v)
	}
	a.line("GLOBL %s<>(SB), RODATA|NOPTR, $64\n", name)
}

// sumsFunc writes the function that makes the sums of a group in a frame of a
// tile.
func (u *unrolled) sumsFunc(a *asm) {
	load, l := loads[[2]string{u.In.Elem.String(), lane(u.acc)}], lane(u.acc)
	e, g := u.InBytes(), u.In.Geom
	channel := g.Phases() * g.PlaneStride() * e
	plane := u.sumRows() * u.rowBytes()
	a.line("// func unrolled%dSums(dst, src *byte)", u.Index)
	a.line("TEXT ·unrolled%dSums(SB), NOSPLIT, $0-16", u.Index)
	for p, phase := range u.phases {
		a.op("MOVQ dst+0(FP), DI")
		a.op("MOVQ src+8(FP), SI")
		if p > 0 {
			a.op("ADDQ $%d, DI", p*u.inC/u.bundle*u.sums()*plane)
		}
		if phase > 0 {
			a.op("ADDQ $%d, SI", phase*g.PlaneStride()*e)
		}
		a.op("MOVQ $%d, DX", u.inC/u.bundle)
		a.line("bundle%d:", p)
		a.op("MOVQ SI, R8")
		a.op("MOVQ DI, R9")
		a.op("MOVQ $%d, CX", u.sumRows())
		a.line("row%d:", p)
		for v := range u.width() / u.lanes() {
			sums := []int{0} // registers; the inputs are in the first ones
			u.load(a, load, v*u.lanes()*e, 0)
			next := u.bundle
			for j := 1; j < u.bundle; j++ {
				u.load(a, load, j*channel+v*u.lanes()*e, j)
				var plus, minus []int
				for _, s := range sums {
					a.op("VPADD%s Z%d, Z%d, Z%d", l, j, s, next)
					a.op("VPSUB%s Z%d, Z%d, Z%d", l, j, s, next+1)
					plus, minus = append(plus, next), append(minus, next+1)
					next += 2
				}
				sums = append(plus, minus...)
			}
			for k, s := range sums {
				a.op("VMOVDQU64 Z%d, %d(R9)", s, k*plane+v*laneBytes)
			}
		}
		a.op("ADDQ $%d, R8", g.Pitch()*e)
		a.op("ADDQ $%d, R9", u.rowBytes())
		a.op("DECQ CX")
		a.op("JNZ row%d", p)
		a.op("ADDQ $%d, SI", u.bundle*channel)
		a.op("ADDQ $%d, DI", u.sums()*plane)
		a.op("DECQ DX")
		a.op("JNZ bundle%d", p)
	}
	a.op("VZEROUPPER")
	a.op("RET")
	a.line("")
}

// load reads a vector of the input, at some bytes from R8: from the frame of
// every block.
func (u *unrolled) load(a *asm, op string, at, z int) {
	size := laneBytes / u.Blocks
	a.op("%s %d(R8), %s%d", op, at, register(size), z)
	for b := 1; b < u.Blocks; b++ {
		from := at + b*u.Frames()*u.In.Geom.Frame()*u.InBytes()
		a.op("%s %d(R8), %s31", op, from, register(size))
		if size == 32 {
			a.op("VINSERTI64X4 $1, Y31, Z%d, Z%d", z, z)
		} else {
			a.op("VINSERTI32X4 $%d, X31, Z%d, Z%d", b, z, z)
		}
	}
}

// define writes a macro.
func (a *asm) define(name string, body ...string) {
	a.line("#define %s %s", name, strings.Join(body, "; "))
}

// columns are the accumulators of taps on the column itself, before and behind,
// with the macros that add the sums at an address, subtract them, and begin with
// them. Addresses are in vectors.
var columns = [3]struct{ add, sub, first string }{{"A", "S", "F"}, {"B", "T", "G"}, {"C", "U", "H"}}

// macros writes what is repeated for every output: a term, the shifts, and what
// becomes of a sum.
func (u *unrolled) macros(a *asm) {
	each := func(f func(v int) string) []string {
		var list []string
		for v := range u.vectors {
			list = append(list, f(v))
		}
		return list
	}
	for c, m := range columns {
		if c > 0 && !u.shifts() {
			break
		}
		a.define(m.add+"(at)", each(func(v int) string {
			return fmt.Sprintf("VPADD%s %d+64*at(SI), Z%d, Z%d", lane(u.acc), v*laneBytes, 4*c+v, 4*c+v)
		})...)
		a.define(m.sub+"(at)", each(func(v int) string {
			return fmt.Sprintf("VPSUB%s %d+64*at(SI), Z%d, Z%d", lane(u.acc), v*laneBytes, 4*c+v, 4*c+v)
		})...)
		a.define(m.first+"(at)", each(func(v int) string { return fmt.Sprintf("VMOVDQU64 %d+64*at(SI), Z%d", v*laneBytes, 4*c+v) })...)
	}
	if u.shifts() {
		row := u.width() / u.lanes() // vectors of a row
		var before, behind []string
		for v := range u.vectors {
			from, z := 16, u.vectors-1-v // the last first, which needs the one before it as it was
			if z%row != 0 {
				from = 4 + z - 1
			}
			before = append(before, fmt.Sprintf("VPERMT2W Z%d, Z17, Z%d; VPADDW Z%d, Z%d, Z%d", from, 4+z, 4+z, z, z))
			if from = 16; (v+1)%row != 0 {
				from = 8 + v + 1
			}
			behind = append(behind, fmt.Sprintf("VPERMT2W Z%d, Z18, Z%d; VPADDW Z%d, Z%d, Z%d", from, 8+v, 8+v, v, v))
		}
		a.define("BEFORE", before...)
		a.define("BEHIND", behind...)
	}
	if u.bits() {
		u.compareMacro(a)
		a.define("NEXT", "VPADDB Z14, Z14, Z14")
	} else {
		u.storeMacro(a)
	}
	a.line("")
}

// compareMacro adds the value of a bit where the sums reach t.
func (u *unrolled) compareMacro(a *asm) {
	l := lane(u.acc)
	body := []string{"MOVL $t, R8", fmt.Sprintf("VPBROADCAST%s R8, Z15", l)}
	perMask := min(64/u.lanes(), u.vectors) // vectors whose bits one mask takes
	for m := range u.vectors / perMask {
		for v := range perMask {
			body = append(body, fmt.Sprintf("VPCMP%s $5, Z15, Z%d, K%d", l, m*perMask+v, v+1))
		}
		switch {
		case perMask == 4:
			body = append(body, "KUNPCKWD K1, K2, K1", "KUNPCKWD K3, K4, K3", "KUNPCKDQ K1, K3, K1")
		case perMask == 2 && u.acc == 4:
			body = append(body, "KUNPCKWD K1, K2, K1")
		case perMask == 2:
			body = append(body, "KUNPCKDQ K1, K2, K1")
		}
		body = append(body, fmt.Sprintf("VPADDB Z14, Z%d, K1, Z%d", 12+m, 12+m))
	}
	a.define("BIT(t)", body...)
}

// storeMacro writes the sums to a plane at some bytes from DI, and the zeros
// behind the rows.
func (u *unrolled) storeMacro(a *asm) {
	var body []string
	size := laneBytes / u.Blocks
	for v := range u.vectors {
		for b := range u.Blocks {
			at := u.place(v*u.lanes() + b*u.Out.Geom.W)
			switch {
			case b == 0:
				body = append(body, fmt.Sprintf("VMOVDQU16 %s%d, %d+at(DI)", register(size), v, at))
			case size == 32:
				body = append(body, fmt.Sprintf("VEXTRACTI64X4 $1, Z%d, Y15; VMOVDQU16 Y15, %d+at(DI)", v, at))
			default:
				body = append(body, fmt.Sprintf("VEXTRACTI32X4 $%d, Z%d, X15; VMOVDQU16 X15, %d+at(DI)", b, v, at))
			}
		}
	}
	for _, at := range u.gaps() {
		body = append(body, u.zeros("%d+at(DI)", at)...)
	}
	a.define("OUT(at)", body...)
}

// chunk is the number of positions that are computed at a time.
func (u *unrolled) chunk() int { return u.vectors * u.lanes() }

// place is where position p of a chunk lies in the output, in bytes.
func (u *unrolled) place(p int) int {
	g, w := u.Out.Geom, u.width()
	row, block, column := p/w, p%w/g.W, p%g.W
	return (row*g.Pitch() + block*u.Frames()*g.Frame() + column) * u.OutBytes()
}

// gaps are the places behind the rows of a chunk, none where it ends inside one.
func (u *unrolled) gaps() []int {
	var list []int
	for p := u.Out.Geom.W; p <= u.chunk(); p += u.Out.Geom.W {
		list = append(list, u.place(p-1)+u.OutBytes())
	}
	return list
}

// zeros writes zeros behind a row.
func (u *unrolled) zeros(format string, at int) []string {
	move := map[int]string{1: "MOVB", 2: "MOVW", 4: "MOVL"}[u.OutBytes()]
	var list []string
	for i := range u.Out.Geom.HW {
		list = append(list, fmt.Sprintf(move+" $0, "+format, at+i*u.OutBytes()))
	}
	return list
}

// termsFunc writes the function of outputs 8b to 8b+7.
func (u *unrolled) termsFunc(a *asm, b int) {
	g := u.Out.Geom
	a.line("// func unrolled%dByte%d(dst, sums *byte)", u.Index, b)
	a.line("TEXT ·unrolled%dByte%d(SB), NOSPLIT, $0-16", u.Index, b)
	a.op("MOVQ dst+0(FP), DI")
	a.op("MOVQ sums+8(FP), SI")
	a.op("MOVQ $%d, CX", u.Rows*u.width()/u.chunk())
	if u.shifts() {
		a.op("VPXORD Z16, Z16, Z16")
		a.op("VMOVDQU64 before<>(SB), Z17")
		a.op("VMOVDQU64 behind<>(SB), Z18")
	}
	a.line("chunk:")
	if u.bits() {
		a.op("VPXORD Z12, Z12, Z12")
		a.op("VPXORD Z13, Z13, Z13")
		a.op("VPTERNLOGD $0xff, Z14, Z14, Z14")
		a.op("VPABSB Z14, Z14") // 1 in every byte
	}
	flip := 0
	for i := range 8 {
		o := 8*b + i
		if u.flip[o] {
			flip |= 1 << i
		}
		if !u.fixed[o] {
			u.output(a, o)
		}
		switch {
		case !u.bits():
			a.op("OUT(%d)", i*g.PlaneStride()*u.OutBytes())
		case u.fixed[o]:
			a.op("NEXT")
		default:
			a.op("BIT(%d)", u.t[o])
			a.op("NEXT")
		}
	}
	if u.bits() {
		u.storeBits(a, flip)
	}
	a.op("ADDQ $%d, SI", u.vectors*laneBytes)
	if w := u.width(); u.chunk() < w {
		a.op("ADDQ $%d, DI", u.chunk()*u.OutBytes())
	} else {
		a.op("ADDQ $%d, DI", u.chunk()/w*g.Pitch()*u.OutBytes())
	}
	a.op("DECQ CX")
	a.op("JNZ chunk")
	if u.chunk() < g.W { // the row has ended
		for i := range u.BytePlanes() {
			for _, s := range u.zeros("%d(DI)", i*g.PlaneStride()*u.OutBytes()) {
				a.op("%s", s)
			}
		}
	}
	a.op("VZEROUPPER")
	a.op("RET")
	a.line("")
}

// output writes the terms of output o; the sums are in the first accumulators.
func (u *unrolled) output(a *asm, o int) {
	var terms [3][2][]int // by column and sign, the addresses
	for k, r := range u.reads {
		for i := 0; i < u.inC; i += u.bundle {
			first := u.positive(o, i, k)
			plane := (slices.Index(u.phases, r.phase)*u.inC + i) / u.bundle * u.sums()
			for j := 1; j < u.bundle; j++ {
				if u.positive(o, i+j, k) != first {
					plane += 1 << (j - 1)
				}
			}
			at := (r.off[0]-u.low[0])*u.FrameBytes + (plane*u.sumRows()+r.off[1]-u.low[1])*u.rowBytes()
			column := map[int]int{0: 0, -1: 1, 1: 2}[r.off[2]]
			sign := 0
			if !first {
				sign = 1
			}
			terms[column][sign] = append(terms[column][sign], at/laneBytes)
		}
	}
	width := 0
	term := func(name string, at int) {
		s := fmt.Sprintf("%s(%d);", name, at)
		if width += len(s); width > 120 {
			a.WriteByte('\n')
			width = len(s)
		}
		a.WriteString(s)
	}
	for c, m := range columns {
		plus, minus := terms[c][0], terms[c][1]
		switch {
		case len(plus) > 0:
			term(m.first, plus[0])
			plus = plus[1:]
		case len(minus) > 0 || c == 0:
			for v := range u.vectors {
				a.op("VPXORD Z%d, Z%d, Z%d", 4*c+v, 4*c+v, 4*c+v)
			}
		}
		for _, at := range plus {
			term(m.add, at)
		}
		for _, at := range minus {
			term(m.sub, at)
		}
	}
	a.line("")
	for c, shift := range []string{"", "BEFORE", "BEHIND"} {
		if c > 0 && len(terms[c][0])+len(terms[c][1]) > 0 {
			a.op("%s", shift)
		}
	}
}

// storeBits flips bits and writes the rows of a chunk, and zeros behind them.
func (u *unrolled) storeBits(a *asm, flip int) {
	if flip != 0 {
		a.op("MOVL $%d, R8", flip)
		a.op("VPBROADCASTB R8, Z15")
		a.op("VPXORD Z15, Z12, Z12")
		a.op("VPXORD Z15, Z13, Z13")
	}
	run := min(u.Out.Geom.W, u.chunk(), 64)
	for p := 0; p < u.chunk(); p += run {
		z, from, at := 12+p/64, p%64, u.place(p)
		switch {
		case run == 64:
			a.op("VMOVDQU8 Z%d, %d(DI)", z, at)
		case from == 0 && run > 8:
			a.op("VMOVDQU8 %s%d, %d(DI)", register(run), z, at)
		case run == 32:
			a.op("VEXTRACTI64X4 $1, Z%d, Y15", z)
			a.op("VMOVDQU8 Y15, %d(DI)", at)
		case run == 16:
			a.op("VEXTRACTI32X4 $%d, Z%d, X15", from/16, z)
			a.op("VMOVDQU8 X15, %d(DI)", at)
		default:
			a.op("VEXTRACTI32X4 $%d, Z%d, X15", from/16, z)
			a.op("VPEXTRQ $%d, X15, %d(DI)", from%16/8, at)
		}
	}
	for _, at := range u.gaps() {
		for _, s := range u.zeros("%d(DI)", at) {
			a.op("%s", s)
		}
	}
}
