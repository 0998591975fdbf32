package runtime

import (
	"testing"

	"github.com/billnet/billnet/runtime/billb"
	"github.com/billnet/billnet/runtime/kernels"
)

func BenchmarkMultiply(b *testing.B) {
	rng := newRand(60)
	const m, n, k = 64, 256, 432
	x, w := make([]float32, m*k), make([]float32, k*n)
	for i := range x {
		x[i] = float32(rng.NormFloat64())
	}
	for i := range w {
		w[i] = float32(rng.NormFloat64())
	}
	for _, isa := range []kernels.ISA{kernels.Generic, kernels.Best()} {
		b.Run(isa.String(), func(b *testing.B) {
			bl := blockingFor[float32](kernels.Select(isa))
			panels, y := make([]float32, bl.panelLen(k, n)), make([]float32, m*n)
			bl.pack(panels, w, k, n, n, 1, 0, bl.panels(n))
			b.SetBytes(2 * m * n * k) // MB/s are MFLOP/s
			for b.Loop() {
				bl.multiply(y, n, x, k, panels, m, k, n, 0, bl.panels(n))
			}
		})
	}
}

// BenchmarkConv runs float convolutions: ordinary, pointwise, depthwise.
func BenchmarkConv(b *testing.B) {
	rng := newRand(61)
	for _, c := range []struct {
		name              string
		c, o, groups, k   int
		frames, rows, cls int
	}{{"3x3x3", 32, 64, 1, 3, 8, 32, 32}, {"stem", 3, 32, 1, 3, 8, 64, 64}, {"pointwise", 64, 64, 1, 1, 8, 32, 32}, {"depthwise", 32, 32, 32, 3, 8, 32, 32}} {
		b.Run(c.name, func(b *testing.B) {
			bld := &builder{}
			x := bld.input(randTensor(rng, F32, 1, c.c, c.frames, c.rows, c.cls))
			y := bld.dense(F32, 1, c.o, c.frames, c.rows, c.cls)
			w := billb.ConstOperand(bld.konst(randTensor(rng, F32, c.o, c.c/c.groups, c.k, c.k, c.k)))
			p := c.k / 2
			bld.op(billb.OpConv, []int{x, w}, []int{y}, []int{c.groups, 1, 1, 1, p, p, p, p, p, p, 1, 1, 1})
			bld.output(y)
			prog, err := LoadBytes(encode(b, &bld.img))
			if err != nil {
				b.Fatal(err)
			}
			s, _ := prog.NewSession(Options{})
			in := [][]byte{bld.inputs[0].bytes()}
			b.SetBytes(int64(2 * c.o * c.c / c.groups * c.k * c.k * c.k * c.frames * c.rows * c.cls)) // MB/s are MFLOP/s
			for b.Loop() {
				if err := s.Run(in, nil); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
