package ir

import "fmt"

var BLSTM = register(&Op{
	Name: "blstm",
	Doc: "Binary LSTM over a sequence, all integers. At every step z = wi.x[t] + wh.h; row r of z gives the bit (z[r] >= t[r]) != flip[r]; rows are the gates i, f, o, g, " +
		"H rows each. c = sat16(f*c + i*(2g-1)); h = o*sign(c) with sign(0) = sign0. The cell is 16 bits wide and saturates at -32767 and 32767.",
	Levels: Logic | Packed,
	Of:     []*Op{LSTM},
	Kind:   Recurs,
	Operands: []Param{{Name: "x", Doc: "bit, sbit or tern [N,T,I]"}, {Name: "wi", Doc: "sbit [4H,I]"}, {Name: "wh", Doc: "sbit [4H,H]"}, {Name: "t", Doc: "i32[4H]"}, {Name: "flip", Doc: "bit[4H]"},
		{Name: "h0", Doc: "tern [N,H]"}, {Name: "c0", Doc: "i16 [N,H]"}},
	Results: []Param{{Name: "y", Doc: "tern [N,T,H]"}, {Name: "h", Doc: "tern [N,H], the last"}, {Name: "c", Doc: "i16 [N,H], the last"}},
	Attrs:   []Attr{{Name: "sign0", Kind: KInt, Default: 0, Doc: "sign(0): -1, 0 or 1"}},
	Infer: func(n *Node) ([]Type, error) {
		x, wi, wh := n.In(0), n.In(1), n.In(2)
		if !x.DType.IsLogic() || x.Rank() != 3 {
			return nil, fmt.Errorf("x is %s, expected bit, sbit or tern [N,T,I]", x)
		}
		if wi.DType != SBit || wh.DType != SBit || wi.Rank() != 2 || wh.Rank() != 2 || wi.Shape[0] != wh.Shape[0] || wi.Shape[0] != 4*wh.Shape[1] || wi.Shape[1] != x.Shape[2] {
			return nil, fmt.Errorf("wi is %s and wh is %s, expected sbit[4H,%d] and sbit[4H,H]", wi, wh, x.Shape[2])
		}
		if err := thresholdOperands(n, 3, wi.Shape[0]); err != nil {
			return nil, err
		}
		state := []int{x.Shape[0], wh.Shape[1]}
		if h, c := n.In(5), n.In(6); h.DType != Tern || c.DType != I16 || !SameShape(h.Shape, state) || !SameShape(c.Shape, state) {
			return nil, fmt.Errorf("h0 is %s and c0 is %s, expected tern%s and i16%s", h, c, ShapeString(state), ShapeString(state))
		}
		if s := n.Int("sign0"); s < -1 || s > 1 {
			return nil, fmt.Errorf("sign0 is %d, expected -1, 0 or 1", s)
		}
		return []Type{T(Tern, x.Shape[0], x.Shape[1], state[1]), T(Tern, state...), T(I16, state...)}, nil
	},
	Eval: func(n *Node, in []*Tensor) ([]*Tensor, error) {
		x, wi, wh, t, flip := in[0], in[1].Ints(), in[2].Ints(), in[3], in[4]
		y, h, c := NewTensor(n.Results[0].Type), NewTensor(n.Results[1].Type), NewTensor(n.Results[2].Type)
		copy(h.Ints(), in[5].Ints())
		copy(c.Ints(), in[6].Ints())
		batch, steps, inputs, hidden := x.Type.Shape[0], x.Type.Shape[1], x.Type.Shape[2], h.Type.Shape[1]
		bits := make([]int64, 4*hidden)
		for b := range batch {
			hb, cb := h.Ints()[b*hidden:(b+1)*hidden], c.Ints()[b*hidden:(b+1)*hidden]
			for s := range steps {
				xs := x.Ints()[(b*steps+s)*inputs:][:inputs]
				for r := range bits {
					z := dotInt(wi[r*inputs:][:inputs], xs) + dotInt(wh[r*hidden:][:hidden], hb)
					bits[r] = 0
					if (z >= t.Int(r)) != (flip.Int(r) == 1) {
						bits[r] = 1
					}
				}
				for k := range hb {
					i, f, o, g := bits[k], bits[hidden+k], bits[2*hidden+k], bits[3*hidden+k]*2-1
					cb[k] = min(max(f*cb[k]+i*g, -32767), 32767)
					hb[k] = o * signInt(cb[k], int64(n.Int("sign0")))
				}
				copy(y.Ints()[(b*steps+s)*hidden:], hb)
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
  %1 = const [1, 0, 1, 1] : bit[1,2,2]
  %2 = const [1, -1, 1, 1, -1, 1, 1, 1] : sbit[4,2]
  %3 = const splat 1 : sbit[4,1]
  %4 = const [0, 1, 0, 1] : i32[4]
  %5 = const [0, 0, 1, 0] : bit[4]
  %6 = const [1] : tern[1,1]
  %7 = const [-2] : i16[1,1]
  %8, %9, %10 = blstm %1, %2, %3, %4, %5, %6, %7 {sign0=1} : tern[1,2,1], tern[1,1], i16[1,1]
  return %8 "y", %9 "h", %10 "c"`,
})

func dotInt(a, b []int64) int64 {
	var s int64
	for i := range a {
		s += a[i] * b[i]
	}
	return s
}

// signInt is the sign of v with sign(0) = zero.
func signInt(v, zero int64) int64 {
	switch {
	case v > 0:
		return 1
	case v < 0:
		return -1
	}
	return zero
}
