package ir

var RNN = register(&Op{
	Name: "rnn",
	Doc: "Plain recurrence over S steps: H = f(W x + R h + Wb + Rb) with activation f Tanh. Sums run as written, each product's over its columns in order. " +
		"Past a sequence's length y is 0 and the state stays; in reverse a sequence starts at its own last step.",
	Onnx:     "RNN",
	Since:    1,
	Levels:   Source | Logic | Packed,
	Kind:     Recurs,
	Operands: recurrentOperands,
	Results:  []Param{{Name: "y", Doc: "[S,D,B,H]: every step's hidden state"}, {Name: "y_h", Doc: "[D,B,H]: the last hidden state"}},
	Attrs:    recurrentAttrs,
	Infer:    func(n *Node) ([]Type, error) { return recurrentInfer(n, rnnRecurrence) },
	Eval: func(n *Node, in []*Tensor) ([]*Tensor, error) {
		return recurrentEval(n, in, rnnRecurrence, rnn[float32], rnn[float64])
	},
	Work:  func(n *Node) int { return recurrentWork(n, rnnRecurrence) },
	Reads: func(n *Node, result, operand int) []Read { return recurrentReads(n, rnnRecurrence, result, operand) },
	Example: `
  %1 = const [1, -1] : f32[1,2,1]
  %2 = const [0.5] : f32[1,1,1]
  %3, %4 = rnn %1, %2, %2 {activations=["Relu"], layout=1} : f32[1,2,1,1], f32[1,1,1]
  return %3 "y", %4 "y_h"`,
})

func rnnRecurrence(n *Node) (*recurrence, error) { return newRecurrence(n, 1, []string{"Tanh"}) }

// rnn runs every sequence; y and yh are zero at the start.
func rnn[E float](_ *Node, rec *recurrence, in []*Tensor, lens []int, y, yh []E) {
	x, w, r, bias, h0 := floats[E](in, 0), floats[E](in, 1), floats[E](in, 2), floats[E](in, 3), floats[E](in, 5)
	hn := rec.hidden
	rec.sequences(func(d, b int) {
		h := yh[rec.stateAt(d, b):][:hn]
		if h0 != nil {
			copy(h, h0[rec.stateAt(d, b):])
		}
		zx, zh := make([]E, hn), make([]E, hn)
		for i := range lens[b] {
			t := rec.stepOrder(d, i, lens[b])
			inputSums(rec, zx, w, x, t, d, b)
			rows(zh, r, h, d*hn)
			for j := range hn {
				z := zx[j] + zh[j]
				if bias != nil {
					z = z + bias[2*d*hn+j] + bias[2*d*hn+hn+j]
				}
				h[j] = activate(z, rec.clip, rec.acts[d])
			}
			copy(y[rec.yAt(t, d, b):], h)
		}
	})
}
