package ir

import "fmt"

var BinLSTM = register(&Op{
	Name: "bin_lstm",
	Doc: "A hand-written LSTM with hard gates, as exporters unroll it, rolled back into one operation, in the source's own float32 arithmetic. At every step " +
		"z = BN(x[t].wi' + h.wh'); gates i, f, o = H(z > 0) and g = +1 where z > 0, else -1; c = f*c + i*g; h = o*sign(c), sign(0) = sign0. " +
		"Rows of wi, wh and the norm are the gates i, f, o, g, H rows each.",
	Levels: Source | Logic,
	Kind:   Recurs,
	Operands: []Param{{Name: "x", Doc: "f32 [N,T,I]"}, {Name: "wi", Doc: "f32 [4H,I]"}, {Name: "wh", Doc: "f32 [4H,H]"},
		{Name: "scale", Doc: "f32[4H]"}, {Name: "bias", Doc: "f32[4H]"}, {Name: "mean", Doc: "f32[4H]"}, {Name: "var", Doc: "f32[4H]"},
		{Name: "h0", Doc: "f32 [N,H]"}, {Name: "c0", Doc: "f32 [N,H]"}},
	Results: []Param{{Name: "y", Doc: "f32 [N,T,H]"}, {Name: "h", Doc: "f32 [N,H], the last"}, {Name: "c", Doc: "f32 [N,H], the last"}},
	Attrs: []Attr{
		{Name: "epsilon", Kind: KFloat, Default: 1e-5, Doc: "added to the norm's variance"},
		{Name: "strict", Kind: KInts, Default: []int{1, 1, 1, 1}, Doc: "for each of i, f, o, g: 1 if the gate is set for z > 0, 0 if for z >= 0"},
		{Name: "sign0", Kind: KInt, Default: 0, Doc: "sign(0): -1, 0 or 1"},
	},
	Infer: func(n *Node) ([]Type, error) {
		x, wi, wh := n.In(0), n.In(1), n.In(2)
		for i := range n.Args {
			if n.In(i).DType != F32 {
				return nil, fmt.Errorf("%s is %s, expected f32", n.Op.Operands[i].Name, n.In(i))
			}
		}
		if x.Rank() != 3 || wi.Rank() != 2 || wh.Rank() != 2 || wi.Shape[0] != wh.Shape[0] || wi.Shape[0] != 4*wh.Shape[1] || wi.Shape[1] != x.Shape[2] {
			return nil, fmt.Errorf("x is %s, wi is %s and wh is %s, expected [N,T,I], [4H,I] and [4H,H]", x, wi, wh)
		}
		for i := 3; i < 7; i++ {
			if !SameShape(n.In(i).Shape, wi.Shape[:1]) {
				return nil, fmt.Errorf("%s is %s, expected f32[%d]", n.Op.Operands[i].Name, n.In(i), wi.Shape[0])
			}
		}
		state := []int{x.Shape[0], wh.Shape[1]}
		if h, c := n.In(7), n.In(8); !SameShape(h.Shape, state) || !SameShape(c.Shape, state) {
			return nil, fmt.Errorf("h0 is %s and c0 is %s, expected f32%s", h, c, ShapeString(state))
		}
		if len(n.Ints("strict")) != 4 {
			return nil, fmt.Errorf("strict has %d entries, expected 4", len(n.Ints("strict")))
		}
		return []Type{T(F32, x.Shape[0], x.Shape[1], state[1]), T(F32, state...), T(F32, state...)}, nil
	},
	Eval: func(n *Node, in []*Tensor) ([]*Tensor, error) {
		x, wi, wh := in[0], in[1].Floats(), in[2].Floats()
		y, h, c := NewTensor(n.Results[0].Type), NewTensor(n.Results[1].Type), NewTensor(n.Results[2].Type)
		copy(h.Floats(), in[7].Floats())
		copy(c.Floats(), in[8].Floats())
		batch, steps, inputs, hidden := x.Type.Shape[0], x.Type.Shape[1], x.Type.Shape[2], h.Type.Shape[1]
		strict := n.Ints("strict")
		set := make([]float32, 4*hidden)
		for b := range batch {
			hb, cb := h.Floats()[b*hidden:(b+1)*hidden], c.Floats()[b*hidden:(b+1)*hidden]
			for s := range steps {
				xs := x.Floats()[(b*steps+s)*inputs:][:inputs]
				for r := range set {
					z := dotFloat(wi[r*inputs:][:inputs], xs) + dotFloat(wh[r*hidden:][:hidden], hb)
					z = BatchNormScalar(z, in[3].Float32(r), in[4].Float32(r), in[5].Float32(r), in[6].Float32(r), float32(n.Float("epsilon")))
					set[r] = 0
					if z > 0 || z == 0 && strict[r/hidden] == 0 {
						set[r] = 1
					}
				}
				for k := range hb {
					i, f, o, g := set[k], set[hidden+k], set[2*hidden+k], set[3*hidden+k]*2-1
					cb[k] = float32(f*cb[k]) + float32(i*g)
					hb[k] = o * float32(signFloat(cb[k], n.Int("sign0")))
				}
				copy(y.Floats()[(b*steps+s)*hidden:], hb)
			}
		}
		return []*Tensor{y, h, c}, nil
	},
	Work: func(n *Node) int {
		x, wi, wh := n.In(0), n.In(1), n.In(2)
		return x.Shape[0] * x.Shape[1] * (wi.Elems() + wh.Elems())
	},
	Reads: sequenceReads,
	Example: `
  %1 = const [1, 0, 1, 1] : f32[1,2,2]
  %2 = const [1, -1, 1, 1, -1, 1, 1, 1] : f32[4,2]
  %3 = const splat 1 : f32[4,1]
  %4 = const [0.5, 1, -0.5, 1] : f32[4]
  %5 = const [1] : f32[1,1]
  %6 = const splat 2 : f32[4]
  %7, %8, %9 = bin_lstm %1, %2, %3, %4, %4, %4, %6, %5, %5 {strict=[1,1,0,1]} : f32[1,2,1], f32[1,1], f32[1,1]
  return %7 "y", %8 "h", %9 "c"`,
})

func dotFloat(a, b []float32) float32 {
	var s float32
	for i := range a {
		s += float32(a[i] * b[i])
	}
	return s
}

func signFloat(v float32, zero int) int {
	switch {
	case v > 0:
		return 1
	case v < 0:
		return -1
	case v == 0:
		return zero
	}
	return 0
}
