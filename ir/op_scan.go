package ir

import (
	"context"
	"fmt"
	"slices"
)

var Scan = register(&Op{
	Name: "scan",
	Doc: "Runs the function body once a step, for step k from 0 to steps-1. Its parameters are the states, an element of every sequence, index k of the sequence's axis, which the element does not have, " +
		"and what all steps read; its results are the states of the next step and an element of every collected output. " +
		"Results are the states behind the last step, then the collected outputs: element k is index k of a new axis.",
	Levels:   Source | Logic | Packed,
	Kind:     Recurs,
	Operands: []Param{{Name: "x", Doc: "the states at first, then the sequences, then what all steps read", Variadic: true}},
	Results:  []Param{{Name: "y", Doc: "the last states, then the collected outputs", Variadic: true}},
	Attrs: []Attr{
		{Name: "body", Kind: KFunc, Doc: "the function of a step, which only this operation runs"},
		{Name: "steps", Kind: KInt, Doc: "how often it runs, at least once"},
		{Name: "states", Kind: KInt, Doc: "the number of states"},
		{Name: "axes", Kind: KInts, Default: []int{}, Doc: "the axis of every sequence along which it is read"},
		{Name: "out_axes", Kind: KInts, Default: []int{}, Doc: "the axis of every collected output along which it is written"},
	},
	Infer: func(n *Node) ([]Type, error) {
		s, err := scanOf(n)
		if err != nil {
			return nil, err
		}
		var types []Type
		for i, r := range s.body.Results {
			t := r.Value.Type
			if i >= s.states {
				shape, axis := slices.Clone(t.Shape), s.outAxes[i-s.states]
				t = T(t.DType, slices.Insert(shape, axis, s.steps)...)
			}
			types = append(types, T(t.DType, t.Shape...))
		}
		return types, nil
	},
	Eval: func(n *Node, in []*Tensor) ([]*Tensor, error) {
		s, err := scanOf(n)
		if err != nil {
			return nil, err
		}
		return s.eval(n, in)
	},
	Reads: func(n *Node, _, operand int) []Read { return make([]Read, n.In(operand).Rank()) },
	Work: func(n *Node) int {
		work := 0
		for _, k := range n.Body().Nodes {
			if k.Op.Work != nil {
				work += k.Op.Work(k)
			}
		}
		return n.Int("steps") * work
	},
	Example: `
  %1 = const [1, 2, 3, 4, 5, 6] : f32[3,2]
  %2 = const [0, 0] : f32[2]
  %3 = const [0.5] : f32[1]
  %4, %5 = scan %2, %1, %3 {body=@step, steps=3, states=1, axes=[0], out_axes=[0]} : f32[2], f32[3,2]
  return %4 "last", %5 "all"
}

func @step(%0 "state": f32[2], %1 "x": f32[2], %2 "decay": f32[1]) {
  %3 = mul %0, %2 : f32[2]
  %4 = add %3, %1 : f32[2]
  return %4 "next", %4 "y"`,
})

// Body is the function that a node runs, nil for one that runs none.
func (n *Node) Body() *Func {
	f, _ := n.Attrs["body"].(*Func)
	return f
}

// scanned is the geometry of a scan.
type scanned struct {
	body          *Func
	steps, states int
	axes, outAxes []int
}

// scanOf checks a scan's operands against its body.
func scanOf(n *Node) (*scanned, error) {
	s := &scanned{body: n.Body(), steps: n.Int("steps"), states: n.Int("states"), axes: slices.Clone(n.Ints("axes")), outAxes: slices.Clone(n.Ints("out_axes"))}
	switch {
	case s.body == nil:
		return nil, fmt.Errorf("there is no body")
	case s.steps < 1:
		return nil, fmt.Errorf("%d steps, expected at least one", s.steps)
	case s.states < 0 || s.states > len(n.Args)-len(s.axes):
		return nil, fmt.Errorf("%d states and %d sequences of %d operands", s.states, len(s.axes), len(n.Args))
	case len(n.Args) != len(s.body.Params):
		return nil, fmt.Errorf("%d operands, the body takes %d", len(n.Args), len(s.body.Params))
	case len(s.body.Results) != s.states+len(s.outAxes) || len(s.body.Results) == 0:
		return nil, fmt.Errorf("the body has %d results, expected %d states and %d collected outputs, one at least", len(s.body.Results), s.states, len(s.outAxes))
	}
	for i, p := range s.body.Params {
		want := T(p.Value.Type.DType, p.Value.Type.Shape...)
		if i >= s.states && i < s.states+len(s.axes) {
			axis, err := Axis(s.axes[i-s.states], want.Rank()+1)
			if err != nil {
				return nil, fmt.Errorf("sequence %d: %w", i-s.states, err)
			}
			s.axes[i-s.states] = axis
			want.Shape = slices.Insert(slices.Clone(want.Shape), axis, s.steps)
		}
		if got := n.Args[i].Type; got.DType != want.DType || !SameShape(got.Shape, want.Shape) {
			return nil, fmt.Errorf("operand %d is %s, the body and %d steps want %s", i, got, s.steps, want)
		}
	}
	for i, r := range s.body.Results {
		t := r.Value.Type
		if i < s.states {
			if p := s.body.Params[i].Value.Type; p.DType != t.DType || !SameShape(p.Shape, t.Shape) {
				return nil, fmt.Errorf("state %d is %s in front of a step and %s behind it", i, p, t)
			}
			continue
		}
		axis, err := Axis(s.outAxes[i-s.states], t.Rank()+1)
		if err != nil {
			return nil, fmt.Errorf("collected output %d: %w", i-s.states, err)
		}
		s.outAxes[i-s.states] = axis
	}
	return s, nil
}

// eval runs the steps.
func (s *scanned) eval(n *Node, in []*Tensor) ([]*Tensor, error) {
	args := slices.Clone(in)
	out := make([]*Tensor, len(n.Results))
	for i := range s.outAxes {
		out[s.states+i] = NewTensor(n.Results[s.states+i].Type)
	}
	for k := range s.steps {
		for i, axis := range s.axes {
			args[s.states+i] = in[s.states+i].at(axis, k)
		}
		results, err := Eval(context.Background(), s.body, args, nil)
		if err != nil {
			return nil, fmt.Errorf("step %d: %w", k, err)
		}
		copy(args, results[:s.states])
		for i, axis := range s.outAxes {
			out[s.states+i].setAt(axis, k, results[s.states+i])
		}
	}
	copy(out, args[:s.states])
	return out, nil
}

// at is index k of an axis, which the result does not have.
func (t *Tensor) at(axis, k int) *Tensor {
	y := NewTensor(T(t.Type.DType, slices.Delete(slices.Clone(t.Type.Shape), axis, axis+1)...))
	run, stride := t.runs(axis)
	for i := 0; i < y.Len(); i += run {
		copyElems(y, i, t, i/run*stride+k*run, run)
	}
	return y
}

// setAt sets index k of an axis to x.
func (t *Tensor) setAt(axis, k int, x *Tensor) {
	run, stride := t.runs(axis)
	for i := 0; i < x.Len(); i += run {
		copyElems(t, i/run*stride+k*run, x, i, run)
	}
}

// runs is the number of elements behind an axis, and with it.
func (t *Tensor) runs(axis int) (run, stride int) {
	run = T(t.Type.DType, t.Type.Shape[axis+1:]...).Elems()
	return run, run * t.Type.Shape[axis]
}
