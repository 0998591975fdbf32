package onnx

import (
	"fmt"
	"maps"
	"slices"

	"github.com/billnet/billnet/frontend/onnx/onnxpb"
)

// Bounds on a model whose calls of local functions are replaced by their
// bodies: a few functions that call each other twice could make billions.
const (
	maxNodes  = 1 << 18
	maxValues = 1 << 20
)

// functionKey identifies a local function; Domain is normalized.
type functionKey struct{ domain, name, overload string }

// scope is what the records of a node mean where the node stands: in the
// model's own graphs, or in the body of a local function being inlined.
type scope struct {
	opsets map[string]int64
	// The rest is zero outside of functions.
	function *onnxpb.Function
	caller   *scope            // where the function is called
	prefix   string            // goes before the names of the body's nodes and values
	values   map[string]string // the function's parameters to the caller's values
	attrs    map[string]any    // the function's attributes
}

// value is the name that a value of this scope has in the graph.
func (s *scope) value(name string) string {
	if s.function == nil || name == "" {
		return name
	}
	if v, ok := s.values[name]; ok {
		return v
	}
	return s.prefix + name
}

func (s *scope) valuesOf(names []string) []string {
	out := make([]string, len(names))
	for i, name := range names {
		out[i] = s.value(name)
	}
	return out
}

// inline appends the body of f in place of the call, with the call's values in
// place of the parameters. call has been decoded in the scope of the caller.
func (d *decoder) inline(g *graphBuilder, f *onnxpb.Function, call *Node, caller *scope) error {
	for s := caller; s != nil; s = s.caller {
		if s.function == f {
			return call.errorf("local function %q calls itself", f.Name)
		}
	}
	if len(call.Inputs) > len(f.Input) || len(call.Outputs) > len(f.Output) {
		return call.errorf("%d inputs and %d outputs for a local function of %d and %d", len(call.Inputs), len(call.Outputs), len(f.Input), len(f.Output))
	}
	opsets, err := decodeOpsets(f.OpsetImport)
	if err != nil {
		return call.errorf("local function: %w", err)
	}
	body := &scope{
		opsets:   opsets,
		function: f,
		caller:   caller,
		prefix:   call.Name + "/",
		values:   make(map[string]string),
		attrs:    make(map[string]any),
	}
	for _, p := range f.AttributeProto {
		if body.attrs[p.Name], err = d.attribute(p, body); err != nil {
			return call.errorf("local function: attribute %q: %w", p.Name, err)
		}
	}
	maps.Copy(body.attrs, call.Attrs)
	for i, name := range f.Input {
		body.values[name] = ""
		if i < len(call.Inputs) {
			body.values[name] = call.Inputs[i]
		}
	}
	var passed []*Node // outputs that are inputs: copies that keep the names apart
	for i, name := range f.Output {
		if i >= len(call.Outputs) || call.Outputs[i] == "" {
			continue
		}
		if slices.Contains(f.Input, name) {
			passed = append(passed, &Node{
				Name: call.Name, Op: "Identity", Version: opsets[""],
				Inputs: []string{body.values[name]}, Outputs: []string{call.Outputs[i]}, Loc: call.Loc,
			})
			continue
		}
		if other, ok := body.values[name]; ok {
			return call.errorf("local function %q returns %q twice, as %q and %q", f.Name, name, other, call.Outputs[i])
		}
		body.values[name] = call.Outputs[i]
	}
	if err := d.nodes(g, f.Node, body); err != nil {
		return fmt.Errorf("in local function %q: %w", f.Name, err)
	}
	for _, n := range passed {
		if err := g.add(d, n); err != nil {
			return err
		}
	}
	return nil
}
