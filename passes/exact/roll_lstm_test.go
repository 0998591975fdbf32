package exact

import (
	"math/rand/v2"
	"testing"

	"github.com/billnet/billnet/ir"
)

// TestSolveRows finds the state of an unrolled LSTM from its product with the
// weights, and none where there is none.
func TestSolveRows(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(11, 12))
	for range 200 {
		hidden, batch := 1+rng.IntN(7), 1+rng.IntN(3)
		w, h := ir.NewTensor(ir.T(ir.F32, 4*hidden, hidden)), ir.NewTensor(ir.T(ir.F32, batch, hidden))
		for i := range w.F {
			w.F[i] = float32(1 - 2*rng.IntN(2))
		}
		for i := range h.F {
			h.F[i] = float32(rng.IntN(3) - 1)
		}
		product := func(h *ir.Tensor) *ir.Tensor {
			p := ir.NewTensor(ir.T(ir.F32, batch, 4*hidden))
			for i := range p.F {
				for k := range hidden {
					p.F[i] += h.F[i/(4*hidden)*hidden+k] * w.F[i%(4*hidden)*hidden+k]
				}
			}
			return p
		}
		s := &lstmStep{node: &ir.Node{}, h: &ir.Value{Type: h.Type}, hProduct: product(h)}
		found := initialH(s, w)
		if found == nil || !product(found).Equal(s.hProduct) {
			t.Fatalf("w %v, h %v: found %v", w.F, h.F, found)
		}
		s.hProduct.F[rng.IntN(len(s.hProduct.F))] += 0.5
		if found := initialH(s, w); found != nil && !product(found).Equal(s.hProduct) {
			t.Fatalf("h %v has another product than %v", found.F, s.hProduct.F)
		}
	}
}
