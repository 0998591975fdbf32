package ir

var GRU = register(&Op{
	Name: "gru",
	Doc: "Gated recurrent unit over S steps; gates and biases in the order z r h. A step, with (x) the elementwise product:\n" +
		"  z = f(Wz x + Rz h + Wbz + Rbz)\n" +
		"  r = f(Wr x + Rr h + Wbr + Rbr)\n" +
		"  g = g(Wh x + Rh (r (x) h) + Rbh + Wbh), or g(Wh x + r (x) (Rh h + Rbh) + Wbh) with linear_before_reset\n" +
		"  H = (1 - z) (x) g + z (x) h\n" +
		"with activations f Sigmoid, g Tanh. Sums run as written, each product's over its columns in order. Past a sequence's length y is 0 and the state stays; " +
		"in reverse a sequence starts at its own last step.",
	Onnx:     "GRU",
	Since:    1,
	Levels:   Source | Logic | Packed,
	Kind:     Recurs,
	Operands: recurrentOperands,
	Results:  []Param{{Name: "y", Doc: "[S,D,B,H]: every step's hidden state"}, {Name: "y_h", Doc: "[D,B,H]: the last hidden state"}},
	Attrs:    append(append([]Attr{}, recurrentAttrs...), Attr{Name: "linear_before_reset", Kind: KBool, Default: false, Doc: "the reset gate multiplies the recurrent product"}),
	Infer:    func(n *Node) ([]Type, error) { return recurrentInfer(n, gruRecurrence) },
	Eval: func(n *Node, in []*Tensor) ([]*Tensor, error) {
		return recurrentEval(n, in, gruRecurrence, gru[float32], gru[float64])
	},
	Work:  func(n *Node) int { return recurrentWork(n, gruRecurrence) },
	Reads: func(n *Node, result, operand int) []Read { return recurrentReads(n, gruRecurrence, result, operand) },
	Example: `
  %1 = const [1, -1] : f32[2,1,1]
  %2 = const [0.5, 1, -1] : f32[1,3,1]
  %3 = const [0.25] : f32[1,1,1]
  %4, %5 = gru %1, %2, %2, _, _, %3 {hidden=1, linear_before_reset=true} : f32[2,1,1,1], f32[1,1,1]
  return %4 "y", %5 "y_h"`,
})

func gruRecurrence(n *Node) (*recurrence, error) {
	return newRecurrence(n, 3, []string{"Sigmoid", "Tanh"})
}

// gru runs every sequence; y and yh are zero at the start.
func gru[E float](n *Node, rec *recurrence, in []*Tensor, lens []int, y, yh []E) {
	x, w, r, bias, h0 := floats[E](in, 0), floats[E](in, 1), floats[E](in, 2), floats[E](in, 3), floats[E](in, 5)
	hn, linear := rec.hidden, n.Bool("linear_before_reset")
	rec.sequences(func(d, b int) {
		h := yh[rec.stateAt(d, b):][:hn]
		if h0 != nil {
			copy(h, h0[rec.stateAt(d, b):])
		}
		acts, first := rec.acts[2*d:], 3*d*hn
		wb, rb := make([]E, 3*hn), make([]E, 3*hn)
		if bias != nil {
			copy(wb, bias[6*d*hn:])
			copy(rb, bias[6*d*hn+3*hn:])
		}
		zx, zh, reset := make([]E, 3*hn), make([]E, 3*hn), make([]E, hn)
		for i := range lens[b] {
			t := rec.stepOrder(d, i, lens[b])
			inputSums(rec, zx, w, x, t, d, b)
			rows(zh[:2*hn], r, h, first)
			for j := range hn {
				k := hn + j
				reset[j] = activate(zx[k]+zh[k]+wb[k]+rb[k], rec.clip, acts[0])
			}
			if linear {
				rows(zh[2*hn:], r, h, first+2*hn)
				for j := range hn {
					k := 2*hn + j
					zh[k] = E(reset[j]*(zh[k]+rb[k])) + wb[k]
				}
			} else {
				for j := range hn {
					reset[j] *= h[j]
				}
				rows(zh[2*hn:], r, reset, first+2*hn)
				for j := range hn {
					k := 2*hn + j
					zh[k] = zh[k] + rb[k] + wb[k]
				}
			}
			for j := range hn {
				z := activate(zx[j]+zh[j]+wb[j]+rb[j], rec.clip, acts[0])
				g := activate(zx[2*hn+j]+zh[2*hn+j], rec.clip, acts[1])
				h[j] = E((1-z)*g) + E(z*h[j])
			}
			copy(y[rec.yAt(t, d, b):], h)
		}
	})
}
