package runtime

import "github.com/billnet/billnet/runtime/billb"

// kernelSamples are small programs for the ways in which kernels compute
// convolutions and products: kinds of operands, strides, padding, phases and
// groups that take other paths.
func kernelSamples() []*builder {
	rng := newRand(51)
	var list []*builder
	three := func(v ...int) []int { return v }
	for i, c := range []struct {
		in, out          Elem
		weights          Elem
		c, o, groups     int
		t, h, w          int
		kernel           [3]int
		stride, pad, dil [3]int
		inPhase, outHalo [3]int
		bits             bool
		acc              int // 0: a bit convolution
	}{
		{in: Bit, out: I8, weights: SBit, c: 8, o: 8, groups: 1, t: 2, h: 4, w: 5, kernel: ones, stride: ones, dil: ones, inPhase: ones, outHalo: ones},
		{in: SBit, out: SBit, weights: SBit, c: 16, o: 16, groups: 2, t: 3, h: 4, w: 5, kernel: [3]int{3, 3, 3}, stride: ones, pad: ones, dil: ones, inPhase: ones, outHalo: ones, bits: true},
		{in: SBit, out: I16, weights: Tern, c: 9, o: 10, groups: 1, t: 2, h: 5, w: 6, kernel: [3]int{1, 3, 3}, stride: [3]int{1, 2, 2}, pad: [3]int{0, 1, 1}, dil: ones, inPhase: [3]int{1, 2, 2}, outHalo: ones},
		{in: Bit, out: Bit, weights: Tern, c: 24, o: 8, groups: 1, t: 1, h: 6, w: 7, kernel: [3]int{1, 3, 2}, stride: ones, pad: [3]int{0, 1, 0}, dil: [3]int{1, 1, 2}, inPhase: ones, outHalo: [3]int{0, 1, 2}, bits: true},
		{in: I8, out: I16, weights: SBit, c: 8, o: 8, groups: 1, t: 2, h: 4, w: 8, kernel: [3]int{3, 3, 3}, stride: ones, pad: ones, dil: ones, inPhase: ones, outHalo: ones, acc: 16},
		{in: I16, out: I32, weights: Tern, c: 6, o: 4, groups: 2, t: 2, h: 3, w: 5, kernel: ones, stride: ones, dil: ones, inPhase: ones, outHalo: ones, acc: 32},
		{in: U8, out: Bit, weights: SBit, c: 3, o: 9, groups: 1, t: 3, h: 6, w: 8, kernel: [3]int{2, 3, 3}, stride: [3]int{1, 2, 2}, pad: [3]int{1, 1, 1}, dil: ones, inPhase: [3]int{1, 2, 2}, outHalo: ones, bits: true, acc: 32},
	} {
		b := &builder{}
		halo := [3]int{c.kernel[0] * c.dil[0], c.kernel[1] * c.dil[1], c.kernel[2] * c.dil[2]}
		x := b.toPlanes(b.input(randTensor(rng, c.in, 1, c.c, c.t, c.h, c.w)), geom(c.c, c.t, c.h, c.w, halo, c.inPhase))
		var out [3]int
		for a, n := range [3]int{c.t, c.h, c.w} {
			out[a] = (n+2*c.pad[a]-c.dil[a]*(c.kernel[a]-1)-1)/c.stride[a] + 1
		}
		y := b.planes(c.out, geom(c.o, out[0], out[1], out[2], c.outHalo, ones))
		k := []int{b.konst(randTensor(rng, c.weights, c.o, c.c/c.groups, c.kernel[0], c.kernel[1], c.kernel[2])), -1, -1}
		if c.bits {
			t, f := randThreshold(rng, c.o, 20)
			k[1], k[2] = b.konst(t), b.konst(f)
		}
		ints := append(append(append(three(c.stride[:]...), c.pad[:]...), c.dil[:]...), c.groups)
		op := billb.OpBConv
		if c.acc > 0 {
			op = billb.OpIConv
			ints = append(ints, c.acc)
			lo, hi := newTensor(I32, c.o), newTensor(I32, c.o)
			_, most := c.in.Range()
			for o := range c.o {
				hi.v[o] = float64(min(int64(c.c/c.groups*c.kernel[0]*c.kernel[1]*c.kernel[2])*(most+1), 1<<(c.acc-1)-1))
				lo.v[o] = -hi.v[o]
			}
			k = append(k, b.konst(lo), b.konst(hi))
		}
		b.op(op, []int{x}, []int{y}, ints, k)
		b.output(b.fromPlanes(y))
		if i%2 == 0 && c.bits {
			counts := b.dense(I32, c.o, out[0])
			b.op(billb.OpCount, []int{y}, []int{counts}, []int{1})
			b.output(counts)
		}
		list = append(list, b)
	}
	// Constant weights on dense operands.
	for _, e := range []Elem{U8, I8, Tern, I32} {
		for _, shape := range [][]int{{1, 4, 9}, {1, 4, 5, 6}, {1, 2, 3, 4, 5}} {
			b := &builder{}
			k := len(shape) - 2
			w, out := []int{6, shape[1]}, []int{1, 6}
			ints := []int{1}
			for i := range k {
				w, out = append(w, 3), append(out, shape[2+i])
				ints = append(ints, 1)
			}
			for range 3 * k { // padding of 1 on both sides, dilation 1
				ints = append(ints, 1)
			}
			y := b.dense(I32, out...)
			b.op(billb.OpDenseIConv, []int{b.input(randTensor(rng, e, shape...)), billb.ConstOperand(b.konst(randTensor(rng, I8, w...)))}, []int{y}, ints)
			b.output(y)
			list = append(list, b)
		}
		b := &builder{}
		y := b.dense(Bit, 3, 17)
		t, f := randThreshold(rng, 17, 50)
		b.op(billb.OpILinear, []int{b.input(randTensor(rng, e, 3, 40))}, []int{y}, nil, []int{b.konst(randTensor(rng, SBit, 17, 40)), b.konst(t), b.konst(f)})
		b.output(y)
		list = append(list, b)
	}
	for trans := range 4 {
		b := &builder{}
		a, w := []int{3, 5}, []int{5, 7}
		if trans&1 == 1 {
			a = []int{5, 3}
		}
		if trans&2 == 2 {
			w = []int{7, 5}
		}
		y := b.dense(F32, 3, 7)
		b.op(billb.OpGemm, []int{b.input(randTensor(rng, F32, a...)), billb.ConstOperand(b.konst(randTensor(rng, F32, w...))), b.input(randTensor(rng, F32, 7))},
			[]int{y}, []int{trans & 1, trans >> 1}, []float64{1, 0.5})
		b.output(y)
		list = append(list, b)
	}
	b := &builder{}
	y, h, c := b.dense(F32, 2, 3, 1, 4), b.dense(F32, 2, 1, 4), b.dense(F32, 2, 1, 4)
	konst := func(shape ...int) int { return billb.ConstOperand(b.konst(randTensor(rng, F32, shape...))) }
	lens := b.input(&tensor{I32, []int{2}, []float64{3, 1}})
	b.op(billb.OpLSTM, []int{b.input(randTensor(rng, F32, 2, 3, 5)), konst(1, 16, 5), konst(1, 16, 4), konst(1, 32), lens, -1, -1, konst(1, 12)}, []int{y, h, c}, []int{1, 1, 1}, []float64{0})
	b.output(y)
	b.output(h)
	b.output(c)
	return append(list, b)
}
