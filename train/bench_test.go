package train

import (
	"math/rand/v2"
	"testing"
)

// BenchmarkStep is one training step of a BILLNET network of width 16 on 16
// clips of 16x48x64.
func BenchmarkStep(b *testing.B) {
	m := load(b, "models/billnet_trained/billnet_trained")
	const n = 16
	tr, err := New(m, Options{Batch: n})
	if err != nil {
		b.Fatal(err)
	}
	r := rand.New(rand.NewPCG(1, 2))
	batch := Batch{Floats: randomClips(r, m, n), Labels: make([]int, n)}
	for b.Loop() {
		if _, err := tr.Step(batch, Hyper{Rate: 1e-3, MaxNorm: 5}); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(n*b.N)/b.Elapsed().Seconds(), "clips/s")
}
