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
		for i := range w.Floats() {
			w.Floats()[i] = float32(1 - 2*rng.IntN(2))
		}
		for i := range h.Floats() {
			h.Floats()[i] = float32(rng.IntN(3) - 1)
		}
		product := func(h *ir.Tensor) *ir.Tensor {
			p := ir.NewTensor(ir.T(ir.F32, batch, 4*hidden))
			for i := range p.Floats() {
				for k := range hidden {
					p.Floats()[i] += h.Float32(i/(4*hidden)*hidden+k) * w.Float32(i%(4*hidden)*hidden+k)
				}
			}
			return p
		}
		s := &lstmStep{node: &ir.Node{}, h: &ir.Value{Type: h.Type}, hProduct: product(h)}
		found := initialH(s, w)
		if found == nil || !product(found).Equal(s.hProduct) {
			t.Fatalf("w %v, h %v: found %v", w.Floats(), h.Floats(), found)
		}
		s.hProduct.Floats()[rng.IntN(s.hProduct.Len())] += 0.5
		if found := initialH(s, w); found != nil && !product(found).Equal(s.hProduct) {
			t.Fatalf("h %v has another product than %v", found.Floats(), s.hProduct.Floats())
		}
	}
}
