package ir

import "fmt"

var Shift = register(&Op{
	Name: "shift",
	Doc: "The frames seen last: those of state without the first, as many as x has, and behind them those of x, along an axis. " +
		"Where y is the state of the next step, state holds what x was, or zeros.",
	Levels:   Source | Logic | Packed,
	Kind:     Moves,
	Operands: []Param{{Name: "state"}, {Name: "x", Doc: "as state, with fewer frames or as many"}},
	Results:  []Param{{Name: "y", Doc: "as state"}},
	Attrs:    []Attr{{Name: "axis", Kind: KInt, Doc: "the axis of the frames"}},
	Infer: func(n *Node) ([]Type, error) {
		s, x := n.In(0), n.In(1)
		a, err := axisAttr(n, s.Rank())
		if err != nil {
			return nil, err
		}
		if s.DType != x.DType || s.Rank() != x.Rank() || !SameShape(s.Shape[:a], x.Shape[:a]) || !SameShape(s.Shape[a+1:], x.Shape[a+1:]) || x.Shape[a] > s.Shape[a] {
			return nil, fmt.Errorf("x is %s, expected %s but for axis %d, which may be shorter", x, s, a)
		}
		return []Type{T(s.DType, s.Shape...)}, nil
	},
	Eval: func(n *Node, in []*Tensor) ([]*Tensor, error) {
		y := NewTensor(n.Results[0].Type)
		a, err := axisAttr(n, y.Type.Rank())
		if err != nil || y.Len() == 0 {
			return []*Tensor{y}, err
		}
		outer, inner := outerInner(y.Type.Shape, a)
		all, added := y.Type.Shape[a]*inner, in[1].Type.Shape[a]*inner
		for o := range outer {
			copyElems(y, o*all, in[0], o*all+added, all-added)
			copyElems(y, o*all+all-added, in[1], o*added, added)
		}
		return []*Tensor{y}, nil
	},
	Reads: func(n *Node, _, operand int) []Read {
		r := sames(n.In(0).Rank(), 0)
		a, _ := axisAttr(n, len(r))
		added := n.In(1).Shape[a]
		if operand == 0 {
			r[a] = stepping(a, added, 1)
		} else {
			r[a] = stepping(a, added-n.In(0).Shape[a], 1)
		}
		return r
	},
	Example: `
  %1 = const [1, 0, 1, 1, 0, 0] : bit[2,3]
  %2 = const [0, 1] : bit[2,1]
  %3 = shift %1, %2 {axis=1} : bit[2,3]
  return %3 "y"`,
})
