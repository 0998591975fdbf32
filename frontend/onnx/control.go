package onnx

import (
	"fmt"
	"slices"

	"github.com/billnet/billnet/ir"
)

// Control flow exists at import only: a Loop or Scan whose number of steps is
// known is written out step by step, and a pass rolls the recurrent cells that it
// knows back into one operation; an If whose condition is known is its branch.
func init() {
	for name, h := range map[string]handler{"If": {1, 1, ifOp}, "Loop": {0, many, loopOp}, "Scan": {0, many, scanOp}} {
		handlers[operator{"", name}] = h
	}
}

// body imports the nodes of a sub-graph with values for its inputs and returns
// its outputs.
func (c *call) body(g *Graph, inputs []*ir.Value) []*ir.Value {
	imp := c.imp
	if len(inputs) != len(g.Inputs) {
		c.failf("the body takes %d inputs, it is given %d", len(g.Inputs), len(inputs))
	}
	for i, in := range g.Inputs {
		if inputs[i] == nil {
			c.failf("input %d of the body, %q, is left out", i, in.Name)
		}
		imp.values[in.Name] = inputs[i]
	}
	for _, t := range g.Initializers {
		imp.inits[t.Name] = t
		delete(imp.values, t.Name) // of another body
	}
	for _, n := range g.Nodes {
		n.uses(func(name string) error { imp.needed[name] = true; return nil })
	}
	for _, out := range g.Outputs {
		imp.needed[out.Name] = true
	}
	known := len(imp.unsupported)
	imp.inBody++
	defer func() { imp.inBody-- }()
	if err := imp.nodes(g.Nodes); err != nil {
		panic(stop{err})
	}
	if len(imp.unsupported) > known {
		c.unsupportedf("its body has operators that are not supported")
	}
	out := make([]*ir.Value, len(g.Outputs))
	for i, o := range g.Outputs {
		v, err := imp.value(o.Name)
		if err != nil {
			panic(stop{fmt.Errorf("output %q of the body: %w", o.Name, err)})
		}
		out[i] = v
	}
	return out
}

// graph returns an attribute that is a sub-graph.
func (c *call) graph(name string) *Graph {
	g := attr[*Graph](c, name, nil)
	if g == nil {
		c.failf("attribute %q is missing", name)
	}
	return g
}

// steps checks that so many copies of a body stay within the bounds of a model.
func (c *call) steps(n int, body *Graph) int {
	if n < 0 || n > maxNodes/max(len(body.Nodes), 1) {
		c.unsupportedf("%d steps of %d nodes are too many to write out", n, len(body.Nodes))
	}
	return n
}

// ifOp is the branch of a known condition. Elsewhere both branches are computed
// and one is selected, where their results have the same types.
func ifOp(c *call) []*ir.Value {
	branches := map[bool]*Graph{true: c.graph("then_branch"), false: c.graph("else_branch")}
	if t := c.typ(0); t.DType != ir.Bool || t.Elems() != 1 {
		c.failf("the condition is %s, expected one bool", t)
	}
	if cond, err := c.imp.fold(c.args[0]); err == nil {
		return c.body(branches[cond.Int(0) != 0], nil)
	}
	yes, no := c.body(branches[true], nil), c.body(branches[false], nil)
	if len(yes) != len(no) {
		c.failf("the branches have %d and %d outputs", len(yes), len(no))
	}
	cond := c.reshape(c.args[0], nil)
	out := make([]*ir.Value, len(yes))
	for i, a := range yes {
		b := no[i]
		if a == b {
			out[i] = a
			continue
		}
		if a == nil || b == nil || a.Type.DType == ir.Invalid || !a.Type.Equal(b.Type) {
			c.unsupportedf("the condition (input 0, %q) depends on data, and output %d is %s in one branch and %s in the other; both must have one type", c.Inputs[0], i, describe(a), describe(b))
		}
		out[i] = c.op(ir.Where, cond, a, b)
	}
	return out
}

func describe(v *ir.Value) string {
	if v == nil || v.Type.DType == ir.Invalid {
		return "no tensor"
	}
	return v.Type.String()
}

// loopOp: inputs are the trip count, the condition and the carried values; the
// body takes the step's number, the condition and the carried values and gives
// the condition, the carried values and an element of every output that
// collects.
func loopOp(c *call) []*ir.Value {
	body := c.graph("body")
	if len(c.args) < 2 {
		c.failf("%d inputs, expected a trip count, a condition and what is carried", len(c.args))
	}
	trips := c.trips(body)
	carried := slices.Clone(c.args[2:])
	collected := make([][]*ir.Value, max(0, len(body.Outputs)-1-len(carried)))
	var running *ir.Value // whether a condition that depends on data still holds; nil: it does
	for step := 0; trips < 0 || step < trips; step++ {
		c.steps(step+1, body)
		in := append([]*ir.Value{
			c.constant(ir.IntTensor(ir.I64, []int64{int64(step)})),
			c.constant(ir.IntTensor(ir.Bool, []int64{1})),
		}, carried...)
		out := c.body(body, in)
		if len(out) < 1+len(carried) {
			c.failf("the body has %d outputs, expected a condition and %d carried values", len(out), len(carried))
		}
		if out[0] == nil || out[0].Type.DType != ir.Bool || out[0].Type.Elems() != 1 {
			c.failf("the condition of step %d is %s, expected one bool", step, describe(out[0]))
		}
		carried = c.continued(running, out[1:1+len(carried)], carried)
		for i := range collected {
			collected[i] = append(collected[i], out[1+len(carried)+i])
		}
		goOn, err := c.imp.fold(out[0])
		switch {
		case err == nil && goOn.Int(0) == 0:
			return append(carried, c.stack(collected, nil)...)
		case err != nil && (trips < 0 || len(collected) > 0):
			c.unsupportedf("the condition of step %d must be known when the model is compiled: %v", step, err)
		case err != nil && running != nil:
			running = c.op(ir.And, running, c.reshape(out[0], nil))
		case err != nil:
			running = c.reshape(out[0], nil)
		}
	}
	return append(carried, c.stack(collected, nil)...)
}

// continued is what a Loop carries on: the new values, where a condition that
// depends on data still held, else the old ones.
func (c *call) continued(running *ir.Value, now, before []*ir.Value) []*ir.Value {
	out := slices.Clone(now)
	if running == nil {
		return out
	}
	for i, v := range out {
		if v == nil || before[i] == nil || v.Type.DType == ir.Invalid || !v.Type.Equal(before[i].Type) {
			c.unsupportedf("carried value %d changes from %s to %s under a condition that depends on data", i, describe(before[i]), describe(v))
		}
		if v != before[i] {
			out[i] = c.op(ir.Where, running, v, before[i])
		}
	}
	return out
}

// trips is the number of steps of a Loop at the most, -1 if only its condition
// ends it.
func (c *call) trips(body *Graph) int {
	if c.args[1] != nil {
		cond := c.constIn(1, "condition")
		if cond.Len() != 1 || !cond.HoldsInts() {
			c.failf("the condition is %s, expected one bool", cond.Type)
		}
		if cond.Int(0) == 0 {
			return 0
		}
	}
	if c.args[0] == nil {
		return -1
	}
	count := c.constIn(0, "number of steps")
	if count.Len() != 1 || !count.HoldsInts() {
		c.failf("the number of steps is %s, expected one integer", count.Type)
	}
	if c.args[1] != nil && count.Int(0) > maxNodes {
		return -1 // frameworks write the largest integer for a loop that its condition ends
	}
	return c.steps(int(min(max(count.Int(0), 0), maxNodes+1)), body)
}

// stack joins the elements of every collected output along a new axis, 0 unless
// axes says another.
func (c *call) stack(collected [][]*ir.Value, axes []int) []*ir.Value {
	out := make([]*ir.Value, len(collected))
	for i, list := range collected {
		if len(list) == 0 {
			c.unsupportedf("an output collects the elements of no step: its shape is not known")
		}
		axis := 0
		if i < len(axes) {
			axis = axes[i]
		}
		parts := make([]*ir.Value, len(list))
		for k, v := range list {
			parts[k] = c.emit(ir.Unsqueeze, attrs{"axes": []int{axis}}, v)
		}
		out[i] = c.emit(ir.Concat, attrs{"axis": axis}, parts...)
	}
	return out
}

// scanOp: inputs are the initial states and the sequences; the body takes the
// states and an element of every sequence and gives the states and an element
// of every output that collects.
func scanOp(c *call) []*ir.Value {
	if c.Version < 9 {
		c.unsupportedf("version %d of the operator, expected 9 or later", c.Version)
	}
	body := c.graph("body")
	sequences := c.int("num_scan_inputs", 0)
	states := len(c.args) - sequences
	if sequences < 1 || states < 0 {
		c.failf("num_scan_inputs is %d of %d inputs", sequences, len(c.args))
	}
	inAxes, inDirs := c.ints("scan_input_axes"), c.ints("scan_input_directions")
	outAxes, outDirs := c.ints("scan_output_axes"), c.ints("scan_output_directions")
	at := func(list []int, i int) int {
		if i < len(list) {
			return list[i]
		}
		return 0
	}
	trips := -1
	axes := make([]int, sequences)
	for i, a := range c.args {
		if a == nil {
			c.failf("input %d is left out", i)
		}
	}
	for i := range axes {
		t := c.typ(states + i)
		axis, err := ir.Axis(at(inAxes, i), t.Rank())
		if err != nil {
			c.failf("sequence %d: %v", i, err)
		}
		axes[i] = axis
		if trips >= 0 && t.Shape[axis] != trips {
			c.failf("sequence %d has %d steps, the one before has %d", i, t.Shape[axis], trips)
		}
		trips = t.Shape[axis]
	}
	carried := slices.Clone(c.args[:states])
	collected := make([][]*ir.Value, max(0, len(body.Outputs)-states))
	for step := range c.steps(trips, body) {
		in := slices.Clone(carried)
		for i, axis := range axes {
			k := step
			if at(inDirs, i) == 1 {
				k = trips - 1 - step
			}
			in = append(in, c.emit(ir.Gather, attrs{"axis": axis}, c.args[states+i], c.constant(ir.IntTensor(ir.I64, []int64{int64(k)}))))
		}
		out := c.body(body, in)
		if len(out) < states {
			c.failf("the body has %d outputs, expected at least %d states", len(out), states)
		}
		carried = slices.Clone(out[:states])
		for i := range collected {
			if at(outDirs, i) == 1 {
				collected[i] = slices.Insert(collected[i], 0, out[states+i])
			} else {
				collected[i] = append(collected[i], out[states+i])
			}
		}
	}
	return append(carried, c.stack(collected, outAxes)...)
}
