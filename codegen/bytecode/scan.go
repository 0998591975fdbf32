package bytecode

import (
	"errors"
	"slices"

	"github.com/billnet/billnet/ir"
	"github.com/billnet/billnet/runtime/billb"
)

// scan runs the body as the one stage of a region, a step a run. In front of it the
// states are copied to buffers that live as long as the region; a run loads the
// elements of the sequences as bands of a map [1,outer,steps,1,inner], stores those
// of collected outputs so, and ends with copies of the new states to these buffers.
func scan(e *expansion, n *ir.Node) []*ir.Value {
	if e.g.rows {
		return e.missing("steps that are rolled up are not written here: leave out pass roll-steps")
	}
	for _, k := range n.Body().Nodes {
		if k.Body() != nil {
			return e.missing("its body has steps of its own")
		}
	}
	// What moves states and elements has the body's name: it is no value of a layer.
	moves := *n
	moves.Loc.Name = n.Body().Name
	e.node = &moves
	g, body, steps, states := e.g, n.Body(), n.Int("steps"), n.Int("states")
	axes, outAxes := n.Ints("axes"), n.Ints("out_axes")
	state := make([]*ir.Value, states)
	for i := range state {
		state[i] = e.copied(n.Args[i])
		g.alias[body.Params[i].Value] = state[i]
	}
	sequences := make([]*ir.Value, len(axes))
	for i, axis := range axes {
		x := n.Args[states+i]
		if g.constOf(x) != nil {
			x = e.copied(x)
		}
		sequences[i] = e.reshape(x, stepMap(x.Type.Shape, axis, steps))
	}
	for i, p := range body.Params[states+len(axes):] {
		g.alias[p.Value] = n.Args[states+len(axes)+i]
	}
	first := len(g.img.Code)
	band := &billb.Band{Frames: steps, Rows: 1, Step: [2]int{1, 0}}
	for i, x := range sequences {
		p, shape := body.Params[states+i].Value, slices.Clone(x.Type.Shape)
		shape[2] = 1
		g.alias[p] = e.reshape(e.instruction("band_load", ir.T(x.Type.DType, shape...), band, x), p.Type.Shape)
	}
	for _, k := range body.Nodes {
		if e.err != nil {
			return nil
		}
		var none *missingError
		if err := g.chainOrNode(k); errors.As(err, &none) {
			return e.missing("%s (%s) in its body %s", k.Loc, k.Op.Name, none.why)
		} else if err != nil {
			e.err = err
		}
	}
	out := make([]*ir.Value, len(outAxes))
	for i, axis := range outAxes {
		v := body.Results[states+i].Value
		if g.constOf(v) != nil {
			v = e.copied(v)
		}
		shape := stepMap(n.Results[states+i].Type.Shape, axis, steps)
		element := slices.Clone(shape)
		element[2] = 1
		out[i] = e.instruction("band_store", ir.T(v.Type.DType, shape...), band, e.reshape(g.value(v), element))
	}
	e.step(body.Results[:states], state)
	if e.err != nil {
		return nil
	}
	if size := len(g.img.Code) - first; size > 0 {
		g.img.Regions = append(g.img.Regions, billb.Region{First: first, Steps: steps, Pace: 1, Feed: -1, Stages: []billb.Stage{{Len: size, Every: [2]int{1, 0}, Count: steps, Bands: 1}}})
	}
	for i, y := range out {
		out[i] = e.reshape(y, n.Results[states+i].Type.Shape)
	}
	return append(state, out...)
}

// stepMap is the shape of a sequence as a map whose frames are its steps.
func stepMap(shape []int, axis, steps int) []int {
	if axis < 0 {
		axis += len(shape)
	}
	product := func(s []int) int { return ir.T(ir.F32, s...).Elems() }
	return []int{1, product(shape[:axis]), steps, 1, product(shape[axis+1:])}
}

// copied is a copy of v in a buffer of its own.
func (e *expansion) copied(v *ir.Value) *ir.Value {
	return e.instruction("identity", ir.T(v.Type.DType, v.Type.Shape...), nil, v)
}

// step copies new states to the buffers of the states. Those that lie in one of these
// are copied out of the way first.
func (e *expansion) step(next []ir.Port, state []*ir.Value) {
	g := e.g
	moved := make([]*ir.Value, len(next))
	for i, r := range next {
		v := g.value(r.Value)
		if v == state[i] {
			continue
		}
		inState := func(s *ir.Value) bool { return g.group[g.buffer(v)] == g.group[g.buffer(s)] }
		if moved[i] = v; g.constOf(v) == nil && slices.ContainsFunc(state, inState) {
			moved[i] = e.copied(v)
		}
	}
	for i, v := range moved {
		if v != nil && e.err == nil {
			e.err = g.emit("identity", e.node.Loc.Name, []int{g.operand(v)}, state[i:i+1], nil, nil)
		}
	}
}
