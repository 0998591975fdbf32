// Package vec generates the assembly of train/vec, most of it from a table.
package vec

import (
	"fmt"
	"strings"

	"github.com/billnet/billnet/internal/asmgen/asm"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// vector is a register of 8 or 16 numbers.
type vector = reg.VecVirtual

// Predicates of comparisons, with the CPU's numbers for them.
const (
	unordered    = 0x03 // one is NaN
	notLess      = 0x05 // or unordered
	notLessEqual = 0x06 // or unordered
	greaterEqual = 0x1d
	greater      = 0x1e
)

// gen writes functions for one vector width.
type gen struct{ asm.ISA }

// function begins a function, with the width at the end of its name.
func (g gen) function(name, signature, doc string) {
	g.Func(name+g.Name, signature, name+g.Name+" "+doc)
}

// constant is a vector of one number, given by its bits.
func (g gen) constant(bits uint32) vector {
	r, x, v := g.GP32(), g.XMM(), g.Vec()
	g.MOVL(operand.U32(bits), r)
	g.VMOVD(r, x)
	g.VBROADCASTSS(x, v)
	return v
}

// op applies a three-operand instruction; b is subtracted from, or divides, a.
func (g gen) op(f func(...operand.Op), a, b operand.Op) vector {
	v := g.Vec()
	f(b, a, v)
	return v
}

func (g gen) add(a, b vector) vector { return g.op(g.VADDPS, a, b) }
func (g gen) sub(a, b vector) vector { return g.op(g.VSUBPS, a, b) }
func (g gen) mul(a, b vector) vector { return g.op(g.VMULPS, a, b) }
func (g gen) div(a, b vector) vector { return g.op(g.VDIVPS, a, b) }
func (g gen) and(a, b vector) vector { return g.op(g.VANDPS, a, b) }
func (g gen) or(a, b vector) vector  { return g.op(g.VORPS, a, b) }

// larger is a where a > b, else b: also where they are unordered or equal.
func (g gen) larger(a, b vector) vector { return g.op(g.VMAXPS, a, b) }

// smaller is a where a < b, else b.
func (g gen) smaller(a, b vector) vector { return g.op(g.VMINPS, a, b) }

// where is yes in the lanes in which a stands in a relation to b, else no.
func (g gen) where(relation uint64, a, b, yes, no vector) vector {
	v := g.Vec()
	if g.Wide() {
		k := g.K()
		g.VCMPPS(operand.Imm(relation), b, a, k)
		g.VBLENDMPS(yes, no, k, v)
	} else {
		m := g.Vec()
		g.VCMPPS(operand.Imm(relation), b, a, m)
		g.VBLENDVPS(m, yes, no, v)
	}
	return v
}

// elementwise is a kernel y[i] = f(y[i], operands[i], scalars).
type elementwise struct {
	name     string
	equation string
	operands string // names of the other vectors
	scalars  string
	// prepare makes constants, before the loop; body gets y and the operands.
	prepare func(g gen) []vector
	reads   bool // y is an operand
	body    func(g gen, v, s, c []vector) vector
}

// step is a kernel that compares with 0.
func step(name, relation string, code uint64) elementwise {
	return elementwise{name: name, equation: "y = low + jump where x " + relation + ", else low", operands: "x", scalars: "low, jump",
		prepare: func(g gen) []vector { return []vector{g.Zero()} },
		body: func(g gen, v, s, c []vector) vector {
			return g.add(s[0], g.where(code, v[0], c[0], s[1], c[0]))
		}}
}

// compare is a kernel that compares two vectors.
func compare(name, relation string, code uint64) elementwise {
	return elementwise{name: name, equation: "y = 1 where a " + relation + " b, else 0", operands: "a, b",
		prepare: func(g gen) []vector { return []vector{g.Zero(), g.constant(one)} },
		body:    func(g gen, v, _, c []vector) vector { return g.where(code, v[0], v[1], c[1], c[0]) }}
}

const (
	one       = 0x3f800000
	magnitude = 0x7fffffff // mask of all bits but the sign
)

func constants(bits ...uint32) func(g gen) []vector {
	return func(g gen) (c []vector) {
		for _, b := range bits {
			c = append(c, g.constant(b))
		}
		return c
	}
}

func zeroOnly(g gen) []vector { return []vector{g.Zero()} }

var elementwises = []elementwise{
	{name: "fill", equation: "y = s", scalars: "s",
		body: func(g gen, v, s, _ []vector) vector { return s[0] }},
	{name: "shift", equation: "y += s", scalars: "s", reads: true,
		body: func(g gen, v, s, _ []vector) vector { return g.add(v[0], s[0]) }},
	{name: "add", equation: "y += x", operands: "x", reads: true,
		body: func(g gen, v, _, _ []vector) vector { return g.add(v[0], v[1]) }},
	{name: "sub", equation: "y -= x", operands: "x", reads: true,
		body: func(g gen, v, _, _ []vector) vector { return g.sub(v[0], v[1]) }},
	{name: "addScaled", equation: "y += s*x", operands: "x", scalars: "s", reads: true,
		body: func(g gen, v, s, _ []vector) vector { return g.add(v[0], g.mul(v[1], s[0])) }},
	{name: "affine", equation: "y = s*x + t", operands: "x", scalars: "s, t",
		body: func(g gen, v, s, _ []vector) vector { return g.add(g.mul(v[0], s[0]), s[1]) }},
	{name: "scale", equation: "y = s*x", operands: "x", scalars: "s",
		body: func(g gen, v, s, _ []vector) vector { return g.mul(v[0], s[0]) }},
	{name: "relu", equation: "y = max(x, 0)", operands: "x", prepare: zeroOnly,
		body: func(g gen, v, _, c []vector) vector { return g.where(notLessEqual, v[0], c[0], v[0], c[0]) }},
	step("stepGreater", "> 0", greater),
	step("stepGreaterEqual", ">= 0", greaterEqual),
	step("stepNotLessEqual", "> 0 or x is NaN", notLessEqual),
	step("stepNotLess", ">= 0 or x is NaN", notLess),

	{name: "plus", equation: "y = a + b", operands: "a, b",
		body: func(g gen, v, _, _ []vector) vector { return g.add(v[0], v[1]) }},
	{name: "minus", equation: "y = a - b", operands: "a, b",
		body: func(g gen, v, _, _ []vector) vector { return g.sub(v[0], v[1]) }},
	{name: "times", equation: "y = a*b", operands: "a, b",
		body: func(g gen, v, _, _ []vector) vector { return g.mul(v[0], v[1]) }},
	{name: "ratio", equation: "y = a/b", operands: "a, b",
		body: func(g gen, v, _, _ []vector) vector { return g.div(v[0], v[1]) }},
	{name: "or", equation: "y = a + b - a*b", operands: "a, b",
		body: func(g gen, v, _, _ []vector) vector { return g.sub(g.add(v[0], v[1]), g.mul(v[0], v[1])) }},
	// Of zeros of different signs the maximum is +0, whose bits are the AND of
	// theirs, and the minimum -0, the OR. NaN comes from the sum.
	{name: "max", equation: "y = max(a, b)", operands: "a, b",
		body: func(g gen, v, _, _ []vector) vector {
			m := g.and(g.larger(v[0], v[1]), g.larger(v[1], v[0]))
			return g.where(unordered, v[0], v[1], g.add(v[0], v[1]), m)
		}},
	{name: "min", equation: "y = min(a, b)", operands: "a, b",
		body: func(g gen, v, _, _ []vector) vector {
			m := g.or(g.smaller(v[0], v[1]), g.smaller(v[1], v[0]))
			return g.where(unordered, v[0], v[1], g.add(v[0], v[1]), m)
		}},
	compare("greater", ">", greater),
	compare("greaterEqual", ">=", greaterEqual),
	{name: "addTimes", equation: "y += a*b", operands: "a, b", reads: true,
		body: func(g gen, v, _, _ []vector) vector { return g.add(v[0], g.mul(v[1], v[2])) }},
	{name: "addTimesNot", equation: "y += a*(1-b)", operands: "a, b", reads: true, prepare: constants(one),
		body: func(g gen, v, _, c []vector) vector { return g.add(v[0], g.mul(v[1], g.sub(c[0], v[2]))) }},
	{name: "addWhere", equation: "y += a where b > 0", operands: "a, b", reads: true, prepare: zeroOnly,
		body: func(g gen, v, _, c []vector) vector {
			return g.where(greater, v[2], c[0], g.add(v[0], v[1]), v[0])
		}},
	{name: "triangle", equation: "y += s*a*max(0, w-|b|)", operands: "a, b", scalars: "s, w", reads: true,
		prepare: func(g gen) []vector { return []vector{g.Zero(), g.constant(magnitude)} },
		body: func(g gen, v, s, c []vector) vector {
			height := g.larger(c[0], g.sub(s[1], g.and(v[2], c[1])))
			return g.add(v[0], g.mul(g.mul(v[1], s[0]), height))
		}},
	{name: "box", equation: "y += s*a where |b| <= w", operands: "a, b", scalars: "s, w", reads: true, prepare: constants(magnitude),
		body: func(g gen, v, s, c []vector) vector {
			return g.where(greaterEqual, s[1], g.and(v[2], c[0]), g.add(v[0], g.mul(v[1], s[0])), v[0])
		}},

	{name: "scaleShift", equation: "y = (x-m)*s + t", operands: "x", scalars: "m, s, t",
		body: func(g gen, v, s, _ []vector) vector { return g.add(g.mul(g.sub(v[0], s[0]), s[1]), s[2]) }},
	{name: "normalize", equation: "y = (x-m)/d*s + t", operands: "x", scalars: "m, d, s, t",
		body: func(g gen, v, s, _ []vector) vector {
			return g.add(g.mul(g.div(g.sub(v[0], s[0]), s[1]), s[2]), s[3])
		}},
	{name: "combine", equation: "y += s*a + t*b + u", operands: "a, b", scalars: "s, t, u", reads: true,
		body: func(g gen, v, s, _ []vector) vector {
			return g.add(v[0], g.add(g.add(g.mul(v[1], s[0]), g.mul(v[2], s[1])), s[2]))
		}},
}

// writeEven writes y[i] = x[2*i].
func writeEven(g gen) {
	g.function("even", "func(n int, y, x *float32)", fmt.Sprintf("sets y[i] = x[2*i] for n elements, a multiple of %d; it reads 2*n elements of x.", g.Lanes()))
	y, x := g.Load(g.Param("y"), g.GP64()), g.Load(g.Param("x"), g.GP64())
	g.loop(func(i reg.GPVirtual) {
		low, high := g.Vec(), g.Vec()
		g.VMOVUPS(operand.Mem{Base: x, Index: i, Scale: 8}, low)
		g.VMOVUPS(operand.Mem{Base: x, Index: i, Scale: 8, Disp: 4 * g.Lanes()}, high)
		if g.Wide() { // the lower halves of 64-bit elements
			g.VPMOVQD(low, operand.Mem{Base: y, Index: i, Scale: 4})
			g.VPMOVQD(high, operand.Mem{Base: y, Index: i, Scale: 4, Disp: 32})
			return
		}
		g.VSHUFPS(operand.Imm(0x88), high, low, low) // of every 128 bits of both
		g.VPERMPD(operand.Imm(0xd8), low, low)
		g.VMOVUPS(low, operand.Mem{Base: y, Index: i, Scale: 4})
	}, g.Lanes())
	g.Ret()
}

// writeRows writes the copy of rows with zeros after each.
func writeRows(g gen) {
	g.function("rows", "func(n, width int, y *float32, pitch int, x *float32, step int)",
		"copies n > 0 rows of width elements, a multiple of 8, from x, step apart, to y, pitch apart, and clears 8 elements after each.")
	y, x := g.Load(g.Param("y"), g.GP64()), g.Load(g.Param("x"), g.GP64())
	pitch, step := g.Load(g.Param("pitch"), g.GP64()).(reg.GPVirtual), g.Load(g.Param("step"), g.GP64()).(reg.GPVirtual)
	n, width := g.Load(g.Param("n"), g.GP64()), g.Load(g.Param("width"), g.GP64())
	zero, v, i := g.Zero(), g.YMM(), g.GP64()
	row, element := g.Unique("loop"), g.Unique("loop")
	g.Label(row)
	g.XORQ(i, i)
	g.Label(element)
	g.VMOVUPS(operand.Mem{Base: x, Index: i, Scale: 4}, v)
	g.VMOVUPS(v, operand.Mem{Base: y, Index: i, Scale: 4})
	g.ADDQ(operand.Imm(8), i)
	g.CMPQ(i, width)
	g.JLT(operand.LabelRef(element))
	g.VMOVUPS(zero, operand.Mem{Base: y, Index: i, Scale: 4})
	g.LEAQ(operand.Mem{Base: y, Index: pitch, Scale: 4}, y)
	g.LEAQ(operand.Mem{Base: x, Index: step, Scale: 4}, x)
	g.DECQ(n)
	g.JNZ(operand.LabelRef(row))
	g.Ret()
}

// writePairMax writes the maximum of pairs with its places.
func writePairMax(g gen) {
	g.function("pairMax", "func(n int, y *float32, taken *int32, x *float32, first int32, steps *[8]int32)",
		"replaces y[i] by x[2*i], then by x[2*i+1], where that is greater or NaN, and taken[i] by first plus its index, for n elements, a multiple of 8. steps are 0, 2, 4, ...")
	y, taken, x := g.Load(g.Param("y"), g.GP64()), g.Load(g.Param("taken"), g.GP64()), g.Load(g.Param("x"), g.GP64())
	broadcast := func(r reg.Register) vector {
		low, v := g.XMM(), g.YMM()
		g.VMOVD(r, low)
		g.VPBROADCASTD(low, v)
		return v
	}
	at := broadcast(g.Load(g.Param("first"), g.GP32()))
	number := func(i uint32) vector {
		r := g.GP32()
		g.MOVL(operand.U32(i), r)
		return broadcast(r)
	}
	g.VPADDD(operand.Mem{Base: g.Load(g.Param("steps"), g.GP64())}, at, at)
	one, sixteen := number(1), number(16)
	g.loop(func(i reg.GPVirtual) {
		low, high, best, place := g.YMM(), g.YMM(), g.YMM(), g.YMM()
		g.VMOVUPS(operand.Mem{Base: x, Index: i, Scale: 8}, low)
		g.VMOVUPS(operand.Mem{Base: x, Index: i, Scale: 8, Disp: 32}, high)
		g.VMOVUPS(operand.Mem{Base: y, Index: i, Scale: 4}, best)
		g.VMOVUPS(operand.Mem{Base: taken, Index: i, Scale: 4}, place)
		from := at
		for _, parity := range []uint64{0x88, 0xdd} {
			v, above, nan := g.YMM(), g.YMM(), g.YMM()
			g.VSHUFPS(operand.Imm(parity), high, low, v) // of every 128 bits of both
			g.VPERMPD(operand.Imm(0xd8), v, v)
			g.VCMPPS(operand.Imm(greater), best, v, above)
			g.VCMPPS(operand.Imm(unordered), v, v, nan)
			g.VORPS(nan, above, above)
			g.VBLENDVPS(above, v, best, best)
			g.VBLENDVPS(above, from, place, place)
			next := g.YMM()
			g.VPADDD(one, at, next)
			from = next
		}
		g.VMOVUPS(best, operand.Mem{Base: y, Index: i, Scale: 4})
		g.VMOVUPS(place, operand.Mem{Base: taken, Index: i, Scale: 4})
		g.VPADDD(sixteen, at, at)
	}, 8)
	g.Ret()
}

func list(names string) []string {
	if names == "" {
		return nil
	}
	return strings.Split(names, ", ")
}

func (e *elementwise) write(g gen) {
	signature := "func(n int, y"
	for _, name := range list(e.operands) {
		signature += ", " + name
	}
	signature += " *float32"
	if e.scalars != "" {
		signature += ", " + e.scalars + " float32"
	}
	g.function(e.name, signature+")", fmt.Sprintf("sets %s for n elements, a multiple of %d.", e.equation, g.Lanes()))
	pointers := []reg.Register{g.Load(g.Param("y"), g.GP64())}
	for _, name := range list(e.operands) {
		pointers = append(pointers, g.Load(g.Param(name), g.GP64()))
	}
	var scalars, consts []vector
	for _, name := range list(e.scalars) {
		v := g.Vec()
		g.VBROADCASTSS(g.Arg(g.Param(name)), v)
		scalars = append(scalars, v)
	}
	if e.prepare != nil {
		consts = e.prepare(g)
	}
	sources := pointers
	if !e.reads {
		sources = pointers[1:]
	}
	g.loop(func(i reg.GPVirtual) {
		v := make([]vector, len(sources))
		for k, p := range sources {
			v[k] = g.load(p, i, 0)
		}
		g.VMOVUPS(e.body(g, v, scalars, consts), operand.Mem{Base: pointers[0], Index: i, Scale: 4})
	}, g.Lanes())
	g.Ret()
}

func (g gen) load(p reg.Register, i reg.GPVirtual, disp int) vector {
	v := g.Vec()
	g.VMOVUPS(operand.Mem{Base: p, Index: i, Scale: 4, Disp: 4 * disp}, v)
	return v
}

// loop runs the body for i = 0, by, ... below parameter n.
func (g gen) loop(body func(i reg.GPVirtual), by int) {
	n := g.Load(g.Param("n"), g.GP64()).(reg.GPVirtual)
	i := g.GP64()
	g.XORQ(i, i)
	name := g.Unique("loop")
	g.Label(name)
	body(i)
	g.ADDQ(operand.Imm(uint64(by)), i)
	g.CMPQ(i, n)
	g.JLT(operand.LabelRef(name))
}

// sumLanes is how many interleaved sums every form of a reduction has.
const sumLanes = 16

// fold adds up vectors of interleaved sums: the upper half to the lower one until
// one sum is left. size is that of an element.
func (g gen) fold(v []vector, size int) reg.VecVirtual {
	add := func(a, b, to operand.Op) {
		if size == 8 {
			g.VADDPD(b, a, to)
		} else {
			g.VADDPS(b, a, to)
		}
	}
	for len(v) > 1 {
		half := len(v) / 2
		for i := range half {
			add(v[i], v[half+i], v[i])
		}
		v = v[:half]
	}
	if g.Wide() {
		high := g.YMM()
		g.VEXTRACTF64X4(operand.Imm(1), v[0], high)
		add(v[0].AsY(), high, v[0].AsY())
	}
	low, high := v[0].AsX(), g.XMM()
	g.VEXTRACTF128(operand.Imm(1), v[0].AsY(), high)
	add(low, high, low)
	g.VPERMILPD(operand.Imm(1), low, high)
	add(low, high, low)
	if size == 4 {
		g.VMOVSHDUP(low, high)
		add(low, high, low)
	}
	return v[0]
}

// writeSum writes the sum of float32 numbers.
func writeSum(g gen) {
	g.function("sum", "func(n int, x *float32) (s float32)", "returns the sum of n elements, a multiple of 16, in 16 interleaved sums.")
	x := g.Load(g.Param("x"), g.GP64())
	sums := make([]vector, sumLanes/g.Lanes())
	for i := range sums {
		sums[i] = g.Zero()
	}
	g.loop(func(i reg.GPVirtual) {
		for k, s := range sums {
			g.VADDPS(operand.Mem{Base: x, Index: i, Scale: 4, Disp: 4 * k * g.Lanes()}, s, s)
		}
	}, sumLanes)
	s := g.fold(sums, 4)
	g.VMOVSS(s.AsX(), g.Arg(g.ReturnIndex(0)))
	g.Ret()
}

// writePair writes the sums of a and of a*b, or of a and of its squares.
// Products of float32 numbers are exact in float64, so FMA rounds once as the sum
// does.
func writePair(g gen, name, vectors, doc string) {
	g.function(name, "func(n int, "+vectors+" *float32) (s, q float64)", doc)
	var p []reg.Register
	for _, v := range list(vectors) {
		p = append(p, g.Load(g.Param(v), g.GP64()))
	}
	lanes := g.Lanes() / 2
	s, q := make([]vector, sumLanes/lanes), make([]vector, sumLanes/lanes)
	for i := range s {
		s[i], q[i] = g.Zero(), g.Zero()
	}
	g.loop(func(i reg.GPVirtual) {
		for k := range s {
			var v [2]vector
			for j := range p {
				v[j] = g.Vec()
				g.VCVTPS2PD(operand.Mem{Base: p[j], Index: i, Scale: 4, Disp: 4 * k * lanes}, v[j])
			}
			if len(p) == 1 {
				v[1] = v[0]
			}
			g.VADDPD(v[0], s[k], s[k])
			g.VFMADD231PD(v[1], v[0], q[k])
		}
	}, sumLanes)
	g.VMOVSD(g.fold(s, 8).AsX(), g.Arg(g.ReturnIndex(0)))
	g.VMOVSD(g.fold(q, 8).AsX(), g.Arg(g.ReturnIndex(1)))
	g.Ret()
}

// Kernels generates the kernels of vectors for both widths.
func Kernels(a *asm.Gen) {
	for _, g := range []gen{{a.AVX2()}, {a.AVX512()}} {
		for _, e := range elementwises {
			e.write(g)
		}
		if !g.Wide() { // for rows too short for wider vectors
			writeRows(g)
			writePairMax(g)
		}
		writeEven(g)
		writeSum(g)
		writePair(g, "moments", "x", "returns the sums of n elements, a multiple of 16, and of their squares, in 16 interleaved sums.")
		writePair(g, "dots", "a, b", "returns the sums of a and of a*b over n elements, a multiple of 16, in 16 interleaved sums.")
	}
}
