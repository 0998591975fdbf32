package runtime

import (
	"math"
	"slices"
	"testing"

	"github.com/billnet/billnet/runtime/billb"
)

func TestNumberOrder(t *testing.T) {
	list := []float32{float32(math.Inf(-1)), -math.MaxFloat32, -1, -math.SmallestNonzeroFloat32, float32(math.Copysign(0, -1)), 0, math.SmallestNonzeroFloat32, 1, math.MaxFloat32, float32(math.Inf(1))}
	for i, x := range list {
		if y := numberAt(orderOf(x)); math.Float32bits(y) != math.Float32bits(x) {
			t.Errorf("number of %v is %v", x, y)
		}
		if i > 0 && orderOf(list[i-1]) >= orderOf(x) {
			t.Errorf("%v is not above %v", x, list[i-1])
		}
	}
}

// TestSignBounds: steps in front of a sign give the bits that they give one after the other, around every bound and at special
// numbers, whether they are part of the bounds or not.
func TestSignBounds(t *testing.T) {
	rng := newRand(93)
	special := []float64{0, math.Copysign(0, -1), 1e-45, -1e-45, 1, -1, math.MaxFloat32, -math.MaxFloat32, math.Inf(1), math.Inf(-1), math.NaN()}
	for i := range 60 {
		channels, n := 16+i%2*3, 40
		s := &stepCase{b: &builder{}, shape: []int{1, channels, 1, 4, n / 4}, axis: 1}
		b := s.b
		x := randTensor(rng, F32, s.shape...)
		for j := range x.v {
			if rng.IntN(3) == 0 {
				x.v[j] = special[rng.IntN(len(special))]
			}
		}
		in := b.input(x)
		s.id = in
		constant := func() *tensor {
			k := randTensor(rng, F32, channels)
			for c := range k.v {
				if rng.IntN(12) == 0 && i%2 == 0 {
					k.v[c] = special[rng.IntN(len(special))]
				}
			}
			return k
		}
		for range 1 + rng.IntN(3) {
			switch rng.IntN(4) {
			case 0:
				var ids []int
				for j := range 4 { // scale, bias, mean and variance
					v := constant()
					for c := range v.v {
						if j == 3 {
							v.v[c] = math.Abs(v.v[c])
						}
					}
					k := b.konst(v)
					s.consts, ids = append(s.consts, k), append(ids, billb.ConstOperand(k))
				}
				s.values = append(s.values, 1e-3)
				s.then(billb.StepBatchNorm, billb.OpBatchNorm, F32, ids, nil, []float64{1e-3})
			case 1:
				s.then(billb.StepRelu, billb.OpRelu, F32, nil, nil)
			default:
				k, operand := s.perChannel(constant())
				s.consts = append(s.consts, k)
				j := rng.IntN(5)
				s.then([]billb.StepOp{billb.StepPlus, billb.StepMinus, billb.StepTimes, billb.StepOver, billb.StepPRelu}[j],
					[]billb.Opcode{billb.OpAdd, billb.OpSub, billb.OpMul, billb.OpDiv, billb.OpPRelu}[j], F32, []int{operand}, nil)
			}
		}
		strict, nan := rng.IntN(2), rng.IntN(2)
		g := geom(channels, 1, 4, n/4, ones, ones)
		got, bits := b.planes(Bit, g), b.dense(Bit, s.shape...)
		b.op(billb.OpStep, []int{s.id}, []int{bits}, []int{strict, nan})
		b.op(billb.OpMapSteps, []int{in}, []int{got}, append(s.ops, int(billb.StepSign)), append(s.values, float64(strict), float64(nan)), s.consts)
		b.output(b.fromPlanes(got))
		b.output(bits)
		if channels%8 == 0 {
			both := b.planes(Bit, geom(2*channels, 1, 4, n/4, ones, ones))
			b.op(billb.OpMapSteps, []int{in}, []int{both}, append(s.ops, int(billb.StepTernary)), s.values, s.consts)
			b.output(b.fromPlanes(both))
			b.output(b.ternary(s.id))
		}
		out := b.run(t)
		same(t, "sign", out[0], out[1])
		if channels%8 == 0 {
			same(t, "ternary", out[2], out[3])
		}
	}
}

// ternary adds the bits of a value that are above 0 and, in as many channels behind them, those that are below.
func (b *builder) ternary(x int) int {
	shape := b.img.Buffers[x].Shape
	above, least, below := b.dense(Bit, shape...), b.dense(Bit, shape...), b.dense(Bit, shape...)
	b.op(billb.OpStep, []int{x}, []int{above}, []int{1, 0})
	b.op(billb.OpStep, []int{x}, []int{least}, []int{0, 1})
	b.op(billb.OpBitNot, []int{least}, []int{below}, nil)
	both := slices.Clone(shape)
	both[1] *= 2
	y := b.dense(Bit, both...)
	b.op(billb.OpConcat, []int{above, below}, []int{y}, []int{1})
	return y
}

// TestTernaryConv: a convolution of ternary signs gives the same whether it goes over the half of the channels or over all, with
// zeros among the signs, in one place, or without; with sums that become floats, and with thresholds.
func TestTernaryConv(t *testing.T) {
	rng := newRand(94)
	for i := range 40 {
		c := randConv(rng, Bit, SBit)
		c.in.C, c.groups = 16*(1+rng.IntN(5)), 1
		if i%5 == 0 {
			c.out.C = 70
		}
		c.w = randTensor(rng, SBit, append([]int{c.out.C, c.in.C}, c.w.shape[2:]...)...)
		half, taps := c.in.C/2, billb.Product(c.w.shape[2:])
		for o := range c.out.C {
			row := c.w.v[o*c.in.C*taps:][:c.in.C*taps]
			for k := range row[:half*taps] {
				row[half*taps+k] = -row[k]
			}
		}
		if i%7 == 0 { // weights that are not opposite
			k := rng.IntN(len(c.w.v))
			c.w.v[k] = -c.w.v[k]
		}
		f := randTensor(rng, F32, 1, half, c.in.T, c.in.H, c.in.W)
		for j, v := range f.v {
			if v == 0 || v != v {
				f.v[j] = 1
			}
			if i%3 == 1 && rng.IntN(4) == 0 {
				f.v[j] = 0
			}
		}
		if i%3 == 2 {
			f.v[rng.IntN(len(f.v))] = []float64{0, math.NaN()}[i%2]
		}
		c.x = newTensor(Bit, 1, c.in.C, c.in.T, c.in.H, c.in.W)
		for j, v := range f.v {
			if v > 0 {
				c.x.v[j] = 1
			}
			if v < 0 {
				c.x.v[len(f.v)+j] = 1
			}
		}
		b := &builder{}
		x := b.planes(Bit, c.in)
		b.op(billb.OpMapSteps, []int{b.input(f)}, []int{x}, []int{int(billb.StepTernary)})
		w, y := b.konst(c.w), b.dense(F32, 1, c.out.C, c.out.T, c.out.H, c.out.W)
		th, flip := randThreshold(rng, c.out.C, 10)
		bits := b.planes(Bit, c.out)
		b.op(billb.OpBConv, []int{x}, []int{bits}, c.ints(), []int{w, b.konst(th), b.konst(flip)})
		s, p, d := c.stride, c.pad, c.dil
		b.op(billb.OpBConvSteps, []int{x}, []int{y}, []int{1, s[0], s[1], s[2], p[0], p[1], p[2], p[0], p[1], p[2], d[0], d[1], d[2], int(billb.StepToFloat)}, []int{w})
		b.output(y)
		b.output(b.fromPlanes(bits))
		out := b.run(t)
		want := naiveConv(c.x, c.w, out[0].shape, c.stride, c.pad, c.dil, 1)
		want.elem = F32
		same(t, "sums", out[0], want)
		same(t, "bits", out[1], naiveThreshold(want, th, flip, 1, Bit))
	}
}
