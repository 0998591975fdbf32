package runtime

import (
	"testing"

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
