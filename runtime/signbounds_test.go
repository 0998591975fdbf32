package runtime

import (
	"math"
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
		const channels, n = 19, 40
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
		out := b.run(t)
		same(t, "sign", out[0], out[1])
	}
}
