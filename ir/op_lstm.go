package ir

var LSTM = register(&Op{
	Name: "lstm",
	Doc: "Long short-term memory over S steps; gates in the order i o f c, biases and peepholes likewise (p has i o f). A step, with (x) the elementwise product:\n" +
		"  i = f(Wi x + Ri h + Pi (x) c + Wbi + Rbi)\n" +
		"  f = f(Wf x + Rf h + Pf (x) c + Wbf + Rbf), or 1 - i with input_forget\n" +
		"  g = g(Wc x + Rc h + Wbc + Rbc)\n" +
		"  C = f (x) c + i (x) g\n" +
		"  o = f(Wo x + Ro h + Po (x) C + Wbo + Rbo)\n" +
		"  H = o (x) h(C)\n" +
		"with activations f Sigmoid, g Tanh, h Tanh. Sums run as written, each product's over its columns in order. Past a sequence's length y is 0 and the states stay; " +
		"in reverse a sequence starts at its own last step.",
	Onnx:   "LSTM",
	Since:  1,
	Levels: Source | Logic | Packed,
	Kind:   Recurs,
	Operands: append(append([]Param{}, recurrentOperands...),
		Param{Name: "c0", Doc: "[D,B,H]: initial cell state; left out: 0", Optional: true},
		Param{Name: "p", Doc: "[D,3*H]: peephole weights; left out: 0", Optional: true}),
	Results: []Param{{Name: "y", Doc: "[S,D,B,H]: every step's hidden state"}, {Name: "y_h", Doc: "[D,B,H]: the last hidden state"}, {Name: "y_c", Doc: "[D,B,H]: the last cell state"}},
	Attrs:   append(append([]Attr{}, recurrentAttrs...), Attr{Name: "input_forget", Kind: KBool, Default: false, Doc: "the forget gate is 1 - i"}),
	Infer: func(n *Node) ([]Type, error) {
		c, err := lstmRecurrence(n)
		if err != nil {
			return nil, err
		}
		d := n.In(0).DType
		if err := expectType(n, 6, T(d, c.stateShape()...)); err != nil {
			return nil, err
		}
		if err := expectType(n, 7, T(d, c.dirs, 3*c.hidden)); err != nil {
			return nil, err
		}
		return []Type{T(d, c.outShape()...), T(d, c.stateShape()...), T(d, c.stateShape()...)}, nil
	},
	Eval: func(n *Node, in []*Tensor) ([]*Tensor, error) {
		c, err := lstmRecurrence(n)
		if err != nil {
			return nil, err
		}
		lens, err := c.lengths(operand(in, 4))
		if err != nil {
			return nil, err
		}
		y, h, cell := NewTensor(n.Results[0].Type), NewTensor(n.Results[1].Type), NewTensor(n.Results[2].Type)
		if y.HoldsDoubles() {
			lstm(n, c, in, lens, y.Doubles(), h.Doubles(), cell.Doubles())
		} else {
			lstm(n, c, in, lens, y.Floats(), h.Floats(), cell.Floats())
		}
		roundAll(y)
		roundAll(h)
		roundAll(cell)
		return []*Tensor{y, h, cell}, nil
	},
	Work:  func(n *Node) int { return recurrentWork(n, lstmRecurrence) },
	Reads: func(n *Node, result, operand int) []Read { return recurrentReads(n, lstmRecurrence, result, operand) },
	Example: `
  %1 = const [1, -1, 0.5] : f32[3,1,1]
  %2 = const [0.5, 1, -1, 2] : f32[1,4,1]
  %3 = const [2] : i32[1]
  %4 = const [0.25] : f32[1,1,1]
  %5, %6, %7 = lstm %1, %2, %2, _, %3, _, %4 {hidden=1, direction="reverse"} : f32[3,1,1,1], f32[1,1,1], f32[1,1,1]
  return %5 "y", %6 "y_h", %7 "y_c"`,
})

func lstmRecurrence(n *Node) (*recurrence, error) {
	return newRecurrence(n, 4, []string{"Sigmoid", "Tanh", "Tanh"})
}

// lstm runs every sequence; y, yh and yc are zero at the start.
func lstm[E float](n *Node, rec *recurrence, in []*Tensor, lens []int, y, yh, yc []E) {
	x, w, r, bias := floats[E](in, 0), floats[E](in, 1), floats[E](in, 2), floats[E](in, 3)
	h0, c0, peep := floats[E](in, 5), floats[E](in, 6), floats[E](in, 7)
	hn, coupled := rec.hidden, n.Bool("input_forget")
	rec.sequences(func(d, b int) {
		at := rec.stateAt(d, b)
		h, c := yh[at:at+hn], yc[at:at+hn]
		if h0 != nil {
			copy(h, h0[at:])
		}
		if c0 != nil {
			copy(c, c0[at:])
		}
		acts := rec.acts[3*d:]
		zx, zh := make([]E, 4*hn), make([]E, 4*hn)
		// pre is the input of gate g's activation, s the state behind its peephole.
		pre := func(g, j int, s E) E {
			k := g*hn + j
			z := zx[k] + zh[k]
			if peep != nil && g < 3 {
				z += E(peep[3*d*hn+k] * s)
			}
			if bias != nil {
				z = z + bias[8*d*hn+k] + bias[8*d*hn+4*hn+k]
			}
			return z
		}
		for i := range lens[b] {
			t := rec.stepOrder(d, i, lens[b])
			inputSums(rec, zx, w, x, t, d, b)
			rows(zh, r, h, 4*d*hn)
			for j := range hn {
				input := activate(pre(0, j, c[j]), rec.clip, acts[0])
				forget := 1 - input
				if !coupled {
					forget = activate(pre(2, j, c[j]), rec.clip, acts[0])
				}
				g := activate(pre(3, j, 0), rec.clip, acts[1])
				c[j] = E(forget*c[j]) + E(input*g)
				output := activate(pre(1, j, c[j]), rec.clip, acts[0])
				h[j] = output * E(acts[2](float64(c[j])))
			}
			copy(y[rec.yAt(t, d, b):], h)
		}
	})
}
