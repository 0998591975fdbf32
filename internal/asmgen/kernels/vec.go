package kernels

import (
	"fmt"
	"math"

	"github.com/billnet/billnet/internal/asmgen/asm"
	"github.com/mmcloughlin/avo/attr"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// floats adds arithmetic on float32 and constants in memory.
type floats struct {
	isa
	consts map[string]Mem
}

// Vec generates the elementwise functions: the steps of vec_generic.go, in its order, each rounded, so that every kernel gives the same
// bits.
func Vec(a *asm.Gen) {
	consts := map[string]Mem{}
	for _, w := range (gen{a}).isas() {
		v := floats{w, consts}
		v.unary("vecRelu", 0, func(x reg.VecVirtual, _ []reg.VecVirtual) reg.VecVirtual {
			return v.addF(v.maxF(v.zero(), x), v.zero())
		})
		v.unary("vecClip", 2, func(x reg.VecVirtual, p []reg.VecVirtual) reg.VecVirtual { return v.minF(p[1], v.maxF(p[0], x)) })
		v.unary("vecLeakyRelu", 1, func(x reg.VecVirtual, p []reg.VecVirtual) reg.VecVirtual {
			return v.choose(v.less(x, v.zero()), v.mulF(x, p[0]), x)
		})
		v.unary("vecExp", 0, func(x reg.VecVirtual, _ []reg.VecVirtual) reg.VecVirtual { return v.exp(x) })
		v.unary("vecLog", 0, func(x reg.VecVirtual, _ []reg.VecVirtual) reg.VecVirtual { return v.log(x) })
		v.unary("vecSigmoid", 0, func(x reg.VecVirtual, _ []reg.VecVirtual) reg.VecVirtual { return v.sigmoid(x) })
		v.unary("vecTanh", 0, func(x reg.VecVirtual, _ []reg.VecVirtual) reg.VecVirtual { return v.tanh(x) })
		v.unary("vecElu", 1, func(x reg.VecVirtual, p []reg.VecVirtual) reg.VecVirtual { return v.elu(x, p[0]) })
		v.unary("vecSqrt", 0, func(x reg.VecVirtual, _ []reg.VecVirtual) reg.VecVirtual {
			y := v.Vec()
			v.VSQRTPS(x, y)
			return y
		})
		v.unary("vecReciprocal", 0, func(x reg.VecVirtual, _ []reg.VecVirtual) reg.VecVirtual { return v.divF(v.load32(v.one()), x) })
		v.unary("vecPlus", 1, func(x reg.VecVirtual, p []reg.VecVirtual) reg.VecVirtual { return v.addF(x, p[0]) })
		v.unary("vecTimes", 1, func(x reg.VecVirtual, p []reg.VecVirtual) reg.VecVirtual { return v.mulF(x, p[0]) })
		v.unary("vecOver", 1, func(x reg.VecVirtual, p []reg.VecVirtual) reg.VecVirtual { return v.divF(x, p[0]) })
		v.unary("vecAbs", 0, func(x reg.VecVirtual, _ []reg.VecVirtual) reg.VecVirtual { return v.andC(x, 1<<31-1) })
		v.unary("vecNeg", 0, func(x reg.VecVirtual, _ []reg.VecVirtual) reg.VecVirtual {
			y := v.Vec()
			v.xor(v.word(1<<31), x, y)
			return y
		})
		for i, name := range []string{"vecRoundEven", "vecFloor", "vecCeil"} {
			v.unary(name, 0, func(x reg.VecVirtual, _ []reg.VecVirtual) reg.VecVirtual { return v.round(x, uint64(8+i)) })
		}
		if !v.Wide() {
			v.unary("vecErf", 0, func(x reg.VecVirtual, _ []reg.VecVirtual) reg.VecVirtual { return v.erf(x) })
			v.softmaxColumns()
			v.binary("vecMax", func(a, b reg.VecVirtual) reg.VecVirtual { return v.extreme(v.VMAXPS, v.and, a, b) })
			v.binary("vecMin", func(a, b reg.VecVirtual) reg.VecVirtual { return v.extreme(v.VMINPS, v.or, a, b) })
		}
		v.hard("vecHardSigmoid", false)
		v.hard("vecHardSwish", true)
		v.binary("vecAdd", v.addF)
		v.binary("vecSub", v.subF)
		v.binary("vecMul", v.mulF)
		v.binary("vecDiv", v.divF)
		v.binary("vecPRelu", func(a, b reg.VecVirtual) reg.VecVirtual { return v.choose(v.less(a, v.zero()), v.mulF(a, b), a) })
		v.largest()
		v.expSum()
		v.fromInts()
		v.affine()
		v.normalize()
		v.quantize()
		for _, signed := range []bool{false, true} {
			v.dequantize(signed)
		}
	}
}

// Arithmetic on full registers of float32. A result is a new register.

func (v floats) op2(f func(...Op), a, b Op) reg.VecVirtual {
	y := v.Vec()
	f(b, a, y) // y = a op b
	return y
}

func (v floats) addF(a, b reg.VecVirtual) reg.VecVirtual { return v.op2(v.VADDPS, a, b) }
func (v floats) subF(a, b reg.VecVirtual) reg.VecVirtual { return v.op2(v.VSUBPS, a, b) }
func (v floats) mulF(a, b reg.VecVirtual) reg.VecVirtual { return v.op2(v.VMULPS, a, b) }
func (v floats) divF(a, b reg.VecVirtual) reg.VecVirtual { return v.op2(v.VDIVPS, a, b) }

// maxF and minF give x where it or the bound is NaN and where both are zeros.
func (v floats) maxF(bound, x reg.VecVirtual) reg.VecVirtual { return v.op2(v.VMAXPS, bound, x) }
func (v floats) minF(bound, x reg.VecVirtual) reg.VecVirtual { return v.op2(v.VMINPS, bound, x) }

// With a constant in memory.
func (v floats) addC(a reg.VecVirtual, c float32) reg.VecVirtual { return v.op2(v.VADDPS, a, v.c32(c)) }
func (v floats) mulC(a reg.VecVirtual, c float32) reg.VecVirtual { return v.op2(v.VMULPS, a, v.c32(c)) }

func (v floats) zero() reg.VecVirtual {
	x := v.Vec()
	v.xor(x, x, x)
	return x
}

// word is a constant of 32 bits in every lane.
func (v floats) word(bits uint32) Mem {
	name := fmt.Sprintf("vec%08x", bits)
	if m, ok := v.consts[name]; ok {
		return m
	}
	m := v.StaticGlobal(name)
	v.DataAttributes(attr.RODATA | attr.NOPTR)
	for i := range 16 {
		v.AddDatum(4*i, U32(bits))
	}
	v.consts[name] = m
	return m
}

func (v floats) c32(x float32) Mem { return v.word(math.Float32bits(x)) }
func (v floats) one() Mem          { return v.c32(1) }

// float is an argument in every lane.
func (v floats) float(name string) reg.VecVirtual {
	x := v.Vec()
	v.VBROADCASTSS(v.Arg(v.Param(name)), x)
	return x
}

// c64 is a constant of 64 bits in every lane.
func (v floats) c64(x float64) Mem {
	name := fmt.Sprintf("vec%016x", math.Float64bits(x))
	if m, ok := v.consts[name]; ok {
		return m
	}
	m := v.StaticGlobal(name)
	v.DataAttributes(attr.RODATA | attr.NOPTR)
	for i := range 8 {
		v.AddDatum(8*i, U64(math.Float64bits(x)))
	}
	v.consts[name] = m
	return m
}

func (v floats) load32(m Mem) reg.VecVirtual {
	x := v.Vec()
	v.load(m, x)
	return x
}

// less, equal and ordered make masks; choose takes a where the mask is set.
const (
	cmpEqual        = 0
	cmpLess         = 1
	cmpLessEqual    = 2
	cmpNotLessEqual = 6
	cmpOrdered      = 7
)

func (v floats) compare(kind int, a reg.VecVirtual, b Op) reg.Register {
	if v.Wide() {
		k := v.K()
		v.VCMPPS(Imm(uint64(kind)), b, a, k)
		return k
	}
	m := v.YMM()
	v.VCMPPS(Imm(uint64(kind)), b, a, m)
	return m
}

func (v floats) less(a reg.VecVirtual, b Op) reg.Register { return v.compare(cmpLess, a, b) }

func (v floats) choose(mask reg.Register, a, b reg.VecVirtual) reg.VecVirtual {
	y := v.Vec()
	if v.Wide() {
		v.VBLENDMPS(a, b, mask, y)
	} else {
		v.VBLENDVPS(mask, a, b, y)
	}
	return y
}

// bitsOp is a bitwise operation with a constant.
func (v floats) andC(a reg.VecVirtual, bits uint32) reg.VecVirtual {
	y := v.Vec()
	v.and(v.word(bits), a, y)
	return y
}

// polynomial is c[0]*x^n + ... + c[n] by Horner's rule.
func (v floats) polynomial(x reg.VecVirtual, c ...float32) reg.VecVirtual {
	y := v.load32(v.c32(c[0]))
	for _, k := range c[1:] {
		y = v.addC(v.mulF(y, x), k)
	}
	return y
}

// each is a loop over whole blocks of 16 elements; body computes one register's worth at a byte offset.
func (v floats) each(left reg.GPVirtual, body func(at int), advance func()) {
	loop, done := v.Unique("blocks"), v.Unique("done")
	v.Label(loop)
	v.CMPQ(left, step(16))
	v.JLT(LabelRef(done))
	for i := range 64 / v.Bytes {
		body(i * v.Bytes)
	}
	advance()
	v.SUBQ(step(16), left)
	v.JMP(LabelRef(loop))
	v.Label(done)
}

func (v floats) unary(name string, params int, f func(x reg.VecVirtual, p []reg.VecVirtual) reg.VecVirtual) {
	v.Func(name+v.Name, "func(dst, src []float32, a, b float32)", "See Set.unary.")
	dst, src, left := v.GP64(), v.GP64(), v.GP64()
	v.Load(v.Param("dst").Base(), dst)
	v.Load(v.Param("dst").Len(), left)
	v.Load(v.Param("src").Base(), src)
	p := make([]reg.VecVirtual, params)
	for i := range p {
		p[i] = v.float([]string{"a", "b"}[i])
	}
	v.each(left, func(at int) {
		v.move(f(v.load32(Mem{Base: src, Disp: at}), p), Mem{Base: dst, Disp: at})
	}, func() {
		v.ADDQ(step(64), dst)
		v.ADDQ(step(64), src)
	})
	v.Ret()
}

func (v floats) binary(name string, f func(a, b reg.VecVirtual) reg.VecVirtual) {
	v.Func(name+v.Name, "func(dst, a, b []float32)", "See Set.binary.")
	dst, a, b, left := v.GP64(), v.GP64(), v.GP64(), v.GP64()
	v.Load(v.Param("dst").Base(), dst)
	v.Load(v.Param("dst").Len(), left)
	v.Load(v.Param("a").Base(), a)
	v.Load(v.Param("b").Base(), b)
	v.each(left, func(at int) {
		v.move(f(v.load32(Mem{Base: a, Disp: at}), v.load32(Mem{Base: b, Disp: at})), Mem{Base: dst, Disp: at})
	}, func() {
		v.ADDQ(step(64), dst)
		v.ADDQ(step(64), a)
		v.ADDQ(step(64), b)
	})
	v.Ret()
}

// The constants of expParts and its users stand in vec_generic.go too.
const (
	roundMagic = 12582912 // 1.5*2^23: adding it rounds to an integer in the low bits
	nearExp    = 86       // up to here 2^n and e^x are normal numbers
	log2e      = 1.44269504088896341
	ln2High    = 0.693359375
	ln2Low     = -2.12194440e-4
)

// expParts splits e^(x+tail) into 2^n and r + r^2*q = e^r - 1; t holds n in its low bits. tail may be nil.
func (v floats) expParts(x reg.VecVirtual, tail reg.VecVirtual) (t, p reg.VecVirtual) {
	t = v.addC(v.mulC(x, log2e), roundMagic)
	n := v.op2(v.VSUBPS, t, v.c32(roundMagic))
	r := v.subF(x, v.mulC(n, ln2High))
	r = v.subF(r, v.mulC(n, ln2Low))
	if tail != nil {
		r = v.addF(r, tail)
	}
	q := v.polynomial(r, 1.9875691500e-4, 1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1, 5.0000001201e-1)
	return t, v.addF(v.mulF(v.mulF(r, r), q), r)
}

// scaled is y times 2^n, in two steps so that neither power leaves the normal range.
func (v floats) scaled(t, y reg.VecVirtual) reg.VecVirtual {
	n, half := v.Vec(), v.Vec()
	v.VPSUBD(v.c32(roundMagic), t, n)
	v.VPSRAD(Imm(1), n, half)
	v.VPSUBD(half, n, n)
	for _, e := range []reg.VecVirtual{half, n} {
		v.VPADDD(v.word(127), e, e)
		v.VPSLLD(Imm(23), e, e)
		y = v.mulF(y, e)
	}
	return y
}

func (v floats) expClamped(x reg.VecVirtual) reg.VecVirtual {
	return v.minF(v.load32(v.c32(89)), v.maxF(v.load32(v.c32(-104)), x))
}

func (v floats) exp(x reg.VecVirtual) reg.VecVirtual {
	far := func() reg.VecVirtual {
		t, p := v.expParts(v.expClamped(x), nil)
		return v.scaled(t, v.addC(p, 1))
	}
	if v.Wide() {
		return far()
	}
	return v.branch(v.compare(cmpNotLessEqual, v.andC(x, 1<<31-1), v.c32(nearExp)), far, func() reg.VecVirtual { return v.expNear(x, nil) })
}

// expNear is e^(x+tail) for |x| up to nearExp, where 2^n and the result are normal numbers: n is added to the exponent.
func (v floats) expNear(x, tail reg.VecVirtual) reg.VecVirtual {
	t, p := v.expParts(x, tail)
	y := v.addC(p, 1)
	v.VPADDD(v.power(t), y, y)
	return y
}

// power is n<<23.
func (v floats) power(t reg.VecVirtual) reg.VecVirtual {
	y := v.Vec()
	v.VPSLLD(Imm(23), t, y)
	return y
}

// branch is what far computes where a lane of the mask is set, and near otherwise; AVX2 only.
func (v floats) branch(mask reg.Register, far, near func() reg.VecVirtual) reg.VecVirtual {
	y, bits := v.Vec(), v.GP32()
	easy, done := v.Unique("near"), v.Unique("both")
	v.VMOVMSKPS(mask, bits)
	v.TESTL(bits, bits)
	v.JZ(LabelRef(easy))
	v.VMOVAPS(far(), y)
	v.JMP(LabelRef(done))
	v.Label(easy)
	v.VMOVAPS(near(), y)
	v.Label(done)
	return y
}

func (v floats) elu(x, alpha reg.VecVirtual) reg.VecVirtual {
	t, p := v.expParts(v.expClamped(x), nil)
	whole := v.addC(v.scaled(t, v.addC(p, 1)), -1)
	y := v.choose(v.compare(cmpEqual, t, v.c32(roundMagic)), p, whole)
	return v.choose(v.less(x, v.zero()), v.mulF(y, alpha), x)
}

func (v floats) sigmoid(x reg.VecVirtual) reg.VecVirtual {
	far := v.compare(cmpNotLessEqual, v.andC(x, 1<<31-1), v.c32(nearExp))
	near := func() reg.VecVirtual {
		minus, n := v.Vec(), v.Vec()
		v.xor(v.word(1<<31), x, minus)
		t, p := v.expParts(minus, nil)
		v.VPADDD(v.one(), v.power(t), n) // 2^n
		one := v.load32(v.one())
		e := v.addF(v.mulF(n, p), v.op2(v.VMINPS, one, n))
		return v.divF(one, v.addF(e, v.op2(v.VMAXPS, one, n)))
	}
	if v.Wide() {
		return v.choose(far, v.exp(v.minF(v.zero(), x)), near())
	}
	return v.branch(far, func() reg.VecVirtual { return v.choose(far, v.exp(v.minF(v.zero(), x)), near()) }, near)
}

// tanh chooses between the polynomial near 0, which has NaN, too, and that in the exponent.
func (v floats) tanh(x reg.VecVirtual) reg.VecVirtual {
	a := v.andC(x, 1<<31-1)
	e := v.expNear(v.minF(v.load32(v.c32(40)), v.addF(a, a)), nil)
	big := v.subF(v.load32(v.one()), v.divF(v.load32(v.c32(2)), v.addC(e, 1)))
	v.or(v.andC(x, 1<<31), big, big)
	z := v.mulF(x, x)
	q := v.polynomial(z, -5.70498872745e-3, 2.06390887954e-2, -5.37397155531e-2, 1.33314422036e-1, -3.33332819422e-1)
	small := v.addF(v.mulF(v.mulF(q, z), x), x)
	return v.choose(v.compare(cmpLessEqual, v.load32(v.c32(0.625)), a), big, small)
}

// erf chooses between the polynomial near 0, which has NaN, too, and that in the exponent.
func (v floats) erf(x reg.VecVirtual) reg.VecVirtual {
	a := v.minF(v.load32(v.c32(4)), v.andC(x, 1<<31-1))
	q := v.polynomial(a, -1.72853470e-5, 3.83197126e-4, -3.88396438e-3, 2.42546219e-2, -1.06777877e-1, -6.34846687e-1, -1.28717512e-1)
	big := v.subF(v.load32(v.one()), v.expNear(v.subF(v.mulF(q, a), a), nil))
	v.or(v.andC(x, 1<<31), big, big)
	z := v.mulF(x, x)
	q = v.polynomial(z, -5.96761703e-4, 4.99119423e-3, -2.67681349e-2, 1.12819925e-1, -3.76125336e-1, 1.28379166e-1)
	return v.choose(v.less(v.load32(v.c32(0.927734375)), a), big, v.addF(v.mulF(q, x), x))
}

// extreme is the larger or smaller of a and b: of zeros of two signs the bits of both say which, and NaN comes from the sum.
func (v floats) extreme(f func(...Op), zeros func(a, b, y Op), a, b reg.VecVirtual) reg.VecVirtual {
	y := v.op2(f, a, b)
	zeros(v.op2(f, b, a), y, y)
	return v.choose(v.compare(cmpOrdered, a, b), y, v.addF(a, b))
}

func (v floats) log(x reg.VecVirtual) reg.VecVirtual {
	// A subnormal number is scaled to a normal one.
	tiny := v.less(x, v.c32(0x1p-126))
	m := v.choose(tiny, v.mulC(x, 1<<23), x)
	e, bits := v.Vec(), v.Vec()
	v.VPSUBD(v.word(0x3f3504f3), m, e)
	v.VPSRAD(Imm(23), e, e)
	v.VPSLLD(Imm(23), e, bits)
	v.VPSUBD(bits, m, m)
	n := v.Vec()
	v.VCVTDQ2PS(e, n)
	n = v.choose(tiny, v.addC(n, -23), n)
	f := v.addC(m, -1)
	z := v.mulF(f, f)
	y := v.polynomial(f, 7.0376836292e-2, -1.1514610310e-1, 1.1676998740e-1, -1.2420140846e-1, 1.4249322787e-1, -1.6668057665e-1, 2.0000714765e-1, -2.4999993993e-1, 3.3333331174e-1)
	y = v.mulF(v.mulF(y, f), z)
	y = v.addF(y, v.mulC(n, ln2Low))
	y = v.subF(y, v.mulC(z, 0.5))
	y = v.addF(v.addF(f, y), v.mulC(n, ln2High))
	inf := v.load32(v.c32(float32(math.Inf(1))))
	y = v.choose(v.less(x, inf), y, x) // +Inf and NaN stay
	y = v.choose(v.compare(cmpEqual, x, v.zero()), v.load32(v.c32(float32(math.Inf(-1)))), y)
	return v.choose(v.less(x, v.zero()), v.load32(v.word(0x7fc00000)), y)
}

// round is to an integer, as an immediate of VROUNDPS says.
func (v floats) round(x reg.VecVirtual, how uint64) reg.VecVirtual {
	y := v.Vec()
	if v.Wide() {
		v.VRNDSCALEPS(Imm(how), x, y)
	} else {
		v.VROUNDPS(Imm(how), x, y)
	}
	return y
}

// wide64 converts the halves of a register to float64, narrow32 back.
func (v floats) wide64(x reg.VecVirtual) [2]reg.VecVirtual {
	var y [2]reg.VecVirtual
	for i := range y {
		y[i] = v.Vec()
		v.VCVTPS2PD(v.part(x, i), y[i])
	}
	return y
}

// half is a new register of half the size.
func (v floats) half() reg.VecVirtual {
	if v.Wide() {
		return v.YMM()
	}
	return v.XMM()
}

// part is the low or high half of a register.
func (v floats) part(x reg.VecVirtual, i int) reg.Register {
	h := v.half()
	switch {
	case i == 0 && v.Wide():
		return x.AsY()
	case i == 0:
		return x.AsX()
	case v.Wide():
		v.VEXTRACTF64X4(Imm(1), x, h)
	default:
		v.VEXTRACTF128(Imm(1), x, h)
	}
	return h
}

func (v floats) narrow32(x [2]reg.VecVirtual) reg.VecVirtual {
	y, h := v.Vec(), v.half()
	if v.Wide() {
		v.VCVTPD2PS(x[0], y.AsY())
		v.VCVTPD2PS(x[1], h)
		v.VINSERTF64X4(Imm(1), h, y, y)
	} else {
		v.VCVTPD2PSY(x[0], y.AsX())
		v.VCVTPD2PSY(x[1], h)
		v.VINSERTF128(Imm(1), h, y, y)
	}
	return y
}

// hard is max(0, min(1, alpha*x + beta)) in float64, times x for the swish.
func (v floats) hard(name string, swish bool) {
	v.Func(name+v.Name, "func(dst, src []float32, alpha, beta float64)", "See Set.hard.")
	dst, src, left := v.GP64(), v.GP64(), v.GP64()
	v.Load(v.Param("dst").Base(), dst)
	v.Load(v.Param("dst").Len(), left)
	v.Load(v.Param("src").Base(), src)
	alpha, beta, none := v.Vec(), v.Vec(), v.zero()
	for i, r := range []reg.VecVirtual{alpha, beta} {
		v.VBROADCASTSD(v.Arg(v.Param([]string{"alpha", "beta"}[i])), r)
	}
	v.each(left, func(at int) {
		x := v.wide64(v.load32(Mem{Base: src, Disp: at}))
		var y [2]reg.VecVirtual
		for i := range x {
			t := v.Vec()
			v.VMULPD(x[i], alpha, t)
			v.VADDPD(beta, t, t)
			one := v.load32(v.c64(1))
			v.VMINPD(t, one, t)
			v.VMAXPD(t, none, t)
			v.VADDPD(none, t, t) // 0 for -0
			if swish {
				v.VMULPD(x[i], t, t)
			}
			y[i] = t
		}
		v.move(v.narrow32(y), Mem{Base: dst, Disp: at})
	}, func() {
		v.ADDQ(step(64), dst)
		v.ADDQ(step(64), src)
	})
	v.Ret()
}

// largest is the largest element of all.
func (v floats) largest() {
	v.Func("vecLargest"+v.Name, "func(src []float32) float32", "See Set.largest.")
	src, left := v.GP64(), v.GP64()
	v.Load(v.Param("src").Base(), src)
	v.Load(v.Param("src").Len(), left)
	m := make([]reg.VecVirtual, 64/v.Bytes)
	for i := range m {
		m[i] = v.load32(v.c32(float32(math.Inf(-1))))
	}
	v.each(left, func(at int) {
		v.VMAXPS(m[at/v.Bytes], v.load32(Mem{Base: src, Disp: at}), m[at/v.Bytes])
	}, func() { v.ADDQ(step(64), src) })
	if !v.Wide() {
		m[0] = v.op2(v.VMAXPS, m[1], m[0])
	}
	// Halve down to one element.
	if v.Wide() {
		h := v.YMM()
		v.VEXTRACTF64X4(Imm(1), m[0], h)
		v.VMAXPS(h, m[0].AsY(), h)
		m[0] = h
	}
	x, y := v.XMM(), v.XMM()
	v.VEXTRACTF128(Imm(1), m[0].AsY(), x)
	v.VMAXPS(x, m[0].AsX(), x)
	for _, order := range []uint64{0x4e, 0xb1} {
		v.VPERMILPS(Imm(order), x, y)
		v.VMAXPS(x, y, x)
	}
	v.VMOVSS(x, v.Arg(v.ReturnIndex(0)))
	v.Ret()
}

// expOfDifference is e^(x-m). The rounding of x - m goes into the exponent.
func (v floats) expOfDifference(x, m reg.VecVirtual) reg.VecVirtual {
	d := v.subF(x, m)
	// d + tail = x - m exactly.
	back := v.addF(d, m)
	tail := v.subF(v.subF(x, back), v.subF(m, v.subF(back, d)))
	far := func() reg.VecVirtual {
		low := v.maxF(v.load32(v.c32(-104)), d)
		t, p := v.expParts(low, v.choose(v.less(d, v.c32(-104)), v.zero(), tail))
		return v.scaled(t, v.addC(p, 1))
	}
	if v.Wide() {
		return far()
	}
	return v.branch(v.compare(cmpNotLessEqual, v.andC(d, 1<<31-1), v.c32(nearExp)), far, func() reg.VecVirtual { return v.expNear(d, tail) })
}

// softmaxColumns is a softmax down sixteen columns of AVX2: the largest elements, then powers and their sums, then quotients.
func (v floats) softmaxColumns() {
	v.Func("softmaxColumns"+v.Name, "func(dst, src []float32, step, d int)", "See Set.softmaxColumns.")
	dst, src, stride, d := v.GP64(), v.GP64(), v.GP64(), v.GP64()
	v.Load(v.Param("dst").Base(), dst)
	v.Load(v.Param("src").Base(), src)
	v.Load(v.Param("step"), stride)
	v.Load(v.Param("d"), d)
	v.SHLQ(Imm(2), stride)
	rows := func(base reg.GPVirtual, body func(at reg.GPVirtual)) {
		at, left, next := v.GP64(), v.GP64(), v.Unique("row")
		v.MOVQ(base, at)
		v.MOVQ(d, left)
		v.Label(next)
		body(at)
		v.ADDQ(stride, at)
		v.DECQ(left)
		v.JNZ(LabelRef(next))
	}
	var most [2]reg.VecVirtual
	for i := range most {
		most[i] = v.load32(v.c32(float32(math.Inf(-1))))
	}
	rows(src, func(at reg.GPVirtual) {
		for i := range most {
			v.VMAXPS(most[i], v.load32(Mem{Base: at, Disp: 32 * i}), most[i])
		}
	})
	var sums [4]reg.VecVirtual
	for i := range sums {
		sums[i] = v.zero()
	}
	to := v.GP64()
	v.MOVQ(dst, to)
	rows(src, func(at reg.GPVirtual) {
		for i := range most {
			e := v.expOfDifference(v.load32(Mem{Base: at, Disp: 32 * i}), most[i])
			v.move(e, Mem{Base: to, Disp: 32 * i})
			for h, y := range v.wide64(e) {
				v.VADDPD(y, sums[2*i+h], sums[2*i+h])
			}
		}
		v.ADDQ(stride, to)
	})
	for i := range most {
		most[i] = v.narrow32([2]reg.VecVirtual{sums[2*i], sums[2*i+1]})
	}
	rows(dst, func(at reg.GPVirtual) {
		for i := range most {
			v.move(v.divF(v.load32(Mem{Base: at, Disp: 32 * i}), most[i]), Mem{Base: at, Disp: 32 * i})
		}
	})
	v.Ret()
}

// expSum writes exp(x - m) and adds it to the sum of its lane of 16.
func (v floats) expSum() {
	v.Func("vecExpSum"+v.Name, "func(dst, src []float32, m float32, sums *[16]float64)", "See Set.expSum.")
	dst, src, left, sums := v.GP64(), v.GP64(), v.GP64(), v.GP64()
	v.Load(v.Param("dst").Base(), dst)
	v.Load(v.Param("dst").Len(), left)
	v.Load(v.Param("src").Base(), src)
	v.Load(v.Param("sums"), sums)
	m := v.float("m")
	total := make([]reg.VecVirtual, 128/v.Bytes)
	for i := range total {
		total[i] = v.load32(Mem{Base: sums, Disp: i * v.Bytes})
	}
	v.each(left, func(at int) {
		e := v.expOfDifference(v.load32(Mem{Base: src, Disp: at}), m)
		v.move(e, Mem{Base: dst, Disp: at})
		for i, y := range v.wide64(e) {
			sum := total[2*at/v.Bytes+i]
			v.VADDPD(y, sum, sum)
		}
	}, func() {
		v.ADDQ(step(64), dst)
		v.ADDQ(step(64), src)
	})
	for i := range total {
		v.move(total[i], Mem{Base: sums, Disp: i * v.Bytes})
	}
	v.Ret()
}

func (v floats) fromInts() {
	v.Func("vecFromInts"+v.Name, "func(dst []float32, src []int32)", "See Set.fromInts.")
	dst, src, left := v.GP64(), v.GP64(), v.GP64()
	v.Load(v.Param("dst").Base(), dst)
	v.Load(v.Param("dst").Len(), left)
	v.Load(v.Param("src").Base(), src)
	v.each(left, func(at int) {
		x := v.Vec()
		v.VCVTDQ2PS(Mem{Base: src, Disp: at}, x)
		v.move(x, Mem{Base: dst, Disp: at})
	}, func() {
		v.ADDQ(step(64), dst)
		v.ADDQ(step(64), src)
	})
	v.Ret()
}

// affine has one factor, divisor and bias, or one an element.
func (v floats) affine() {
	v.Func("vecAffine"+v.Name, "func(dst []float32, src []int32, num, den, bias []float64, step int)", "See Set.affine.")
	dst, src, left := v.GP64(), v.GP64(), v.GP64()
	v.Load(v.Param("dst").Base(), dst)
	v.Load(v.Param("dst").Len(), left)
	v.Load(v.Param("src").Base(), src)
	params := make([]reg.GPVirtual, 3)
	for i := range params {
		params[i] = v.GP64()
		v.Load(v.Param([]string{"num", "den", "bias"}[i]).Base(), params[i])
	}
	stride := v.GP64()
	v.Load(v.Param("step"), stride)
	lanes := v.Unique("lanes")
	v.CMPQ(stride, Imm(0))
	v.JNE(LabelRef(lanes))
	values := make([]reg.VecVirtual, 3)
	for i := range values {
		values[i] = v.Vec()
		v.VBROADCASTSD(Mem{Base: params[i]}, values[i])
	}
	half := v.Bytes / 2 // bytes of 32-bit elements that fill a register of 64-bit ones
	loop := func(advance func(), operand func(i, at int) Op) {
		v.each(left, func(at int) {
			var y [2]reg.VecVirtual
			for h := range y {
				y[h] = v.Vec()
				v.VCVTDQ2PD(Mem{Base: src, Disp: at + h*half}, y[h])
				v.VMULPD(operand(0, at+h*half), y[h], y[h])
				v.VDIVPD(operand(1, at+h*half), y[h], y[h])
				v.VADDPD(operand(2, at+h*half), y[h], y[h])
			}
			v.move(v.narrow32(y), Mem{Base: dst, Disp: at})
		}, func() {
			v.ADDQ(step(64), dst)
			v.ADDQ(step(64), src)
			advance()
		})
		v.Ret()
	}
	one := v.Vec()
	v.load(v.c64(1), one)
	equal := v.GP64()
	divides := v.Unique("divides")
	v.MOVQ(Mem{Base: params[1]}, equal)
	k := v.GP64()
	v.MOVQ(U64(math.Float64bits(1)), k)
	v.CMPQ(equal, k)
	v.JNE(LabelRef(divides))
	v.each(left, func(at int) { // division by 1 changes nothing
		var y [2]reg.VecVirtual
		for h := range y {
			y[h] = v.Vec()
			v.VCVTDQ2PD(Mem{Base: src, Disp: at + h*half}, y[h])
			v.VMULPD(values[0], y[h], y[h])
			v.VADDPD(values[2], y[h], y[h])
		}
		v.move(v.narrow32(y), Mem{Base: dst, Disp: at})
	}, func() {
		v.ADDQ(step(64), dst)
		v.ADDQ(step(64), src)
	})
	v.Ret()
	v.Label(divides)
	loop(func() {}, func(i, _ int) Op { return values[i] })
	v.Label(lanes)
	loop(func() {
		for _, p := range params {
			v.ADDQ(step(128), p)
		}
	}, func(i, at int) Op { return Mem{Base: params[i], Disp: 2 * at} })
}

// normalize is a batch norm: (x - mean)/deviation*scale + bias.
func (v floats) normalize() {
	v.Func("vecNormalize"+v.Name, "func(dst, src []float32, mean, deviation, scale, bias float32)", "See Set.normalize.")
	dst, src, left := v.GP64(), v.GP64(), v.GP64()
	v.Load(v.Param("dst").Base(), dst)
	v.Load(v.Param("dst").Len(), left)
	v.Load(v.Param("src").Base(), src)
	var p []reg.VecVirtual
	for _, name := range []string{"mean", "deviation", "scale", "bias"} {
		p = append(p, v.float(name))
	}
	v.each(left, func(at int) {
		x := v.subF(v.load32(Mem{Base: src, Disp: at}), p[0])
		x = v.addF(v.mulF(v.divF(x, p[1]), p[2]), p[3])
		v.move(x, Mem{Base: dst, Disp: at})
	}, func() {
		v.ADDQ(step(64), dst)
		v.ADDQ(step(64), src)
	})
	v.Ret()
}

func (v floats) quantize() {
	v.Func("vecQuantize"+v.Name, "func(dst []byte, src []float32, scale, lo, hi float32, zero int32)", "See Set.quantize.")
	dst, src, left := v.GP64(), v.GP64(), v.GP64()
	v.Load(v.Param("dst").Base(), dst)
	v.Load(v.Param("dst").Len(), left)
	v.Load(v.Param("src").Base(), src)
	var p []reg.VecVirtual
	for _, name := range []string{"scale", "lo", "hi"} {
		p = append(p, v.float(name))
	}
	word, zero := v.GP32(), v.Vec()
	v.Load(v.Param("zero"), word)
	v.VMOVD(word, zero.AsX())
	v.VPBROADCASTD(zero.AsX(), zero)
	none := v.zero()
	var ints []reg.VecVirtual
	v.each(left, func(at int) {
		q := v.divF(v.load32(Mem{Base: src, Disp: at}), p[0])
		q = v.choose(v.compare(cmpOrdered, q, q), q, none)
		q = v.minF(p[2], v.maxF(p[1], q))
		z := v.Vec()
		v.VCVTPS2DQ(q, z)
		v.VPADDD(zero, z, z)
		if v.Wide() {
			v.VPMOVDB(z, Mem{Base: dst})
			return
		}
		if ints = append(ints, z); len(ints) < 2 {
			return
		}
		// The low bytes of the dwords of two registers.
		for _, z := range ints {
			v.and(v.word(0xff), z, z)
		}
		v.VPACKUSDW(ints[1], ints[0], ints[0])
		v.VPERMQ(Imm(0xd8), ints[0], ints[0])
		high := v.XMM()
		v.VEXTRACTI128(Imm(1), ints[0], high)
		v.VPACKUSWB(high, ints[0].AsX(), high)
		v.VMOVDQU(high, Mem{Base: dst})
		ints = nil
	}, func() {
		v.ADDQ(step(16), dst)
		v.ADDQ(step(64), src)
	})
	v.Ret()
}

func (v floats) dequantize(signed bool) {
	name, widen := "vecDequantizeU8", v.VPMOVZXBD
	if signed {
		name, widen = "vecDequantizeI8", v.VPMOVSXBD
	}
	v.Func(name+v.Name, "func(dst []float32, src []byte, scale float32, zero int32)", "See Set.dequantize.")
	dst, src, left := v.GP64(), v.GP64(), v.GP64()
	v.Load(v.Param("dst").Base(), dst)
	v.Load(v.Param("dst").Len(), left)
	v.Load(v.Param("src").Base(), src)
	scale, zero, word := v.float("scale"), v.Vec(), v.GP32()
	v.Load(v.Param("zero"), word)
	v.VMOVD(word, zero.AsX())
	v.VPBROADCASTD(zero.AsX(), zero)
	v.each(left, func(at int) {
		x := v.Vec()
		widen(Mem{Base: src, Disp: at / 4}, x)
		v.VPSUBD(zero, x, x)
		v.VCVTDQ2PS(x, x)
		v.move(v.mulF(x, scale), Mem{Base: dst, Disp: at})
	}, func() {
		v.ADDQ(step(64), dst)
		v.ADDQ(step(16), src)
	})
	v.Ret()
}
