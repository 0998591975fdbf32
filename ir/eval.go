package ir

import (
	"context"
	"fmt"
)

// Trace, when not nil, sees the results of every node as they are computed.
type Trace func(n *Node, results []*Tensor)

// Eval runs a function on inputs in the order of its parameters and returns its
// results in order. Inputs must have the parameters' element types and shapes.
// It stops with the context's error when ctx is done.
func Eval(ctx context.Context, f *Func, inputs []*Tensor, trace Trace) ([]*Tensor, error) {
	if len(inputs) != len(f.Params) {
		return nil, fmt.Errorf("func @%s takes %d inputs, got %d", f.Name, len(f.Params), len(inputs))
	}
	vals := map[*Value]*Tensor{}
	for i, p := range f.Params {
		if in, want := inputs[i].Type, p.Value.Type; in.DType != want.DType || !SameShape(in.Shape, want.Shape) {
			return nil, fmt.Errorf("input %q is %s, expected %s", p.Name, in, want)
		}
		vals[p.Value] = inputs[i]
	}
	last := f.LastUses()
	for i, n := range f.Nodes {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		in := make([]*Tensor, len(n.Args))
		for j, a := range n.Args {
			if a != nil {
				in[j] = vals[a]
			}
		}
		out, err := EvalNode(n, in)
		if err != nil {
			return nil, fmt.Errorf("%s (%s): %w", n.Loc, n.Op.Name, err)
		}
		for j, r := range n.Results {
			vals[r] = out[j]
		}
		if trace != nil {
			trace(n, out)
		}
		for _, v := range last[i] {
			delete(vals, v)
		}
	}
	out := make([]*Tensor, len(f.Results))
	for i, r := range f.Results {
		out[i] = vals[r.Value]
	}
	return out, nil
}

// EvalNode computes one node and checks that its results have the recorded
// types.
func EvalNode(n *Node, in []*Tensor) ([]*Tensor, error) {
	out, err := n.Op.Eval(n, in)
	if err != nil {
		return nil, err
	}
	for i, r := range n.Results {
		if got := out[i].Type; got.DType != r.Type.DType || !SameShape(got.Shape, r.Type.Shape) || out[i].Len() != r.Type.Elems() {
			return nil, fmt.Errorf("BUG: evaluation gave %s with %d elements for result %d of type %s", got, out[i].Len(), i, r.Type)
		}
	}
	return out, nil
}

// LastUses returns, for every node, the values that no later node reads; those that
// are results of the function are in no list.
func (f *Func) LastUses() [][]*Value {
	last := make([][]*Value, len(f.Nodes))
	seen := map[*Value]bool{}
	for _, r := range f.Results {
		seen[r.Value] = true
	}
	for i := len(f.Nodes) - 1; i >= 0; i-- {
		n := f.Nodes[i]
		for _, list := range [][]*Value{n.Args, n.Results} {
			for _, a := range list {
				if a != nil && !seen[a] {
					seen[a] = true
					last[i] = append(last[i], a)
				}
			}
		}
	}
	return last
}
