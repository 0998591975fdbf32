package runtime

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/billnet/billnet/runtime/billb"
)

// scalarOf is a tensor without axes.
func scalarOf(e Elem, v float64) *tensor { return &tensor{e, []int{}, []float64{v}} }

// addStep appends to a list of steps and, to the program, the instruction that does the same.
type stepCase struct {
	b      *builder
	id     int // the value so far, by instructions
	shape  []int
	axis   int // of the channels
	ops    []int
	values []float64
	ins    []int
	consts []int
}

// perChannel is a constant and the same along the axis of the channels.
func (s *stepCase) perChannel(v *tensor) (konst, operand int) {
	shape := make([]int, len(s.shape))
	for i := range shape {
		shape[i] = 1
	}
	if len(v.v) > 1 {
		shape[s.axis] = len(v.v)
	}
	return s.b.konst(v), billb.ConstOperand(s.b.konst(&tensor{v.elem, shape, v.v}))
}

// then adds the step op, which instruction code on the value, more operands and floats stands for.
func (s *stepCase) then(op billb.StepOp, code billb.Opcode, e Elem, more []int, ints []int, rest ...any) {
	y := s.b.dense(e, s.shape...)
	s.b.op(code, append([]int{s.id}, more...), []int{y}, ints, rest...)
	s.ops, s.id = append(s.ops, int(op)), y
}

// fullOrSingle is a shape of an input of steps: the same, or one element for every channel of every image.
func fullOrSingle(rng *rand.Rand, shape []int) []int {
	other := append([]int{}, shape...)
	if len(shape) > 2 && rng.IntN(2) == 0 {
		for a := 2; a < len(other); a++ {
			other[a] = 1
		}
	}
	return other
}

func TestMapSteps(t *testing.T) {
	rng := newRand(91)
	for i := range 64 {
		shape := [][]int{{2, 5, 3, 7}, {1, 3, 40, 41}, {4, 70}, {9}, {2, 1, 2500}, {3, 2000}, {3, 90, 2, 3}, {2, 400, 1, 5}}[i%8]
		s := &stepCase{b: &builder{}, shape: shape, axis: min(1, len(shape)-1)}
		b := s.b
		c := shape[s.axis]
		grid := func(e Elem) (scale, zero *tensor) {
			return scalarOf(F32, float64(float32(0.01+rng.Float64()))), scalarOf(e, float64(rng.IntN(100)))
		}
		var x int
		switch source := []Elem{F32, I32, U8, I8}[i%4]; source {
		case F32:
			x = b.input(randTensor(rng, F32, shape...))
			s.id = x
		case I32:
			x = b.input(randTensor(rng, I32, shape...))
			s.id = x
			if i%8 == 1 {
				s.then(billb.StepToFloat, billb.OpCast, F32, nil, nil)
				break
			}
			k := []int{b.konst(randTensor(rng, F64, c)), b.konst(scalarOf(F64, 3)), b.konst(randTensor(rng, F64, c))}
			s.consts = append(s.consts, k...)
			s.then(billb.StepAffine, billb.OpAffine, F32, nil, []int{s.axis}, k)
		default:
			x = b.input(randTensor(rng, source, shape...))
			s.id = x
			scale, zero := grid(source)
			ks, kz := b.konst(scale), b.konst(zero)
			s.consts = append(s.consts, ks, kz)
			s.then(billb.StepDequantize, billb.OpDequantizeLinear, F32, []int{billb.ConstOperand(ks), billb.ConstOperand(kz)}, nil)
		}
		for _, op := range []struct {
			step billb.StepOp
			code billb.Opcode
		}{{billb.StepPlus, billb.OpAdd}, {billb.StepMinus, billb.OpSub}, {billb.StepTimes, billb.OpMul}, {billb.StepOver, billb.OpDiv}, {billb.StepPRelu, billb.OpPRelu}} {
			n := c
			if rng.IntN(2) == 0 {
				n = 1
			}
			k, operand := s.perChannel(randTensor(rng, F32, n))
			s.consts = append(s.consts, k)
			s.then(op.step, op.code, F32, []int{operand}, nil)
		}
		if len(shape) > 1 {
			var ks, operands []int
			for j := range 4 {
				v := randTensor(rng, F32, c)
				for k := range v.v {
					if j == 3 {
						v.v[k] = math.Abs(v.v[k])
					}
				}
				k := b.konst(v)
				ks, operands = append(ks, k), append(operands, billb.ConstOperand(k))
			}
			s.consts = append(s.consts, ks...)
			s.values = append(s.values, 1e-3)
			s.then(billb.StepBatchNorm, billb.OpBatchNorm, F32, operands, nil, []float64{1e-3})
		}
		for _, op := range []struct {
			step   billb.StepOp
			code   billb.Opcode
			values []float64
		}{{billb.StepHardSwish, billb.OpHardSwish, nil}, {billb.StepHardSigmoid, billb.OpHardSigmoid, []float64{0.7, 0.1}}, {billb.StepLeakyRelu, billb.OpLeakyRelu, []float64{0.25}}, {billb.StepSigmoid, billb.OpSigmoid, nil}, {billb.StepTanh, billb.OpTanh, nil}, {billb.StepExp, billb.OpExp, nil}, {billb.StepRelu, billb.OpRelu, nil}, {billb.StepErf, billb.OpErf, nil}} {
			if rng.IntN(3) > 0 {
				s.values = append(s.values, op.values...)
				s.then(op.step, op.code, F32, nil, nil, op.values)
			}
		}
		s.values = append(s.values, -0.5, 2)
		s.then(billb.StepClip, billb.OpClip, F32, []int{billb.ConstOperand(b.konst(scalarOf(F32, -0.5))), billb.ConstOperand(b.konst(scalarOf(F32, 2)))}, nil)
		for _, op := range []struct {
			step billb.StepOp
			code billb.Opcode
		}{{billb.StepAddInput, billb.OpAdd}, {billb.StepMulInput, billb.OpMul}} {
			in := b.input(randTensor(rng, F32, fullOrSingle(rng, shape)...))
			s.ins = append(s.ins, in)
			s.then(op.step, op.code, F32, []int{in}, nil)
		}
		e := []Elem{U8, I8}[i/4%2]
		for _, op := range []struct {
			step billb.StepOp
			code billb.Opcode
		}{{billb.StepAddDequantized, billb.OpAdd}, {billb.StepMulDequantized, billb.OpMul}} {
			scale, zero := grid(e)
			ks, kz := b.konst(scale), b.konst(zero)
			other := fullOrSingle(rng, shape)
			in, wide := b.input(randTensor(rng, e, other...)), b.dense(F32, other...)
			b.op(billb.OpDequantizeLinear, []int{in, billb.ConstOperand(ks), billb.ConstOperand(kz)}, []int{wide}, nil)
			s.ins, s.consts = append(s.ins, in), append(s.consts, ks, kz)
			s.then(op.step, op.code, F32, []int{wide}, nil)
		}
		scale, zero := grid(e)
		ks, kz := b.konst(scale), b.konst(zero)
		s.consts, s.values = append(s.consts, ks, kz), append(s.values, 3, 90)
		s.then(billb.StepQuantize, billb.OpQuantizeLinear, e, []int{billb.ConstOperand(ks), billb.ConstOperand(kz)}, nil)
		limited := b.dense(e, shape...)
		b.op(billb.OpClip, []int{s.id, billb.ConstOperand(b.konst(scalarOf(e, 3))), billb.ConstOperand(b.konst(scalarOf(e, 90)))}, []int{limited}, nil)
		s.id = limited
		if i%3 == 0 { // back to float
			s.consts = append(s.consts, ks, kz)
			s.then(billb.StepDequantize, billb.OpDequantizeLinear, F32, []int{billb.ConstOperand(ks), billb.ConstOperand(kz)}, nil)
		}
		y := b.dense(b.img.Buffers[s.id].Elem, shape...)
		b.op(billb.OpMapSteps, append([]int{x}, s.ins...), []int{y}, s.ops, s.values, s.consts)
		b.output(y)
		b.output(s.id)
		out := b.run(t)
		same(t, "map_steps", out[0], out[1])
	}
}

func TestConvSteps(t *testing.T) {
	rng := newRand(92)
	for i := range 120 {
		e := []Elem{U8, I8, Bit}[i%3]
		axes := 1 + rng.IntN(3)
		groups, inC, outC := 1+rng.IntN(3), 1+rng.IntN(5), 1+rng.IntN(6)
		x, y, w := []int{2, groups * inC}, []int{2, groups * outC}, []int{groups * outC, inC}
		narrow, wide := []int{groups}, []int{groups}
		var part [4][]int
		for range axes {
			k, stride, dil := 1+rng.IntN(3), 1+rng.IntN(2), 1+rng.IntN(2)
			pad := rng.IntN((k-1)*dil + 1)
			size := max(1+rng.IntN(9), (k-1)*dil+1)
			x, w = append(x, size), append(w, k)
			y = append(y, (size+2*pad-(k-1)*dil-1)/stride+1)
			for j, v := range []int{stride, pad, pad, dil} {
				part[j] = append(part[j], v)
			}
		}
		for j, fill := range []int{1, 0, 0, 1} {
			narrow = append(narrow, part[j]...)
			for range 3 - axes {
				wide = append(wide, fill)
			}
			wide = append(wide, part[j]...)
		}
		linear := i%5 == 4
		if linear {
			x, y, w = []int{2, 3, inC}, []int{2, 3, outC}, []int{outC, inC}
		}
		s := &stepCase{b: &builder{}, shape: y, axis: 1}
		if linear {
			s.axis = 2
		}
		b, c := s.b, y[s.axis]
		in := b.input(randTensor(rng, e, x...))
		zero := scalarOf(e, float64(rng.IntN(100)))
		if e == Bit {
			zero.v[0] = 0
		}
		shifted, moved := b.dense(I16, x...), b.dense(I16, x...)
		b.op(billb.OpCast, []int{in}, []int{shifted}, nil)
		b.op(billb.OpSub, []int{shifted, billb.ConstOperand(b.konst(scalarOf(I16, zero.v[0])))}, []int{moved}, nil)
		weights := b.konst(randTensor(rng, []Elem{I8, Tern}[rng.IntN(2)], w...))
		s.id = b.dense(I32, y...)
		s.consts = []int{weights, b.konst(zero)}
		if linear {
			b.op(billb.OpILinear, []int{moved}, []int{s.id}, nil, []int{weights})
		} else {
			b.op(billb.OpDenseIConv, []int{moved, billb.ConstOperand(weights)}, []int{s.id}, narrow)
		}
		num, den, bias := randTensor(rng, F64, c), scalarOf(F64, 40), randTensor(rng, F64, c)
		if i%4 > 1 { // a product in float32, but for the zero that may have a sign
			den, bias = scalarOf(F64, 1), scalarOf(F64, []float64{0, math.Copysign(0, -1)}[i/4%2])
			for j, v := range num.v {
				num.v[j] = float64(float32(v))
			}
		}
		k := []int{b.konst(num), b.konst(den), b.konst(bias)}
		s.consts = append(s.consts, k...)
		s.then(billb.StepAffine, billb.OpAffine, F32, nil, []int{s.axis}, k)
		if i%2 == 0 {
			lo, hi, q := 0, 255, U8
			if i%8 > 3 { // few levels, which thresholds stand for
				q = []Elem{U8, I8}[rng.IntN(2)]
				lo = rng.IntN(9)
				if q == I8 {
					lo -= 4
				}
				hi = lo + rng.IntN(mostLevels+2)
				k, operand := s.perChannel(randTensor(rng, F32, c))
				s.consts = append(s.consts, k)
				s.then(billb.StepTimes, billb.OpMul, F32, []int{operand}, nil)
			} else {
				s.then(billb.StepRelu, billb.OpRelu, F32, nil, nil)
				other := fullOrSingle(rng, y)
				if linear {
					other = y
				}
				residual := b.input(randTensor(rng, F32, other...))
				s.ins = append(s.ins, residual)
				s.then(billb.StepAddInput, billb.OpAdd, F32, []int{residual}, nil)
				ks, kz := b.konst(scalarOf(F32, 0.5)), b.konst(scalarOf(I8, float64(rng.IntN(9))))
				residual, wide := b.input(randTensor(rng, I8, other...)), b.dense(F32, other...)
				b.op(billb.OpDequantizeLinear, []int{residual, billb.ConstOperand(ks), billb.ConstOperand(kz)}, []int{wide}, nil)
				s.ins, s.consts = append(s.ins, residual), append(s.consts, ks, kz)
				s.then(billb.StepAddDequantized, billb.OpAdd, F32, []int{wide}, nil)
			}
			ks, kz := b.konst(scalarOf(F32, 0.25+float64(i%3))), b.konst(scalarOf(q, float64(rng.IntN(9))))
			s.consts, s.values = append(s.consts, ks, kz), append(s.values, float64(lo), float64(hi))
			s.then(billb.StepQuantize, billb.OpQuantizeLinear, q, []int{billb.ConstOperand(ks), billb.ConstOperand(kz)}, nil)
			limited := b.dense(q, y...)
			b.op(billb.OpClip, []int{s.id, billb.ConstOperand(b.konst(scalarOf(q, float64(lo)))), billb.ConstOperand(b.konst(scalarOf(q, float64(hi))))}, []int{limited}, nil)
			s.id = limited
		}
		out := b.dense(b.img.Buffers[s.id].Elem, y...)
		if linear {
			b.op(billb.OpLinearSteps, append([]int{in}, s.ins...), []int{out}, s.ops, s.values, s.consts)
		} else {
			b.op(billb.OpConvSteps, append([]int{in}, s.ins...), []int{out}, append(wide, s.ops...), s.values, s.consts)
		}
		b.output(out)
		b.output(s.id)
		got := b.run(t)
		same(t, "conv_steps", got[0], got[1])
	}
}

func TestStepsRejects(t *testing.T) {
	for text, f := range map[string]func(b *builder, x, y int){
		"no steps": func(b *builder, x, y int) { b.op(billb.OpMapSteps, []int{x}, []int{y}, nil) },
		"does not follow": func(b *builder, x, y int) {
			b.op(billb.OpMapSteps, []int{x}, []int{y}, []int{int(billb.StepDequantize)})
		},
		"no value left": func(b *builder, x, y int) {
			b.op(billb.OpMapSteps, []int{x}, []int{y}, []int{int(billb.StepLeakyRelu)})
		},
		"expected f32 of one": func(b *builder, x, y int) { b.op(billb.OpMapSteps, []int{x}, []int{y}, []int{int(billb.StepPlus)}) },
		"left over": func(b *builder, x, y int) {
			b.op(billb.OpMapSteps, []int{x}, []int{y}, []int{int(billb.StepRelu)}, []float64{1})
		},
		"x is missing": func(b *builder, _, y int) { b.op(billb.OpMapSteps, nil, []int{y}, []int{int(billb.StepRelu)}) },
		"expected u8":  func(b *builder, x, y int) { quantized(b, x, y, 0, 255) },
		"limits":       func(b *builder, x, y int) { quantized(b, x, y, -1, 255) },
		"planes": func(b *builder, x, y int) {
			b.op(billb.OpMapSteps, []int{x}, []int{y}, []int{int(billb.StepSign)}, []float64{0, 0})
		},
		"0 or 1": func(b *builder, x, y int) {
			b.op(billb.OpMapSteps, []int{x}, []int{y}, []int{int(billb.StepSign)}, []float64{2, 0})
		},
		"a multiple of 8": func(b *builder, x, y int) {
			b.op(billb.OpMapSteps, []int{x}, []int{b.dense(F32, 2, 6)}, []int{int(billb.StepTernary)})
		},
		"2 times as many": func(b *builder, x, y int) { b.op(billb.OpMapSteps, []int{x}, []int{y}, []int{int(billb.StepTernary)}) },
		"follows a sign": func(b *builder, x, y int) {
			b.op(billb.OpMapSteps, []int{x}, []int{y}, []int{int(billb.StepSign), int(billb.StepRelu)}, []float64{0, 0})
		},
		"expected planes of [bit sbit]": func(b *builder, _, y int) {
			p := b.toPlanes(b.input(newTensor(U8, 1, 9, 1, 3, 4)), geom(9, 1, 3, 4, ones, ones))
			b.op(billb.OpBConvSteps, []int{p}, []int{y}, []int{1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 1, 1, 1}, []int{b.konst(newTensor(SBit, 2, 9, 1, 1, 1))})
		},
		"w is missing": func(b *builder, x, y int) { b.op(billb.OpLinearSteps, []int{x}, []int{y}, []int{0}, []int{-1}) },
	} {
		b := &builder{}
		x, y := b.input(newTensor(F32, 2, 3)), b.dense(F32, 2, 3)
		f(b, x, y)
		b.output(y)
		b.mustFail(t, text)
	}
}

func quantized(b *builder, x, y int, lo, hi float64) {
	b.op(billb.OpMapSteps, []int{x}, []int{y}, []int{int(billb.StepQuantize)}, []float64{lo, hi}, []int{b.konst(scalarOf(F32, 1)), b.konst(scalarOf(U8, 0))})
}
